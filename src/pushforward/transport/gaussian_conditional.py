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
from .numerics import normal_log_prob
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
        """Log density of the given coordinates of points: (n, D) and (D,) bool to (n,)."""
        return self._log_terms(x, given).logsumexp(1)

    def sample(self, x: Tensor, given: Tensor, noise: RowNoise) -> Tensor:
        """Draw the open coordinates of points given the others: (n, D) to (n, D)."""
        terms = self._log_terms(x, given)
        which = noise.choice(terms.softmax(1))
        normal = noise.normal(int((~given).sum()))
        result, first = x.clone(), 0
        for _, density in self.members:
            y = _behind(density, x)
            for c in range(len(density.log_weight)):
                rows = which == first + c
                if not bool(rows.any()):
                    continue
                mean, gain, factor = _conditional(density, c, given)
                own = y[rows]
                centre = mean[~given] + (own[:, given] - mean[given]) @ gain.T
                own[:, ~given] = centre + normal[rows] @ factor.T
                drawn = own
                if density.margins is not None:
                    drawn = density.margins.inverse(own.T.contiguous()).T
                points = result[rows]
                points[:, ~given] = drawn[:, ~given]
                result[rows] = points
            first += len(density.log_weight)
        return result

    def _log_terms(self, x: Tensor, given: Tensor) -> Tensor:
        """Log of weight times density of what is given, of every component of all: (n, C)."""
        parts = []
        for log_share, density in self.members:
            own = density.log_weight + log_share
            if not bool(given.any()):
                parts.append(own.expand(len(x), -1))
                continue
            y, slope = _behind(density, x)[:, given], x.new_zeros(len(x))
            if density.margins is not None:
                slope = density.margins.slopes(x.T.contiguous())[1][given].sum(0)
            terms = []
            for c, log_weight in enumerate(own):
                covariance = _covariance(density, c)[given][:, given]
                factor = torch.linalg.cholesky(covariance)
                off = (y - density.mean[c][given]).T
                white = torch.linalg.solve_triangular(factor, off, upper=False)
                log_det = factor.diagonal().log().sum()
                terms.append(log_weight + normal_log_prob(white, dim=0) - log_det + slope)
            parts.append(torch.stack(terms, 1))
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
