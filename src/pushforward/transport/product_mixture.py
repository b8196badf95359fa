"""A mixture of products: Gaussians for smooth coordinates, tables for discrete ones.

``q(y, k) = sum_c w_c N(y; mu_c, S_c) prod_j T_cj(k_j)``. Every marginal and every conditional of
it is known in closed form, whatever is given and whatever is open, which makes it the proposal by
which densities without such forms are conditioned (:mod:`.conditioning`). Fitted by expectation
maximisation as a latent class model with Gaussians (Hunt and Jorgensen, *Mixture model clustering
using the MULTIMIX program*, 1999).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .mixture import GaussianMixture, one_hot_clusters
from .numerics import LOG_2PI

__all__ = ["ProductMixture"]

_ITERATIONS = 25
_SHRINKAGE = 1.0  # rows a coordinate by which covariances are pulled to the pooled one
_PRIOR = 0.5  # rows that the margin of a table has in each component
_SPREAD = 1e-3  # share of a table that is even over all values, so that none is impossible


class ProductMixture:
    """A fitted mixture of products; build it with :meth:`fit`.

    Args:
        gaussians: the components over the s smooth coordinates; their weights are the mixture's.
        tables: for each of the m discrete ones log probabilities (C, V_j) of its values.

    Examples:
        >>> y = torch.randn(500, 1, dtype=torch.float64)
        >>> k = (y > 0).long()
        >>> q = ProductMixture.fit(y, k, [2], components=4, seed=0)
        >>> given = torch.tensor([True]), torch.tensor([False])
        >>> drawn, value = q.sample_given(y[:3], k[:3], *given, torch.Generator().manual_seed(0))
        >>> drawn.equal(y[:3]), value[:, 0].equal(k[:3, 0])
        (True, True)
    """

    def __init__(self, gaussians: GaussianMixture, tables: Sequence[Tensor]) -> None:
        self.gaussians = gaussians
        self.tables = list(tables)

    @classmethod
    def fit(
        cls, y: Tensor, k: Tensor, sizes: Sequence[int], *, components: int, seed: int
    ) -> "ProductMixture":
        """Expectation maximisation from k-means.

        Args:
            y: (n, s) float64 smooth coordinates, roughly standardised.
            k: (n, m) int64 values of the discrete ones, from 0.
            sizes: how many values each of these can take.
            components: number C of components.
            seed: of k-means.
        """
        n = len(y)
        share = torch.full((n,), 1 / n, dtype=torch.float64)
        corners = [
            torch.nn.functional.one_hot(k[:, j], size).double() for j, size in enumerate(sizes)
        ]
        r = one_hot_clusters(torch.cat([y, *corners], dim=1), components, share, seed)
        for step in range(_ITERATIONS):
            mixture = cls._maximise(y, corners, r, share)
            if components == 1 or step == _ITERATIONS - 1:
                break
            r = mixture.component_log_prob(y, k).softmax(1)
        return mixture

    @classmethod
    def _maximise(
        cls, y: Tensor, corners: Sequence[Tensor], r: Tensor, share: Tensor
    ) -> "ProductMixture":
        gaussians = GaussianMixture.maximise(
            y, r, share, shrinkage=_SHRINKAGE * max(1, y.shape[1]), diagonal=0.02
        )
        tables = []
        for corner in corners:
            margin = corner.mean(0)
            count = r.T @ corner + _PRIOR * margin
            table = (1 - _SPREAD) * count / count.sum(1, keepdim=True)
            tables.append((table + _SPREAD / corner.shape[1]).log())
        return cls(gaussians, tables)

    def component_log_prob(
        self,
        y: Tensor,
        k: Tensor,
        smooth: Tensor | None = None,
        discrete: Tensor | None = None,
    ) -> Tensor:
        """Log of weight times marginal density of each component, (n, C), in nats.

        Args:
            y, k: (n, s) and (n, m); of what is not asked for anything.
            smooth, discrete: (s,) and (m,) bool, the coordinates of the margin; None for all.
        """
        mean, factor = self.gaussians.mean, self.gaussians.factor
        if smooth is not None and not bool(smooth.all()):
            covariance = factor @ factor.mT
            mean = mean[:, smooth]
            factor = torch.linalg.cholesky(covariance[:, smooth][:, :, smooth])
            y = y[:, smooth]
        result = self.gaussians.log_weight.expand(len(y), -1)
        if y.shape[1]:
            z = torch.linalg.solve_triangular(
                factor, (y[:, None] - mean).permute(1, 2, 0), upper=False
            )
            log_det = factor.diagonal(dim1=1, dim2=2).log().sum(1)
            squares = z.square().sum(1).T
            result = result - 0.5 * squares - log_det - 0.5 * y.shape[1] * LOG_2PI
        for j, table in enumerate(self.tables):
            if discrete is None or bool(discrete[j]):
                result = result + table[:, k[:, j]].T
        return result

    def log_prob(
        self,
        y: Tensor,
        k: Tensor,
        smooth: Tensor | None = None,
        discrete: Tensor | None = None,
    ) -> Tensor:
        """Log density of the coordinates asked for, (n,); arguments as above."""
        return self.component_log_prob(y, k, smooth, discrete).logsumexp(1)

    def sample_given(
        self, y: Tensor, k: Tensor, smooth: Tensor, discrete: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw the open coordinates of rows given the others.

        Args:
            y, k: (n, s) and (n, m); what is open holds anything.
            smooth, discrete: (s,) and (m,) bool, what is given.
            generator: of the draws.

        Returns:
            y and k with the open coordinates filled in.
        """
        r = self.component_log_prob(y, k, smooth, discrete).softmax(1)
        which = torch.multinomial(r, 1, generator=generator)[:, 0]
        y, k = y.clone(), k.clone()
        if not bool(smooth.all()):
            noise = torch.randn(len(y), int((~smooth).sum()), generator=generator, dtype=y.dtype)
            y[:, ~smooth] = self._open(y, which, smooth, noise)
        for j in torch.nonzero(~discrete)[:, 0].tolist():
            p = self.tables[j][which].exp()
            k[:, j] = torch.multinomial(p, 1, generator=generator)[:, 0]
        return y, k

    def _open(self, y: Tensor, which: Tensor, given: Tensor, noise: Tensor) -> Tensor:
        """Open smooth coordinates (n, u) of rows of components ``which``, from noise (n, u)."""
        mean, gain, factor = self.conditional(given)
        result = torch.empty_like(noise)
        for c in which.unique().tolist():
            rows = which == c
            off = y[rows][:, given] - self.gaussians.mean[c, given]
            result[rows] = mean[c] + off @ gain[c].T + noise[rows] @ factor[c].T
        return result

    def conditional(self, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The Gaussians of open smooth coordinates given the others.

        Args:
            given: (s,) bool.

        Returns:
            Means (C, u) at the means of what is given, gains (C, u, g) for what is given less
            those, and lower factors (C, u, u) of the covariances.
        """
        mean, factor = self.gaussians.mean, self.gaussians.factor
        covariance = factor @ factor.mT
        own = covariance[:, ~given][:, :, ~given]
        if not bool(given.any()):
            return mean, covariance[:, :, :0], factor
        across = covariance[:, ~given][:, :, given]
        known = torch.linalg.cholesky(covariance[:, given][:, :, given])
        gain = torch.cholesky_solve(across.mT, known).mT
        rest = own - gain @ across.mT
        floor = 1e-10 * torch.eye(rest.shape[1], dtype=rest.dtype)
        return mean[:, ~given], gain, torch.linalg.cholesky(0.5 * (rest + rest.mT) + floor)

    def widened(self, share: float, factor: float) -> "ProductMixture":
        """This mixture with one more component as wide as all of it, times ``factor``.

        What lies between or beyond the components is then proposed now and then.

        Args:
            share: weight of the component.
            factor: of its standard deviations.
        """
        own = self.gaussians
        weight = own.log_weight.exp()
        mean = weight @ own.mean
        off = own.mean - mean
        covariance = torch.einsum("c,cij->ij", weight, own.factor @ own.factor.mT)
        covariance = covariance + (off * weight[:, None]).T @ off
        wide = factor * torch.linalg.cholesky(covariance) if mean.numel() else own.factor[0]
        gaussians = GaussianMixture(
            torch.cat(
                [own.log_weight + math.log1p(-share), own.log_weight.new_tensor([math.log(share)])]
            ),
            torch.cat([own.mean, mean[None]]),
            torch.cat([own.factor, wide[None]]),
        )
        tables = []
        for table in self.tables:
            margin = weight @ table.exp()
            margin = 0.5 * margin + 0.5 / len(margin)
            tables.append(torch.cat([table, margin.log()[None]]))
        return ProductMixture(gaussians, tables)
