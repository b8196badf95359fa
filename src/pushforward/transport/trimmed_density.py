"""An outlier score fitted to rows that hold outliers themselves.

Two mixtures of Gaussians, one of the coordinates and one behind a marginal layer, each fitted
to its own most likely half of the rows and re-trimmed until it settles (the concentration
steps of Rousseeuw & Van Driessen, *A fast algorithm for the minimum covariance determinant
estimator*, 1999, with a mixture in place of one Gaussian). A row has to fit both as a point and by
its ranks: the score is the mean of the two log densities, each on the scale of its p-values
(:mod:`.log_p_values`), because long tails would let the first speak alone. Outliers that crowd
together more closely than the rest are dense, and no density can tell them from the core.

A value that half of the rows share can fill the core alone. Its coordinate then has no width
there, and every row with another value is taken to be infinitely far away, although a rare group
is no outlier ("exact fit" in robust statistics). Such coordinates are blurred by part of their
deviation over all rows, as Boudt et al., *The minimum regularized covariance determinant
estimator* (2020), pull the covariance of the core to that of all rows.
"""

import math

import torch
from torch import Tensor, nn

from .log_p_values import check_levels, log_p_values, score_levels
from .mixture import GaussianMixture
from .rows import Rows
from .sliced_density import Component, SlicedDensity

__all__ = ["TrimmedPair", "held_out_normal"]

_COMPONENTS = 8
_SHRINKAGE = 4.0  # rows of prior weight a coordinate
_DIAGONAL = 0.3
_STEPS = 5
_CORE = 0.5
_BLUR = 0.5  # deviations of all rows, where one value can fill the core
_FOLDS = 10  # a pair that saw much fewer rows than the one that is used scores worse
_FOLDS_OF_FEW, _FEW = 20, 200  # where a tenth of the rows is much
_FOLDS_OF_MANY, _MANY = 3, 2000  # where a third of the rows hardly matters
_NEAR = 6.0  # deviations below the median within which no row is an outlier
_SIGNIFICANT = 3.0  # standard errors by which the number of rows has to rise


class TrimmedPair(nn.Module):
    """Score of rows by two trimmed densities; build it with :meth:`fit`.

    Args:
        plain: density of the coordinates.
        marginal: density behind a marginal layer.
        level, scale: of the log densities of the rows of the fit, by :func:`.score_levels`; None
            in detectors of earlier versions, whose score is the mean of the log densities.
    """

    level: Tensor | None
    scale: Tensor | None

    def __init__(
        self,
        plain: SlicedDensity,
        marginal: SlicedDensity,
        level: Tensor | None = None,
        scale: Tensor | None = None,
    ) -> None:
        super().__init__()
        if level is not None and scale is not None:
            check_levels(level, scale, 2)
        self.plain, self.marginal = plain, marginal
        self.register_buffer("level", level)
        self.register_buffer("scale", scale)

    @classmethod
    def fit(cls, rows: Rows, seed: int = 0, components: int | None = None) -> "TrimmedPair":
        """Fit both densities to the core of ``rows``.

        Args:
            rows: training rows.
            seed: of the mixtures.
            components: Gaussians in each; None takes as many as the core supports.
        """
        components = components or _supported(len(rows))
        margins = rows.fit_margins()
        filled = rows.commonest() >= _CORE
        plain, inner = (_core(r, components, filled, seed) for r in (rows, rows.through(margins)))
        pair = cls(SlicedDensity.assemble(plain), SlicedDensity.assemble(inner, margins))
        level, scale = score_levels([*pair._views(rows.x, rows.log_det)])
        return cls(pair.plain, pair.marginal, level, scale)

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "TrimmedPair":
        """Rebuild from the tensors of ``state_dict()``."""
        plain, marginal = (
            SlicedDensity.from_state(
                {k.removeprefix(p): v for k, v in state.items() if k.startswith(p)}
            )
            for p in ("plain.", "marginal.")
        )
        return cls(plain, marginal, state.get("level"), state.get("scale"))

    def score(self, x: Tensor, log_det: Tensor) -> Tensor:
        """Mean log p-value of the two densities, in nats: (n,), higher is more normal.

        Args:
            x: (n, d) coordinates.
            log_det: (n,) log-determinants that carry densities to the units of the table.
        """
        views = self._views(x, log_det)
        if self.level is None or self.scale is None:
            return views.mean(0)
        return log_p_values(views, self.level, self.scale).mean(0)

    def log_density(self, x: Tensor, log_det: Tensor) -> Tensor:
        """Mean of the two log densities in nats, (n,), of the same arguments."""
        return self._views(x, log_det).mean(0)

    def _views(self, x: Tensor, log_det: Tensor) -> Tensor:
        return torch.stack([self.plain.log_prob(x), self.marginal.log_prob(x)]) + log_det


