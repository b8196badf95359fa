"""A weighted sum of regressions of several kinds, and what it says of rows it has not seen."""

import time
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from ...transport.numerics import with_prefix
from .inputs import Inputs
from .regressions import GaussianProcess, Ridge
from .tree_ensemble import TreeEnsemble

__all__ = ["KINDS", "StackedRegression", "number_of_folds"]

#: The regressions that are stacked: splines and products of pairs by ridge regression, a Gaussian
#: process, extremely randomised trees and boosted ones.
KINDS = ("curves", "products", "process", "trees", "boosted")
_TREES, _LEAF = 100, 2
_BOOSTED, _RATE, _STAGES = 240, 0.06, 12
_FOLDS, _FEWER, _MANY = 5, 3, 2000  # folds of few rows, and of many
_LEAST = 0.02  # share of the weights below which a regression is left out


class StackedRegression(nn.Module):
    """``centre + sum_k w_k (f_k(x) - centre)`` with weights that are not negative.

    The weights are those of the least squared error of predictions of rows that the regressions
    have not seen (Breiman, *Stacked regressions*, 1996).

    Args:
        kinds: those of :data:`KINDS` that have weight.
        members: the regressions.
        weight: (K,) of each.
        centre: ().
    """

    weight: Tensor
    centre: Tensor

    def __init__(
        self, kinds: list[str], members: list[nn.Module], weight: Tensor, centre: Tensor
    ) -> None:
        super().__init__()
        self.kinds = kinds
        self.members = nn.ModuleList(members)
        self.register_buffer("weight", weight)
        self.register_buffer("centre", centre)

    @classmethod
    def fit(
        cls,
        inputs: Inputs,
        y: Tensor,
        fold: Tensor,
        seed: int,
        *,
        kinds: tuple[str, ...] = KINDS,
        deadline: float = np.inf,
    ) -> tuple["StackedRegression", Tensor]:
        """Fit to rows.

        Args:
            inputs: of n rows.
            y: (n,) float64.
            fold: (n,) the fold of each row, from 0.
            seed: of everything random.
            kinds: regressions to try.
            deadline: ``time.monotonic()`` after which no further kind is tried.

        Returns:
            The regression, and its predictions (n,) of rows by fits without their fold.
        """
        folds = [fold == f for f in fold.unique()]
        tried, unseen, stages = [], [], 0
        began = time.monotonic()
        for kind in kinds:
            spent = time.monotonic() - began
            if tried and time.monotonic() + spent / len(tried) > deadline:
                break
            if kind == "products" and not Ridge.has_products(inputs.plain):
                continue
            if kind == "process" and not inputs.plain.shape[1]:
                continue
            if kind == "boosted":
                predicted, stages = _best_stage(inputs, y, folds, seed)
            else:
                predicted = _unseen(kind, inputs, y, folds, seed)
            tried.append(kind)
            unseen.append(predicted)
        centre = y.mean()
        weight = _weights(torch.stack(unseen, 1) - centre, y - centre)
        kept = [i for i, w in enumerate(weight.tolist()) if w > 0]
        members = [_fitted(tried[i], inputs, y, seed, stages) for i in kept]
        model = cls([tried[i] for i in kept], members, weight[kept], centre)
        return model, centre + (torch.stack(unseen, 1) - centre) @ weight

    @classmethod
    def from_state(
        cls, kinds: list[str], state: dict[str, Tensor], inputs: Inputs
    ) -> "StackedRegression":
        """Rebuild from the tensors of ``state_dict()``.

        Args:
            kinds: of the members.
            state: the tensors.
            inputs: of any rows, for the numbers of their columns.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        weight, centre = state["weight"], state["centre"]
        if (
            weight.shape != (len(kinds),)
            or centre.shape != ()
            or not bool(weight.isfinite().all() and centre.isfinite())
        ):
            raise ValueError("a stack of regressions has weights of other shapes")
        plain, curves = inputs.plain.shape[1], inputs.curves.shape[1]
        members: list[nn.Module] = []
        for i, kind in enumerate(kinds):
            part = with_prefix(state, f"members.{i}.")
            if kind in ("curves", "products"):
                members.append(Ridge.from_state(part, curves if kind == "curves" else plain))
            elif kind == "process":
                members.append(GaussianProcess.from_state(part, plain))
            elif kind in ("trees", "boosted"):
                members.append(TreeEnsemble.from_state(part, inputs.features.shape[1]))
            else:
                raise ValueError(f"{kind!r} is no regression that is stacked")
        return cls(list(kinds), members, weight, centre)

    def forward(self, inputs: Inputs) -> Tensor:
        """Predictions of rows: (n,) float64."""
        total = self.centre.repeat(len(inputs))
        for kind, member, weight in zip(self.kinds, self.members, self.weight, strict=True):
            total = total + weight * (_predicted(kind, member, inputs) - self.centre)
        return total


def number_of_folds(n: int) -> int:
    """Folds in which n rows are predicted by what has not seen them."""
    return _FOLDS if n < _MANY else _FEWER


def _fitted(kind: str, inputs: Inputs, y: Tensor, seed: int, stages: int = 0) -> nn.Module:
    """A regression of a kind, fitted to rows."""
    if kind == "curves":
        return Ridge.fit(inputs.curves, y)
    if kind == "products":
        return Ridge.fit(inputs.plain, y, squared=True)
    if kind == "process":
        return GaussianProcess.fit(inputs.plain, y, seed)
    if kind == "trees":
        return TreeEnsemble.randomised(inputs.features, y, count=_TREES, leaf=_LEAF, seed=seed)
    return TreeEnsemble.boosted(inputs.features, y, count=stages, rate=_RATE, seed=seed)


def _predicted(kind: str, member: nn.Module, inputs: Inputs) -> Tensor:
    if kind in ("trees", "boosted"):
        return cast(Tensor, member(inputs.features))[:, 0]
    return cast(Tensor, member(inputs.curves if kind == "curves" else inputs.plain))


def _unseen(kind: str, inputs: Inputs, y: Tensor, folds: list[Tensor], seed: int) -> Tensor:
    """Predictions of each row by a regression fitted without its fold."""
    found = torch.empty_like(y)
    half = folds[: len(folds) // 2]
    first = torch.stack(half).any(0) if half else ~folds[0]
    scales = {}  # of processes, by whether they are of the first half of the folds
    for i, out in enumerate(folds):
        if kind == "process":
            # each fold is predicted by scales of the other half of them
            own = i >= len(half)
            if own not in scales:
                rows = first if own else ~first
                scales[own] = GaussianProcess.scales(inputs.plain[rows], y[rows], seed)
            member: nn.Module = GaussianProcess.fit(inputs.plain[~out], y[~out], seed, scales[own])
        else:
            member = _fitted(kind, inputs.take(~out), y[~out], seed)
        found[out] = _predicted(kind, member, inputs.take(out))
    return found


def _best_stage(inputs: Inputs, y: Tensor, folds: list[Tensor], seed: int) -> tuple[Tensor, int]:
    """The same of boosted trees, and how many of them predict unseen rows best."""
    counts = [_BOOSTED * (s + 1) // _STAGES for s in range(_STAGES)]
    staged = torch.empty(len(counts), len(y), dtype=y.dtype)
    for out in folds:
        model = TreeEnsemble.boosted(
            inputs.features[~out], y[~out], count=_BOOSTED, rate=_RATE, seed=seed
        )
        staged[:, out] = model.staged(inputs.features[out], counts)[..., 0]
    best = int((staged - y).square().mean(1).argmin())
    return staged[best], counts[best]


def _weights(unseen: Tensor, y: Tensor) -> Tensor:
    """Weights of least squares that are not negative, (K,); small ones are none."""
    from scipy.optimize import nnls

    weight = torch.from_numpy(nnls(unseen.numpy(), y.numpy())[0])
    weight[weight < _LEAST * weight.sum()] = 0.0
    kept = weight > 0
    if bool(kept.any()):
        weight[kept] = torch.from_numpy(nnls(unseen[:, kept].numpy(), y.numpy())[0])
    return weight
