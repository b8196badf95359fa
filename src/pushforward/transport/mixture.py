"""Gaussian mixtures for few rows and many columns: weighted EM with shared shrinkage.

The covariance of a component is shrunk towards the pooled within-component covariance, which
itself may be shrunk towards its diagonal: Friedman, *Regularized Discriminant Analysis*
(1989), eqs. 16-18, inside EM. scikit-learn's mixture takes no row weights and knows only a
ridge. E and M step are one matrix product each on the quadratic features ``x_i x_j``.
"""

import math
import time
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

from .numerics import LOG_2PI

__all__ = ["GaussianMixture", "Points", "one_hot_clusters"]

_RIDGE = 1e-6  # of unit variance: keeps repeated columns from collapsing a component
_KEPT = 1 << 25  # doubles of quadratic features kept between steps; more are made in pieces
_PIECE = 1 << 22
_RESTARTS = 3  # starts that get a few steps before the best goes on


class GaussianMixture:
    """A fitted mixture: ``log_weight`` (C,), ``mean`` (C, d), ``factor`` (C, d, d) lower.

    Examples:
        >>> import torch
        >>> x = torch.randn(500, 2, dtype=torch.float64)
        >>> GaussianMixture.fit(x, 1).component_log_prob(x).shape
        torch.Size([500, 1])
    """

    def __init__(self, log_weight: Tensor, mean: Tensor, factor: Tensor) -> None:
        self.log_weight, self.mean, self.factor = log_weight, mean, factor

    @classmethod
    def fit(
        cls,
        x: Tensor,
        components: int,
        *,
        shrinkage: float = 0.0,
        diagonal: float = 0.0,
        weight: Tensor | None = None,
        start: "GaussianMixture | None" = None,
        iterations: int = 100,
        tolerance: float = 1e-4,
        seed: int = 0,
        deadline: float = math.inf,
    ) -> "GaussianMixture":
        """Expectation maximisation from k-means (or from a ``start``).

        Args:
            x: (n, d) float64 points, roughly standardised.
            components: number of Gaussians, 1 to n.
            shrinkage: rows of prior weight that pull a component's covariance to the pooled.
            diagonal: share, 0 to 1, by which the pooled covariance is pulled to its diagonal.
            weight: (n,) row weights.
            start: mixture whose responsibilities start the iteration.
            iterations: most steps.
            tolerance: stop when a step adds less than this many nats a row.
            seed: seed of k-means.
            deadline: ``time.monotonic()`` after which no further step is taken.
        """
        with torch.inference_mode():  # thousands of small steps: gradients' bookkeeping is dear
            found = cls._climbed(
                x, components, shrinkage, diagonal, weight, start, iterations, tolerance, seed,
                deadline,
            )  # fmt: skip
        # outside, copies are tensors like any other
        return cls(found.log_weight.clone(), found.mean.clone(), found.factor.clone())

    @classmethod
    def _climbed(
        cls,
        x: Tensor,
        components: int,
        shrinkage: float,
        diagonal: float,
        weight: Tensor | None,
        start: "GaussianMixture | None",
        iterations: int,
        tolerance: float,
        seed: int,
        deadline: float,
    ) -> "GaussianMixture":
        """What :meth:`fit` finds."""
        n = len(x)
        share = torch.full((n,), 1 / n, dtype=x.dtype) if weight is None else weight / weight.sum()
        points = Points(x)

        def climb(mixture: GaussianMixture, steps: int) -> tuple[float, GaussianMixture]:
            previous = -math.inf
            for _ in range(steps):
                if time.monotonic() > deadline:
                    break
                joint = mixture.joint(points)
                total = joint.logsumexp(1)
                value = float(total @ share)
                if value - previous < tolerance:
                    break
                previous = value
                posterior = joint.sub_(total[:, None]).exp_()
                mixture = cls._maximise(points, posterior, share, shrinkage, diagonal)
            return previous, mixture

        def begin(responsibility: Tensor) -> GaussianMixture:
            return cls._maximise(points, responsibility, share, shrinkage, diagonal)

        if start is not None:
            return climb(begin(start.joint(points).softmax(1)), iterations)[1]
        if components == 1:
            return begin(torch.ones(n, 1, dtype=x.dtype))
        starts = [
            climb(begin(one_hot_clusters(x, components, share, seed + i)), 5)
            for i in range(_RESTARTS)
        ]
        return climb(max(starts, key=lambda s: s[0])[1], iterations)[1]

    @classmethod
    def maximise(
        cls,
        points: "Points",
        responsibility: Tensor,
        share: Tensor,
        *,
        shrinkage: float = 0.0,
        diagonal: float = 0.0,
    ) -> "GaussianMixture":
        """The M step: the mixture of given responsibilities.

        Args:
            points: (n, d); d may be 0, and only the weights are then learned.
            responsibility: (n, C), rows sum to 1.
            share: (n,) weights of the rows, which sum to 1.
            shrinkage, diagonal: as of :meth:`fit`.
        """
        return cls._maximise(points, responsibility, share, shrinkage, diagonal)

    @classmethod
    def _maximise(
        cls,
        points: "Points",
        responsibility: Tensor,
        share: Tensor,
        shrinkage: float,
        diagonal: float,
    ) -> "GaussianMixture":
        x = points.x
        n, d = x.shape
        r = responsibility * share[:, None]
        mass = r.sum(0) + 1e-12
        mean = (r.T @ x) / mass[:, None]
        if points.wide(len(mass)):
            scatter = torch.empty(len(mass), d, d, dtype=x.dtype)
            for c in range(len(mass)):
                scatter[c] = (x * r[:, c : c + 1]).T @ x / mass[c]
        else:
            second = torch.zeros(len(mass), points.upper.shape[1], dtype=x.dtype)
            for rows, products in points.products():
                second += r[rows].T @ products
            second /= mass[:, None]
            scatter = second.index_select(1, points.whole).view(len(mass), d, d)
        scatter -= mean[:, :, None] * mean[:, None, :]
        return cls.of_moments(mass, mean, scatter, n, shrinkage=shrinkage, diagonal=diagonal)

    @classmethod
    def of_moments(
        cls,
        mass: Tensor,
        mean: Tensor,
        scatter: Tensor,
        n: int,
        *,
        shrinkage: float = 0.0,
        diagonal: float = 0.0,
    ) -> "GaussianMixture":
        """The mixture of components with these moments.

        Args:
            mass: (C,) shares of the rows, which sum to 1.
            mean, scatter: (C, d) and (C, d, d), the means and covariances of their rows.
            n: number of rows.
            shrinkage, diagonal: as of :meth:`fit`.
        """
        pooled = (scatter * mass[:, None, None]).sum(0)
        if diagonal:
            pooled = (1 - diagonal) * pooled + diagonal * torch.diag(pooled.diagonal())
        rows = mass[:, None, None] * n
        covariance = (rows * scatter + shrinkage * pooled) / (rows + shrinkage)
        floor = _RIDGE * torch.eye(mean.shape[1], dtype=mean.dtype)
        factor, info = torch.linalg.cholesky_ex(covariance + floor)
        if bool(info.any()):  # cancellation left a direction without variance: own eigenvalues
            values, vectors = torch.linalg.eigh(covariance)
            mended = (vectors * values.clamp_min(_RIDGE)[:, None]) @ vectors.mT
            factor = torch.linalg.cholesky(0.5 * (mended + mended.mT) + floor)
        # one row of prior weight spread over the components keeps every weight positive
        log_weight = ((mass * n + 1 / len(mass)) / (n + 1)).log()
        return cls(log_weight.log_softmax(0), mean, factor.contiguous())

    def component_log_prob(self, x: Tensor) -> Tensor:
        """Log of weight times density of each component: (n, d) -> (n, C), in nats."""
        return self.joint(Points(x))

    def joint(self, points: "Points") -> Tensor:
        """:meth:`component_log_prob` of points whose products are kept from step to step."""
        x = points.x
        d = x.shape[1]
        if points.wide(len(self.mean)):
            return torch.stack([self._log_prob_of(c, x) for c in range(len(self.mean))], dim=1)
        precision = torch.cholesky_inverse(self.factor)
        quadratic = precision.flatten(1).index_select(1, points.places) * points.factor
        linear = (precision @ self.mean[..., None])[..., 0]
        constant = (
            self.log_weight
            - 0.5 * d * LOG_2PI
            - self.factor.diagonal(dim1=1, dim2=2).log().sum(1)
            - 0.5 * (linear * self.mean).sum(1)
        )
        result = torch.addmm(constant, x, linear.T)
        for rows, products in points.products():
            result[rows] += products @ quadratic.T
        return result

    def _log_prob_of(self, c: int, x: Tensor) -> Tensor:
        """One component's part of :meth:`component_log_prob`: (n,)."""
        z = torch.linalg.solve_triangular(self.factor[c], (x - self.mean[c]).T, upper=False)
        constant = self.log_weight[c] - self.factor[c].diagonal().log().sum()
        return constant - 0.5 * x.shape[1] * LOG_2PI - 0.5 * z.square().sum(0)

    def responsibilities(self, x: Tensor) -> Tensor:
        """Posterior share of each component: (n, d) -> (n, C), rows sum to 1."""
        return self.component_log_prob(x).softmax(1)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density in nats: (n, d) -> (n,)."""
        return self.component_log_prob(x).logsumexp(1)


class Points:
    """Points (n, d) with their products ``x_i x_j``, i <= j, kept where they are few.

    Attributes:
        x: the points.
        upper: (2, F) the pairs i <= j of the products.
        places: (F,) of those pairs in a flattened matrix (d, d).
        factor: (F,) of the products in ``-x' M x / 2``, where those off the diagonal come twice.
        whole: (d * d,) for each entry of a symmetric matrix the pair it is.
    """

    def __init__(self, x: Tensor) -> None:
        d = x.shape[1]
        self.x = x
        self.upper = torch.triu_indices(d, d)
        self.places = self.upper[0] * d + self.upper[1]
        self.factor = torch.where(self.upper[0] == self.upper[1], -0.5, -1.0).to(x.dtype)
        pair = torch.zeros(d, d, dtype=torch.long)
        pair[self.upper[0], self.upper[1]] = torch.arange(self.upper.shape[1])
        self.whole = torch.maximum(pair, pair.T).flatten()
        self._kept: Tensor | None = None

    def wide(self, components: int) -> bool:
        """Whether going through the components one by one costs less than the products.

        These are too many to keep and would be made anew in each step, which takes as long as
        the matrix products of some 60 components (fewer where there are few columns).
        """
        n, d = self.x.shape
        kept = n * self.upper.shape[1] <= _KEPT
        return not kept and components * (d + 48) < 72 * d

    def products(self) -> Iterator[tuple[slice, Tensor]]:
        n, features = len(self.x), self.upper.shape[1]
        if n * features <= _KEPT:
            if self._kept is None:
                self._kept = self.x[:, self.upper[0]] * self.x[:, self.upper[1]]
            yield slice(0, n), self._kept
            return
        size = max(1, _PIECE // features)
        for i in range(0, n, size):
            part = self.x[i : i + size]
            yield slice(i, i + size), part[:, self.upper[0]] * part[:, self.upper[1]]


def one_hot_clusters(x: Tensor, components: int, share: Tensor, seed: int) -> Tensor:
    """One-hot assignment (n, C) to the clusters of a short k-means on at most 5,000 rows."""
    if components == 1:
        return torch.ones(len(x), 1, dtype=x.dtype)
    # only fits need it, and it takes half a second to import
    from sklearn import config_context
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    generator = torch.Generator().manual_seed(seed)
    rows = torch.multinomial(share, min(len(x), 5000), generator=generator)
    means = KMeans(
        components,
        n_init=1,  # pyright: ignore[reportArgumentType] (the stub knows only "auto")
        max_iter=20,
        random_state=seed,
    )
    # of few rows scikit-learn's checks take longer than the clusters
    quick = config_context(assume_finite=True, skip_parameter_validation=True)
    with warnings.catch_warnings(), quick:
        # fewer different points than clusters: some stay empty
        warnings.simplefilter("ignore", ConvergenceWarning)
        means = means.fit(x[rows].numpy())
    centre = torch.from_numpy(means.cluster_centers_).to(x.dtype)
    nearest = torch.cat([torch.cdist(part, centre).argmin(1) for part in x.split(65536)])
    return torch.nn.functional.one_hot(nearest, components).to(x.dtype)
