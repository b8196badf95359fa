"""Regressions of a target and of the size of their errors: a location-scale model of it."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import Tensor, nn

from ...data import Columns
from ...transport.numerics import with_prefix
from ...transport.rows import Rows
from .inputs import InputCoder, Inputs
from .shapley import shapley_values
from .stacked_regression import KINDS, StackedRegression, number_of_folds
from .target import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LocationScale"]

_SPREAD = ("curves", "process", "trees")  # regressions of the logarithm of the spread
_CLASSES = ("curves", "process", "trees")  # and of the indicators of more than two classes
_SMALLEST = 0.01  # of the mean error, which is added to errors before their logarithm is taken
_LOCATED, _SPREADED = 0.4, 0.55  # of the budget, by when regressions are done
_BACKGROUND = 200  # rows of the fit that explanations compare with
_KNOTS = 65  # quantiles by which regressed numbers are carried back to those of the target


class LocationScale(nn.Module):
    """Stacked regressions of a target, and of the logarithm of the size of their errors.

    Numbers have one location and a spread; two classes one location, the probability of the
    second; more classes a location each. Classes have no spread.

    Args:
        coder: rows to the inputs of the regressions.
        locations: one, or one a class.
        spread: of numbers of more than two values, else None.
        spread_range: the least and largest logarithm of the spread of the rows of the fit,
            to which that of other rows is held.
        background: (m, D) numbers of the inputs of usual rows, which explanations compare with.
        knots: (2, K) quantiles of the regressed numbers, which rise, and of the target in its
            units; None of classes.
    """

    background: Tensor
    knots: Tensor | None

    def __init__(
        self,
        coder: InputCoder,
        locations: list[StackedRegression],
        spread: StackedRegression | None,
        spread_range: tuple[float, float] | None,
        background: Tensor,
        knots: Tensor | None,
    ) -> None:
        super().__init__()
        self.coder = coder
        self.locations = nn.ModuleList(locations)
        self.spread = spread
        self.spread_range = spread_range
        self.register_buffer("background", background)
        self.register_buffer("knots", knots)

    @classmethod
    def fit(
        cls,
        coder: InputCoder,
        numbers: Tensor,
        target: Target,
        y: "pd.Series",
        seed: int,
        until: Callable[[float], float],
    ) -> tuple[Self, Tensor, Tensor | None]:
        """Fit to rows.

        Args:
            coder: of the inputs.
            numbers: (n, D) of the inputs, as the coder gives them.
            target: what is known of the target.
            y: its n values.
            seed: of everything random.
            until: a share of the budget to the ``time.monotonic()`` at which it is spent.

        Returns:
            The regressions, and what they say of rows that they have not seen: locations (n, K),
            and logarithms of the spread (n,) or None.
        """
        inputs = coder.of_numbers(numbers)
        fold = Rows.continuous(numbers).folds(min(number_of_folds(len(y)), len(y)), seed)
        targets = _regressed(inputs, target, y, fold)
        kinds = KINDS if targets.shape[1] == 1 else _CLASSES
        found = [
            StackedRegression.fit(
                inputs, column, fold, seed + i, kinds=kinds,
                deadline=until(_LOCATED * (i + 1) / targets.shape[1]),
            )
            for i, column in enumerate(targets.T)
        ]  # fmt: skip
        locations = [model for model, _ in found]
        location = torch.stack([unseen for _, unseen in found], 1)
        background = numbers[:: max(1, len(numbers) // _BACKGROUND)][:_BACKGROUND].clone()
        if target.classes is not None:
            return cls(coder, locations, None, None, background, None), location, None
        knots = _knots(targets[:, 0], target.plain(y))
        if len(targets.unique()) == 2:  # what is expected of two values says how they vary
            return cls(coder, locations, None, None, background, knots), location, None
        error = (targets[:, 0] - location[:, 0]).abs()
        size = (error + _SMALLEST * error.mean() + 1e-12).log()
        spread, unseen = StackedRegression.fit(
            inputs, size, fold, seed, kinds=_SPREAD, deadline=until(_SPREADED)
        )
        ends = float(unseen.min()), float(unseen.max())
        return cls(coder, locations, spread, ends, background, knots), location, unseen

    def forward(self, numbers: Tensor) -> tuple[Tensor, Tensor | None]:
        """Locations (n, K), and logarithms of the spread (n,) or None, of rows (n, D)."""
        inputs = self.coder.of_numbers(numbers)
        location = torch.stack([model(inputs) for model in self.locations], 1)
        if self.spread is None or self.spread_range is None:
            return location, None
        return location, self.spread(inputs).clamp(*self.spread_range)

    def in_units(self, u: Tensor) -> Tensor:
        """Locations in the units of the target, by its quantiles; of classes as they are."""
        if self.knots is None:
            return u
        at, to = self.knots
        right = torch.searchsorted(at, u.contiguous()).clamp(1, len(at) - 1)
        share = (u - at[right - 1]) / (at[right] - at[right - 1])
        return to[right - 1] + share.clamp(-1, 2) * (to[right] - to[right - 1])

    def shapley_values(self, numbers: Tensor, k: int) -> Tensor:
        """Effects (n, D) of the coordinates of rows (n, D) on location k, in its units."""
        location = self.locations[k]
        values, _ = shapley_values(
            lambda points: self.in_units(location(self.coder.of_numbers(points))),
            numbers,
            self.background,
            seed=0,
        )
        return values

    def described(self) -> list[str]:
        """A text a location: the weights of its regressions."""
        texts = []
        for i, model in enumerate(cast("list[StackedRegression]", list(self.locations))):
            parts = zip(model.kinds, model.weight.tolist(), strict=True)
            shown = ", ".join(f"{weight:.2f} {kind}" for kind, weight in parts) or "the mean"
            texts.append(f"location{f' {i}' * (len(self.locations) > 1)}: {shown}")
        return texts

    def config(self) -> dict[str, Any]:
        """What beside the tensors of ``state_dict()`` rebuilds the regressions, as JSON has it."""
        return {
            "locations": [
                model.kinds for model in cast("list[StackedRegression]", list(self.locations))
            ],
            "spread": None if self.spread is None else self.spread.kinds,
            "spread_range": None if self.spread_range is None else list(self.spread_range),
        }

    @classmethod
    def from_state(
        cls, columns: Columns, target: Target, config: dict[str, Any], state: dict[str, Tensor]
    ) -> Self:
        """Rebuild from :meth:`config` and the tensors of ``state_dict()``.

        Raises:
            ValueError: for parts that do not belong together.
        """
        coder = InputCoder.from_state(columns, with_prefix(state, "coder."))
        none = coder.of_numbers(torch.zeros(0, len(coder.labels)).double())
        locations = [
            StackedRegression.from_state(kinds, with_prefix(state, f"locations.{i}."), none)
            for i, kinds in enumerate(config["locations"])
        ]
        if len(locations) != target.n_regressions:
            raise ValueError("a predictor has other regressions than its target asks")
        spread, ends, knots = None, None, None
        if target.classes is None:
            knots = state["knots"]
        if config["spread"] is not None:
            part = with_prefix(state, "spread.")
            spread = StackedRegression.from_state(config["spread"], part, none)
            low, high = config["spread_range"]
            ends = float(low), float(high)
        model = cls(coder, locations, spread, ends, state["background"], knots)
        model._check()
        return model

    def _check(self) -> None:
        """Refuse tensors that no fit has made, before the first prediction.

        Raises:
            ValueError: then.
        """
        if self.background.ndim != 2 or not bool(self.background.isfinite().all()):
            raise ValueError("the rows to compare with are no rows")
        if self.background.shape[1] != len(self.coder.labels):
            raise ValueError("the rows to compare with are of other inputs")
        if self.spread_range is not None and not self.spread_range[0] <= self.spread_range[1]:
            raise ValueError("the range of the spread ends before it begins")
        if self.knots is not None:
            if self.knots.ndim != 2 or len(self.knots) != 2 or self.knots.shape[1] < 1:
                raise ValueError("the quantiles of a target are none")
            if not bool(self.knots.isfinite().all() and (self.knots[0].diff() > 0).all()):
                raise ValueError("the quantiles of a target do not rise")
        location, _ = self(self.background.double())
        self.in_units(location[:, 0])


def _regressed(inputs: Inputs, target: Target, y: "pd.Series", fold: Tensor) -> Tensor:
    """The target as it is regressed, (n, K): bent to a normal one where that predicts better.

    Better is what a regression says of rows that it has not seen, errors being normal.
    """
    plain = target.numbers(y)
    bent = target.bent(y)
    if bent is None:
        return plain

    def log_prob(u: Tensor) -> float:
        _, unseen = StackedRegression.fit(inputs, u, fold, 0, kinds=("curves",))
        mean_square = float((u - unseen).square().mean())
        return -0.5 * math.log(mean_square) if mean_square > 0 else math.inf

    if log_prob(bent[0][:, 0]) + float(bent[1].mean()) > log_prob(plain[:, 0]):
        return bent[0]
    return plain


def _knots(u: Tensor, y: Tensor) -> Tensor:
    """Quantiles of regressed numbers and of the target, (2, K), those of the first rising."""
    level = torch.linspace(0, 1, _KNOTS, dtype=u.dtype)
    at, to = u.quantile(level), y.quantile(level)
    apart = torch.cat([torch.ones(1).bool(), at.diff() > 1e-9 * (at[-1] - at[0])])
    return torch.stack([at[apart], to[apart]])
