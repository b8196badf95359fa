"""Novelty detection: an outlier score fitted to rows that hold no outliers.

A density finds what is rare under it and nothing else: a mixture in the coordinates of the
table misses rows that are odd only by their ranks, and every smooth density misses the gaps
between clusters. Three views of a row are therefore put on one scale, the logarithm of their
p-value among normal rows (:mod:`.log_p_values`), and averaged, weighted as in Good (*On the
weighted combination of significance tests*, 1955):

1. its log density by mixtures of Gaussians, averaged over re-drawn splits;
2. how much thinner its neighbourhood is than that of its neighbours, behind a marginal layer:
   the local outlier factor of Breunig, Kriegel, Ng & Sander (*LOF: identifying density-based
   local outliers*, 2000, definitions 5-7) among ranks;
3. its log density were the columns independent: extreme in many columns, whichever they are.

The first speaks for the table as a whole and has two thirds of the weight; the others add what
it lacks.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .log_p_values import check_levels, log_p_values, score_levels
from .mixture import GaussianMixture
from .rows import Rows
from .sliced_density import Component, SlicedDensity

__all__ = ["Novelty"]

_WEIGHT = (6 / 9, 2 / 9, 1 / 9)
_REFITS = 5  # mixtures on re-drawn splits, averaged
_HELD_OUT = 0.2
_FOLDS = 5  # that the scores of normal rows are cross-fitted in
_MOST_COMPONENTS = 16
_ROWS_A_COMPONENT = 15
_SHRINKAGE = 1.0  # rows of prior weight a coordinate; the prior has no correlations
_NEIGHBOURS = 10
_MOST_REFERENCES = 8192
_VIEWS = len(_WEIGHT)
_BLOCK = 512


class Novelty(nn.Module):
    """Mean log p-value of three views of a row; build it with :meth:`fit`.

    Args:
        joint: density of the coordinates.
        marginal: density of independent coordinates: a marginal layer and a standard normal.
        reference: (m, d) training rows behind that layer.
        level: (3, q) scores of normal rows, rising: their quantiles from the tail upwards.
        scale: (3,) mean shortfall of the scores in the tail.
    """

    reference: Tensor
    level: Tensor
    scale: Tensor

    def __init__(
        self,
        joint: SlicedDensity,
        marginal: SlicedDensity,
        reference: Tensor,
        level: Tensor,
        scale: Tensor,
    ) -> None:
        super().__init__()
        sizes = (joint.dimension, marginal.dimension, reference.shape[1])
        if marginal.margins is None or len({*sizes}) > 1 or len(reference) < 2:
            raise ValueError("the views of the detector do not belong together")
        check_levels(level, scale, _VIEWS)
        self.joint, self.marginal = joint, marginal
        self.register_buffer("reference", reference)
        self.register_buffer("level", level)
        self.register_buffer("scale", scale)
        self._neighbours = _Neighbours(reference)

    @classmethod
    def fit(cls, rows: Rows, seed: int = 0) -> tuple["Novelty", Tensor]:
        """Fit all views to normal rows.

        Returns:
            The detector, and (n,) scores of the rows by detectors fitted without them: what new
            normal rows score.
        """
        components = _supported(rows, seed)
        scores = torch.empty_like(rows.log_det)
        fold = rows.folds(_FOLDS, seed)
        for f in fold.unique():
            out, rest = (torch.nonzero(which)[:, 0] for which in (fold == f, fold != f))
            # with one Gaussian more or less, p-values far out are on another scale
            detector = cls._of(rows.take(rest), components, seed)
            scores[out] = detector.score(rows.x[out], rows.log_det[out])
        return cls._of(rows, components, seed), scores

    @classmethod
    def _of(cls, rows: Rows, components: int, seed: int) -> "Novelty":
        n, d = rows.x.shape
        splits = _splits(rows, seed)
        joint, first = _refits(rows, splits, components, seed)
        independent = Component(0.0, torch.zeros(d).double(), torch.eye(d).double(), [])
        marginal = SlicedDensity.assemble([independent], rows.fit_margins())
        third = marginal.log_prob(rows.x) + rows.log_det
        inner = _scores(marginal, rows.x)
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        chosen, rest = order[:_MOST_REFERENCES], order[_MOST_REFERENCES:]
        neighbours = _Neighbours(inner[chosen])
        second = torch.empty_like(third)
        second[chosen] = neighbours.score(inner[chosen], itself=True)
        second[rest] = neighbours.score(inner[rest])

        level, scale = score_levels([first, second, third])
        return cls(joint, marginal, inner[chosen], level, scale)

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "Novelty":
        """Rebuild from the tensors of ``state_dict()``."""
        joint, marginal = (
            SlicedDensity.from_state(
                {k.removeprefix(p): v for k, v in state.items() if k.startswith(p)}
            )
            for p in ("joint.", "marginal.")
        )
        parts = [state[name] for name in ("reference", "level", "scale")]
        if not bool(parts[0].isfinite().all()):
            raise ValueError("the detector holds values that are not finite")
        return cls(joint, marginal, *parts)

    def score(self, x: Tensor, log_det: Tensor) -> Tensor:
        """Mean log p-value of the views, in nats; higher is more normal.

        Args:
            x: (n, d) coordinates.
            log_det: (n,) log-determinants of the coordinates.
        """
        views = [
            self.joint.log_prob(x) + log_det,
            self._neighbours.score(_scores(self.marginal, x)),
            self.marginal.log_prob(x) + log_det,
        ]
        weight = torch.tensor(_WEIGHT, dtype=torch.float64)
        return weight @ log_p_values(torch.stack(views), self.level, self.scale)


class _Neighbours:
    """Local outlier factors with respect to reference rows (m, d)."""

    def __init__(self, reference: Tensor) -> None:
        self.reference = reference
        self.count = min(_NEIGHBOURS, len(reference) - 1)
        distance, near = self._nearest(reference, itself=True)
        self.reach = distance[:, -1]
        self.density = self._density(distance, near)

    def score(self, x: Tensor, *, itself: bool = False) -> Tensor:
        """Minus the local outlier factor: (n, d) -> (n,), near -1 where density is even.

        Args:
            x: rows.
            itself: whether they are the reference rows, which are no neighbours of their own.
        """
        distance, near = self._nearest(x, itself=itself)
        return -self.density[near].mean(1) / self._density(distance, near)

    def _density(self, distance: Tensor, near: Tensor) -> Tensor:
        """Local reachability density; copies of a row keep it finite by a small distance."""
        return 1 / (torch.maximum(distance, self.reach[near]).mean(1) + 1e-10)

    def _nearest(self, x: Tensor, *, itself: bool) -> tuple[Tensor, Tensor]:
        """Distances and indices (n, k) of the nearest reference rows."""
        parts = [
            self._nearest_of(x[i : i + _BLOCK], i if itself else None) for i in _starts(len(x))
        ]
        if not parts:
            return x.new_zeros(0, self.count), torch.zeros(0, self.count, dtype=torch.long)
        distance, near = (torch.cat(part) for part in zip(*parts, strict=True))
        return distance, near

    def _nearest_of(self, x: Tensor, own: int | None) -> tuple[Tensor, Tensor]:
        distance = torch.cdist(x, self.reference)
        if own is not None:
            distance.diagonal(own).fill_(torch.inf)
        distance, near = distance.topk(self.count, largest=False)
        return distance, near


def _starts(n: int) -> Iterator[int]:
    yield from range(0, n, _BLOCK)


def _scores(marginal: SlicedDensity, x: Tensor) -> Tensor:
    """Normal scores of the coordinates, what the marginal layer makes of them: (n, d)."""
    return marginal.to_latent(x, torch.zeros(len(x), dtype=torch.long))


def _splits(rows: Rows, seed: int) -> list[tuple[Tensor, Tensor]]:
    """Indices of rows to fit on and to hold out, drawn anew for each of the mixtures."""
    count = max(2, round(_HELD_OUT * len(rows)))
    return [rows.split(count, seed + i) for i in range(_REFITS)]


def _refits(
    rows: Rows, splits: list[tuple[Tensor, Tensor]], components: int, seed: int
) -> tuple[SlicedDensity, Tensor]:
    """Average of mixtures on all splits, and log densities of the rows each left out."""
    gaussians: list[Component] = []
    scores: list[Tensor] = []
    for i, (train, out) in enumerate(splits):
        mixture, held_out = _mixture(rows.take(train), components, seed + i), rows.take(out)
        gaussians += [
            Component(float(w), mixture.mean[c], mixture.factor[c], [])
            for c, w in enumerate(mixture.log_weight)
        ]
        scores.append(mixture.log_prob(held_out.x) + held_out.log_det)
    return SlicedDensity.assemble(gaussians), torch.cat(scores)


def _supported(rows: Rows, seed: int) -> int:
    """The number of Gaussians whose held-out density on the first split is highest."""
    train, out = _splits(rows, seed)[0]
    fitting, held_out = rows.take(train), rows.take(out)

    def held_out_density(count: int) -> float:
        mixture = _mixture(fitting, count, seed)
        return float(held_out.mean(mixture.log_prob(held_out.x)))

    best, value, count, falls = 1, held_out_density(1), 2, 0
    while count <= min(_MOST_COMPONENTS, fitting.distinct() // _ROWS_A_COMPONENT) and falls < 2:
        if (trial := held_out_density(count)) > value:
            best, value, falls = count, trial, 0
        else:
            falls += 1
        count *= 2
    return best


def _mixture(rows: Rows, components: int, seed: int) -> GaussianMixture:
    return GaussianMixture.fit(
        rows.x,
        components,
        shrinkage=_SHRINKAGE * rows.x.shape[1],
        diagonal=1.0,
        weight=rows.weight,
        iterations=40,
        tolerance=1e-3,
        seed=seed,
    )
