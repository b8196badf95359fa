"""Conditionals of mixtures of Gaussians behind marginal layers, in closed form.

Where ``p(x) = sum_c w_c N(m(x); mu_c, S_c) |m'(x)|`` the open coordinates given the others are
again such a mixture: component c counts with its density of what is given, and has mean
``mu_o + S_og S_gg^-1 (m_g - mu_g)`` and covariance ``S_oo - S_og S_gg^-1 S_go`` (Bishop, *Pattern
recognition and machine learning*, 2006, equations 2.81 and 2.82). Densities whose members have
marginal layers of their own are mixtures of these.
"""

from typing import cast

import torch
from torch import Tensor

from .any_density import Density
from .mixture_density import MixtureDensity
from .numerics import alike, normal_log_prob
from .row_noise import RowNoise
from .sliced_density import SlicedDensity

__all__ = ["GaussianConditional"]

_LEAST = 1e-12  # of the variance of a coordinate, what is left of it given the others


class GaussianConditional:
    """Conditionals of a density that has closed forms; build it with :meth:`of`.

    Args:
        members: densities without flows, and the logarithms of their shares.
    """

    def __init__(self, members: list[tuple[float, SlicedDensity]]) -> None:
        self.members = members

    @classmethod
    def of(cls, density: Density) -> "GaussianConditional | None":
        """That of a density, or None where it has flows or values of lists."""
        found = _members(density, 0.0)
        return None if found is None else cls(found)

    def log_prob(self, x: Tensor, given: Tensor) -> Tensor:
        """Log density of the given coordinates of points, (n,).

        Args:
            x: (n, D), with anything in the open coordinates.
            given: (n, D) bool, or (D,) where it is the same of all.
        """
        return self._log_terms(x, given.expand_as(x)).logsumexp(1)

    def sample(self, x: Tensor, given: Tensor, noise: RowNoise) -> Tensor:
        """Draw the open coordinates of points given the others: (n, D) to (n, D).

        Args:
            x, given: as of :meth:`log_prob`.
            noise: of the n points.
        """
        given = given.expand_as(x)
        which = noise.choice(self._log_terms(x, given).softmax(1))
        normal, result, first = noise.normal(x.shape[1]), x.clone(), 0
        for _, density in self.members:
            count = len(density.log_weight)
            rows = torch.nonzero((which >= first) & (which < first + count))[:, 0]
            own, known = _behind(density, x[rows]), given[rows]
            component = which[rows] - first
            for same, pattern in alike(known):
                for c in component[same].unique().tolist():
                    at = same[component[same] == c]
                    mean, gain, factor = _conditional(density, c, pattern)
                    y = own[at]
                    centre = mean[~pattern] + (y[:, pattern] - mean[pattern]) @ gain.T
                    y[:, ~pattern] = centre + normal[rows[at]][:, ~pattern] @ factor.T
                    own[at] = y
            if density.margins is not None:
                own = density.margins.inverse(own.T.contiguous()).T
            result[rows] = torch.where(known, x[rows], own)
            first += count
        return result

    def _log_terms(self, x: Tensor, given: Tensor) -> Tensor:
        """Log of weight times density of what is given, of every component of all: (n, C)."""
        parts = []
        for log_share, density in self.members:
            terms = (density.log_weight + log_share).repeat(len(x), 1)
            if bool(given.any()):
                y = x
                if density.margins is not None:
                    latent, slope = density.margins.slopes(x.T.contiguous())
                    y = latent.T
                    terms += torch.where(given, slope.T, 0.0).sum(1, keepdim=True)
                for rows, own in alike(given):
                    for c in range(terms.shape[1]):
                        factor = torch.linalg.cholesky(_covariance(density, c)[own][:, own])
                        off = (y[rows][:, own] - density.mean[c][own]).T
                        white = torch.linalg.solve_triangular(factor, off, upper=False)
                        log_det = factor.diagonal().log().sum()
                        terms[rows, c] += normal_log_prob(white, dim=0) - log_det
            parts.append(terms)
        return torch.cat(parts, 1)


def _members(density: Density, log_share: float) -> list[tuple[float, SlicedDensity]] | None:
    if isinstance(density, MixtureDensity):
        found = []
        for share, member in zip(density.log_share.tolist(), density.members, strict=True):
            own = _members(cast(Density, member), log_share + share)
            if own is None:
                return None
            found += own
        return found
    if isinstance(density, SlicedDensity) and density.flow is None and density.ends is None:
        return [(log_share, density)]
    return None


def _behind(density: SlicedDensity, x: Tensor) -> Tensor:
    """Points (n, D) behind the marginal layer of a density."""
    if density.margins is None:
        return x.clone()
    return density.margins(x.T.contiguous())[0].T.clone()


def _covariance(density: SlicedDensity, c: int) -> Tensor:
    factor = density.spread[c] * density.factor[c]
    return factor @ factor.T


def _conditional(density: SlicedDensity, c: int, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (D,) of a component, gain (o, g) and lower factor (o, o) of its conditional."""
    covariance, mean = _covariance(density, c), density.mean[c]
    open_ = covariance[~given][:, ~given]
    if not bool(given.any()):
        return mean, open_[:, :0], torch.linalg.cholesky(open_)
    factor = torch.linalg.cholesky(covariance[given][:, given])
    gain = torch.cholesky_solve(covariance[given][:, ~given], factor).T
    left = open_ - gain @ covariance[given][:, ~given]
    left = 0.5 * (left + left.T) + torch.diag(_LEAST * open_.diagonal())
    return mean, gain, torch.linalg.cholesky(left)
