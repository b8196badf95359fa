"""Factor analysis of rows with missing values, for many coordinates.

``y = mean + W f + e`` with ``f ~ N(0, I_q)`` and independent noise ``e``: a Gaussian whose
covariance has as many numbers as coordinates times factors, so that its conditionals cost no cubes
of the coordinates. Fitted by expectation maximisation (Rubin and Thayer, *EM algorithms for ML
factor analysis*, 1982), each coordinate by the rows that have it.
"""

import math

import torch
from torch import Tensor

from .numerics import LOG_2PI

__all__ = ["FactorAnalysis"]

_ITERATIONS = 20
_LEAST = 1e-4  # of unit variance, the noise of a coordinate
_POWERS = 4  # iterations that bring out the leading directions
_PRIOR = 1.0  # rows by which loadings are pulled to 0


class FactorAnalysis:
    """A fitted model; build it with :meth:`fit`.

    Args:
        mean: (s,).
        loading: (s, q).
        noise: (s,) variances.

    Examples:
        >>> y = torch.randn(300, 1).double() + 0.1 * torch.randn(300, 50).double()
        >>> known = torch.rand(300, 50) > 0.5
        >>> model = FactorAnalysis.fit(y, known, factors=1)
        >>> made = model.complete(y, known, torch.Generator().manual_seed(0))
        >>> bool((made - y).abs().mean() < 0.15)
        True
    """

    def __init__(self, mean: Tensor, loading: Tensor, noise: Tensor) -> None:
        self.mean, self.loading, self.noise = mean, loading, noise

    @classmethod
    def fit(
        cls, y: Tensor, known: Tensor, *, factors: int, weight: Tensor | None = None
    ) -> "FactorAnalysis":
        """Expectation maximisation from the principal components of rows filled with means.

        Args:
            y: (n, s) float64, roughly standardised; anything where it is not known.
            known: (n, s) bool.
            factors: their number q.
            weight: (n,) row weights.
        """
        n, s = y.shape
        share = torch.ones(n, dtype=y.dtype) if weight is None else weight * n / weight.sum()
        there = known.to(y) * share[:, None]
        y = torch.where(known, y, 0.0)
        mean = (there * y).sum(0) / there.sum(0).clamp_min(1e-12)
        off = torch.where(known, y - mean, 0.0)
        q = min(factors, s, n)
        value, basis = _leading(off, min(q + 5, s, n))
        loading = basis[:, :q] * (value[:q] / math.sqrt(n))
        variance = (there * off.square()).sum(0) / there.sum(0).clamp_min(1e-12)
        noise = (variance - loading.square().sum(1)).clamp_min(0.1 * variance).clamp_min(_LEAST)
        model = cls(mean, loading, noise)
        whole = bool(known.all())
        for _ in range(_ITERATIONS):
            model = model._improved_whole(y, share) if whole else model._improved(y, known, there)
        return model

    @property
    def factor(self) -> Tensor:
        """Lower Cholesky factor of the covariance, (s, s)."""
        return torch.linalg.cholesky(self.loading @ self.loading.T + torch.diag(self.noise))

    def _improved_whole(self, y: Tensor, share: Tensor) -> "FactorAnalysis":
        """The model after one more step, of rows that have all values, with weights (n,)."""
        n, q = y.shape[0], self.loading.shape[1]
        by_noise = self.loading / self.noise[:, None]
        precision = self.loading.T @ by_noise + torch.eye(q, dtype=y.dtype)
        covariance = torch.cholesky_inverse(torch.linalg.cholesky(precision))
        expected = (y - self.mean) @ by_noise @ covariance
        more = torch.cat([expected, torch.ones_like(expected[:, :1])], dim=1)
        weighted = share[:, None] * more
        a = weighted.T @ more
        a[:q, :q] += n * covariance
        b = y.T @ weighted
        pull = torch.diag(torch.tensor([_PRIOR] * q + [1e-9], dtype=y.dtype))
        found = torch.linalg.solve(a + pull, b.T).T
        rest = (share[:, None] * y.square()).sum(0) - 2 * (found * b).sum(1)
        rest = rest + ((found @ a) * found).sum(1)
        return FactorAnalysis(found[:, q], found[:, :q], (rest / n).clamp_min(_LEAST))

    def _improved(self, y: Tensor, known: Tensor, there: Tensor) -> "FactorAnalysis":
        """The model after one more step; ``there`` (n, s) is the weight of each known value."""
        q = self.loading.shape[1]
        expected, covariance, *_ = self._factors(y, known)
        more = torch.cat([expected, torch.ones_like(expected[:, :1])], dim=1)  # the mean's factor
        second = more[:, :, None] * more[:, None, :]
        second[:, :q, :q] += covariance
        a = (there.T @ second.flatten(1)).view(-1, q + 1, q + 1)
        b = (there * y).T @ more
        pull = torch.diag_embed(torch.tensor([_PRIOR] * q + [1e-9], dtype=y.dtype))
        found = torch.linalg.solve(a + pull, b)
        rest = (there * y.square()).sum(0) - 2 * (found * b).sum(1)
        rest = rest + torch.einsum("si,sij,sj->s", found, a, found)
        noise = (rest / there.sum(0).clamp_min(1e-12)).clamp_min(_LEAST)
        return FactorAnalysis(found[:, q], found[:, :q], noise)

    def _factors(self, y: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Means (n, q) and covariances (n, q, q) of the factors of rows, and what they rest on.

        Returns:
            Also the deviations (n, s) of known values and log-determinants (n,) of the precisions.
        """
        q = self.loading.shape[1]
        off = torch.where(known, y - self.mean, 0.0)
        by_noise = self.loading / self.noise[:, None]
        products = (self.loading[:, :, None] * by_noise[:, None, :]).flatten(1)
        precision = (known.to(y) @ products).view(-1, q, q) + torch.eye(q, dtype=y.dtype)
        factor = torch.linalg.cholesky(precision)
        covariance = torch.cholesky_inverse(factor)
        mean = (covariance @ (off @ by_noise)[..., None])[..., 0]
        return mean, covariance, off, 2 * factor.diagonal(dim1=1, dim2=2).log().sum(1)

    def log_prob_known(self, y: Tensor, known: Tensor) -> Tensor:
        """Log density of the known values of rows in nats: (n,)."""
        mean, _, off, log_det = self._factors(y, known)
        inner = ((off @ (self.loading / self.noise[:, None])) * mean).sum(1)
        squares = (off.square() / self.noise).sum(1) - inner
        each = torch.where(known, self.noise.log() + LOG_2PI, 0.0).sum(1)
        return -0.5 * (squares + log_det + each)

    def complete(self, y: Tensor, known: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the values that are not known given the others of their row: (n, s)."""
        mean, covariance, *_ = self._factors(y, known)
        noise = torch.randn(mean.shape, generator=generator, dtype=y.dtype)
        factors = mean + (torch.linalg.cholesky(covariance) @ noise[..., None])[..., 0]
        noise = torch.randn(y.shape, generator=generator, dtype=y.dtype)
        made = self.mean + factors @ self.loading.T + self.noise.sqrt() * noise
        return torch.where(known, y, made)


def _leading(x: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """About the largest singular values of a matrix (n, s), and right vectors (s, count).

    Subspace iteration from a fixed start (Halko, Martinsson & Tropp, *Finding structure with
    randomness*, 2011, algorithm 4.4), so that no other source of noise is drawn from.
    """
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(x.shape[1], count, generator=generator, dtype=x.dtype)
    basis = torch.linalg.qr(x @ start).Q
    for _ in range(_POWERS):
        basis = torch.linalg.qr(x @ torch.linalg.qr(x.T @ basis).Q).Q
    _, value, vectors = torch.linalg.svd(basis.T @ x, full_matrices=False)
    return value, vectors.T
