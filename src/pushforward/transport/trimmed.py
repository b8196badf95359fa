"""An outlier score from training rows that hold outliers themselves.

Two mixtures of Gaussians, one of the coordinates and one behind a marginal layer, each fitted
to its own most likely half of the rows and re-trimmed until it settles (the concentration
steps of Rousseeuw & Van Driessen, *A fast algorithm for the minimum covariance determinant
estimator*, 1999, with a mixture in place of one Gaussian). The score is the mean of the two log
densities: a row has to fit both as a point and by its ranks. Outliers that crowd together more
closely than the rest are dense, and no density can tell them from the core.
"""

import math

import torch
from torch import Tensor, nn

from .density import Component, SlicedDensity
from .mixture import GaussianMixture
from .rows import Rows

__all__ = ["TrimmedPair", "held_out_normal"]

_COMPONENTS = 8
_SHRINKAGE = 4.0  # rows of prior weight a coordinate
_DIAGONAL = 0.3
_STEPS = 5
_CORE = 0.5
_FOLDS = 3


class TrimmedPair(nn.Module):
    """Score of rows by two trimmed densities; build it with :meth:`fit`.

    Args:
        plain: density of the coordinates.
        marginal: density behind a marginal layer.
    """

    def __init__(self, plain: SlicedDensity, marginal: SlicedDensity) -> None:
        super().__init__()
        self.plain, self.marginal = plain, marginal

    @classmethod
    def fit(cls, rows: Rows, seed: int = 0) -> "TrimmedPair":
        """Fit both densities to the core of ``rows``."""
        margins = rows.fit_margins()
        plain = SlicedDensity.assemble(_core(rows, seed))
        return cls(plain, SlicedDensity.assemble(_core(rows.through(margins), seed), margins))

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "TrimmedPair":
        """Rebuild from the tensors of ``state_dict()``."""
        plain, marginal = (
            SlicedDensity.from_state(
                {k.removeprefix(p): v for k, v in state.items() if k.startswith(p)}
            )
            for p in ("plain.", "marginal.")
        )
        return cls(plain, marginal)

    def score(self, x: Tensor, log_det: Tensor | float = 0.0) -> Tensor:
        """Mean of the two log densities in nats: (n, d) -> (n,).

        Args:
            x: coordinates.
            log_det: (n,) log-determinants that carry densities to the units of the table.
        """
        return 0.5 * (self.plain.log_prob(x) + self.marginal.log_prob(x)) + log_det

    def inliers(self, scores: Tensor, contamination: float | None) -> Tensor:
        """Which training rows to keep: bool (n,).

        Args:
            scores: their :meth:`score`.
            contamination: share to leave out; None leaves out what lies more than six
                deviations of the better half below the median.
        """
        if contamination is not None:
            return scores > torch.quantile(scores, contamination)
        median = scores.median()
        spread = (torch.quantile(scores, 0.75) - median) / 0.6745
        return scores >= median - 6 * spread


def held_out_normal(rows: Rows, least: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Scores of the normal rows by pairs that did not see them, for a threshold.

    Rows are held out in folds, copies of a row in one. Which rows are normal is counted, not
    cut: the cut of :meth:`TrimmedPair.inliers` takes the ends of long tails with it. What is
    beyond it is taken to go on falling as the counts between four and six and between two and
    four deviations do, where these are enough rows to say.

    Args:
        rows: training rows, outliers among them.
        least: number of rows that are normal by :meth:`TrimmedPair.inliers`.
        seed: of the folds and the fits.

    Returns:
        Indices of the normal rows, the best first, and their scores without log-determinants.
    """
    n = len(rows)
    values, copy = rows._keys().unique(return_inverse=True)
    generator = torch.Generator().manual_seed(seed)
    fold = torch.randperm(len(values), generator=generator)[copy] % _FOLDS
    scores = torch.empty(n, dtype=torch.float64)
    for f in fold.unique():
        out = torch.nonzero(fold == f)[:, 0]
        rest = torch.nonzero(fold != f)[:, 0]
        if len(rest) < 2:
            return torch.arange(n), TrimmedPair.fit(rows, seed).score(rows.x)
        scores[out] = TrimmedPair.fit(rows.take(rest), seed).score(rows.x[out])
    ordered, best = scores.sort(descending=True)
    count = n
    for _ in range(20):
        median, upper = ordered[(count - 1) // 2], ordered[(count - 1) // 4]
        depth = (median - ordered) / ((upper - median).clamp_min(1e-12) / 0.6745)
        near, mid = (int(((depth > a) & (depth <= a + 2)).sum()) for a in (4, 2))
        kept = int((depth <= 6).sum())
        falls = mid - near > 2 * math.sqrt(mid + near)
        beyond = round(near * near / (mid - near)) if falls else 0
        previous, count = count, max(least, min(n, kept + beyond))
        if count == previous:
            break
    return best[:count], ordered[:count]


def _core(rows: Rows, seed: int) -> list[Component]:
    n, d = rows.x.shape
    keep = torch.arange(n)
    mixture: GaussianMixture | None = None
    for _ in range(_STEPS + 1):
        core = rows.take(keep)
        mixture = GaussianMixture.fit(
            core.x,
            max(1, min(_COMPONENTS, len(core) // 20)),
            shrinkage=_SHRINKAGE * d,
            diagonal=_DIAGONAL,
            weight=core.weight,
            iterations=50,
            tolerance=1e-3,
            seed=seed,
        )
        order = (mixture.log_prob(rows.x) + rows.log_det).argsort(descending=True)
        keep = order[: max(2, round(_CORE * n))]
    assert mixture is not None
    return [
        Component(float(w), mixture.mean[c], mixture.factor[c], [])
        for c, w in enumerate(mixture.log_weight)
    ]
