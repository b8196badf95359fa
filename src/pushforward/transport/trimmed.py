"""An outlier score from training rows that hold outliers themselves.

Two mixtures of Gaussians, one of the coordinates and one behind a marginal layer, each fitted
to its own most likely half of the rows and re-trimmed until it settles (the concentration
steps of Rousseeuw & Van Driessen, *A fast algorithm for the minimum covariance determinant
estimator*, 1999, with a mixture in place of one Gaussian). The score is the mean of the two log
densities: a row has to fit both as a point and by its ranks. Outliers that crowd together more
closely than the rest are dense, and no density can tell them from the core.
"""

import torch
from torch import Tensor, nn

from .density import Component, SlicedDensity
from .mixture import GaussianMixture
from .rows import Rows

__all__ = ["TrimmedPair"]

_COMPONENTS = 8
_SHRINKAGE = 4.0  # rows of prior weight a coordinate
_DIAGONAL = 0.3
_STEPS = 5
_CORE = 0.5


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

    def score(self, x: Tensor) -> Tensor:
        """Mean of the two log densities in nats: (n, d) -> (n,)."""
        return 0.5 * (self.plain.log_prob(x) + self.marginal.log_prob(x))

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
