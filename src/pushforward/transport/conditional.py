"""The conditional distribution of one discrete value: trees mixed with a logistic regression.

Trees see any dependence, but blur those that are weak or spread over many columns, where a
logistic regression is best, of many ordered values one along their scores; their mixture
``w P_trees + (1 - w) P_logits`` (stacking: Wolpert, *Stacked generalization*, 1992) is as good as
the better of the two by held-out likelihood. Of choices within one standard error of the best, the
one that blurs least is taken.
"""

import torch
from torch import Tensor, nn

from .conditional_trees import ConditionalTrees
from .logistic_regression import Logits
from .numerics import with_prefix

__all__ = ["Conditional"]

_TREES = 12
_FEW_TREES = 3  # of the fits that choose
_LEAVES = (20, 5, 2)  # fewest rows of a leaf
_SMOOTHING = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # m, pseudo-counts of the node above
_STRENGTHS = (0.003, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # variance of a regression's weights
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the trees
_MOST = 12  # ordered values that have weights of their own; more are tilted along scores


class Conditional(nn.Module):
    """P(value | others) for whole numbers 0 to V - 1; build it with :meth:`fit`.

    Buffers: ``share`` () of the trees; the rest is that of the regression, where there is one.
    """

    share: Tensor

    def __init__(self, share: Tensor, trees: ConditionalTrees, logits: Logits | None) -> None:
        super().__init__()
        self.register_buffer("share", share)
        self.trees, self.logits = trees, logits

    @classmethod
    def fit(
        cls,
        features: Tensor,
        basis: Tensor,
        value: Tensor,
        base: Tensor,
        *,
        ordered: bool,
        split: tuple[Tensor, Tensor],
        seed: int,
        quick: bool = False,
    ) -> "Conditional":
        """Choose by held-out likelihood, and fit.

        Args:
            features: (n, F) float32, what trees see; F may be 0.
            basis: (n, B) float32, what the regression sees.
            value: (n,) int64 in [0, V).
            base: (V,) float64, the margin: positive, sums to one.
            ordered: whether neighbouring values are alike.
            split: indices of rows that choosing fits on, and of rows it holds out.
            seed: of everything random.
            quick: few trees and little tried, to see what could be had.
        """
        one = torch.ones((), dtype=torch.float64)

        def trees(leaf: int, m: float, count: int) -> ConditionalTrees:
            return ConditionalTrees.fit(
                features, value, base,
                ordered=ordered, leaf=leaf, strength=m, count=count, seed=seed,
            )  # fmt: skip

        train, out = split
        if features.shape[1] == 0 or len(value) < 10:
            return cls(one, trees(1, 1.0, 0), None)
        leaves = _LEAVES[:2] if quick else _LEAVES
        by_trees = ConditionalTrees.held_out(
            features, value, base,
            ordered=ordered, leaves=leaves, strengths=_SMOOTHING, split=split,
            count=_FEW_TREES, seed=seed,
        )  # fmt: skip
        strength, by_logits = None, None
        tilted = ordered and len(value.unique()) > _MOST
        if len(value[train].unique()) > 1:
            tried = (1.0,) if quick else _STRENGTHS
            fitted = Logits.path(
                basis[train], value[train], base, tried, seed, tilted=tilted, quick=quick
            )
            log_p = torch.stack([one.log_prob(basis[out], value[out]) for one in fitted])
            place = _least_shrunk(log_p)
            strength, by_logits = tried[place], log_p[place].exp()
        leaf, m, w = _chosen(by_trees, by_logits)
        logits = None
        if strength is not None and w < 1:
            (logits,) = Logits.path(
                basis, value, base, (strength,), seed, tilted=tilted, quick=quick
            )
        count = (_FEW_TREES if quick else _TREES) if w > 0 else 0
        return cls(w * one, trees(leaves[leaf], _SMOOTHING[m], count), logits)

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "Conditional":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        share = state["share"]
        trees = ConditionalTrees.from_state(with_prefix(state, "trees."))
        parts = with_prefix(state, "logits.")
        logits = Logits.from_state(parts) if parts else None
        if share.shape != () or not 0 <= float(share) <= 1 or (logits is None and share < 1):
            raise ValueError("a mixture of trees and a regression has shares that are none")
        if logits is not None and len(logits.base) != len(trees.base):
            raise ValueError("trees and regression are of different values")
        return cls(share, trees, logits)

    def log_prob(self, features: Tensor, basis: Tensor, value: Tensor) -> Tensor:
        """Log probability of the values: (n, F), (n, B) and (n,) int64 -> (n,) float64."""
        if self.logits is None:
            return self.trees.log_prob(features, value)
        log_p = (1 - self.share).log() + self.logits.log_prob(basis, value)
        if self.share == 0:
            return log_p
        return torch.logaddexp(log_p, self.share.log() + self.trees.log_prob(features, value))

    def sample(
        self, features: Tensor, basis: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw a value for each row: (n, F) and (n, B) -> (n,) int64."""
        if self.logits is None:
            return self.trees.sample(features, generator)
        by_trees = torch.rand(len(features), generator=generator) < self.share
        value = torch.empty(len(features), dtype=torch.long)
        if bool(by_trees.any()):
            value[by_trees] = self.trees.sample(features[by_trees], generator)
        if not bool(by_trees.all()):
            value[~by_trees] = self.logits.sample(basis[~by_trees], generator)
        return value


def _least_shrunk(log_p: Tensor) -> int:
    """Of regressions (k, n), from the most shrunk to the least, the last that is among the best.

    What shrinks takes dependence from samples, so that of those which held-out rows cannot tell
    apart the least shrunk is taken.
    """
    return int(torch.nonzero(_among_best(log_p))[-1])


def _chosen(by_trees: Tensor, by_logits: Tensor | None) -> tuple[int, int, float]:
    """Places of leaf and smoothing in (L, S, m), and the share of trees.

    For each share the best leaf and smoothing; then the smallest share that is among the best,
    since trees blur what the regression has.
    """
    shares = _SHARES if by_logits is not None else (1.0,)
    places, scores = [], []
    for share in shares:
        p = share * by_trees
        if by_logits is not None:
            p = p + (1 - share) * by_logits
        log_p = p.log()
        place = divmod(int(log_p.mean(2).argmax()), log_p.shape[1])
        places.append(place)
        scores.append(log_p[place])
    first = int(torch.nonzero(_among_best(torch.stack(scores)))[0])
    return *places[first], shares[first]


def _among_best(log_p: Tensor) -> Tensor:
    """Which of k choices (k, n) are within a standard error of the best, which itself is: (k,).

    Breiman et al., *Classification and Regression Trees*, 1984, section 3.4.3.
    """
    gap = log_p[log_p.mean(1).argmax()] - log_p
    return gap.mean(1) <= gap.std(1).nan_to_num() / log_p.shape[1] ** 0.5