def held_out_normal(rows: Rows, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The rows that are normal, and their scores by pairs fitted without them.

    Rows are held out in folds, copies of a row in one. A long tail of scores is no sign of
    outliers: rows without any have one where columns are skewed or groups are rare. Outliers are
    taken to be there only where they lie apart: where the number of rows an octave of depth below
    the median rises again, significantly, beyond six deviations of the better half. What is
    deeper than the lowest octave before that rise is left out.

    Args:
        rows: training rows, which may hold outliers.
        seed: of the folds and the fits.

    Returns:
        Indices of the normal rows, rising, and their scores.
    """
    density, scores = torch.empty_like(rows.log_det), torch.empty_like(rows.log_det)
    count = _FOLDS_OF_FEW if len(rows) < _FEW else _FOLDS
    fold = rows.folds(count if len(rows) < _MANY else _FOLDS_OF_MANY, seed)
    for f in fold.unique():
        out, rest = (torch.nonzero(which)[:, 0] for which in (fold == f, fold != f))
        # as many Gaussians as the pair of all rows has: one more or less is another scale
        pair = TrimmedPair.fit(rows.take(rest), seed, _supported(len(rows)))
        density[out] = pair.log_density(rows.x[out], rows.log_det[out])
        scores[out] = pair.score(rows.x[out], rows.log_det[out])
    ordered = density.sort(descending=True).values
    median, upper = ordered[(len(rows) - 1) // 2], ordered[(len(rows) - 1) // 4]
    depth = (median - density) / ((upper - median).clamp_min(1e-12) / 0.6745)
    normal = torch.nonzero(depth <= _gap(depth))[:, 0]
    return normal, scores[normal]


def _gap(depth: Tensor) -> float:
    """Depth that parts outliers from normal rows; infinite where there are none."""
    octave = (depth[depth > _NEAR].clamp_max(1e300) / _NEAR).log2().floor().long()
    count = torch.bincount(octave).double()
    most, gap = _SIGNIFICANT, math.inf
    for low in range(len(count) - 1):
        later = count[low + 1 :].max()
        rise = float((later - count[low]) / (later + count[low]).clamp_min(1).sqrt())
        if rise > most:
            most, gap = rise, _NEAR * 2 ** (low + 0.5)
    return gap


def _supported(n: int) -> int:
    """How many Gaussians the core of so many rows supports."""
    return max(1, min(_COMPONENTS, round(_CORE * n) // 20))


def _core(rows: Rows, components: int, filled: Tensor, seed: int) -> list[Component]:
    """A mixture of the most likely half; ``filled`` (d,) says which coordinates are blurred."""
    n, d = rows.x.shape
    blur = torch.diag(torch.where(filled, (_BLUR * rows.x.std(0)).square(), 0.0))
    keep = torch.arange(n)
    mixture: GaussianMixture | None = None
    for _ in range(_STEPS + 1):
        core = rows.take(keep)
        mixture = GaussianMixture.fit(
            core.x,
            components,
            shrinkage=_SHRINKAGE * d,
            diagonal=_DIAGONAL,
            weight=core.weight,
            iterations=50,
            tolerance=1e-3,
            seed=seed,
        )
        if bool(filled.any()):
            covariance = mixture.factor @ mixture.factor.mT + blur
            factor = torch.linalg.cholesky(covariance)
            mixture = GaussianMixture(mixture.log_weight, mixture.mean, factor)
        order = (mixture.log_prob(rows.x) + rows.log_det).argsort(descending=True)
        keep = order[: max(2, round(_CORE * n))]
    assert mixture is not None
    return [
        Component(float(w), mixture.mean[c], mixture.factor[c], [])
        for c, w in enumerate(mixture.log_weight)
    ]
