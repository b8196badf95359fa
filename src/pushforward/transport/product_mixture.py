"""A mixture of products: Gaussians for smooth coordinates, tables for discrete ones.

``q(y, k) = sum_c w_c N(y; mu_c, S_c) prod_j T_cj(k_j)``. Every marginal and every conditional of
it is known in closed form, whatever is given and whatever is open, which makes it the proposal by
which densities without such forms are conditioned (:mod:`.conditioning`). Fitted by expectation
maximisation as a latent class model with Gaussians (Hunt and Jorgensen, *Mixture model clustering
using the MULTIMIX program*, 1999), also to rows with missing values (Ghahramani and Jordan,
*Supervised learning from incomplete data via an EM approach*, 1994).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .mixture import GaussianMixture, Points, one_hot_clusters
from .numerics import LOG_2PI, alike, unique_rows
from .row_noise import RowNoise

__all__ = ["ProductMixture"]

_PRIOR = 0.5  # rows that the margin of a table has in each component
_PIECE = 1 << 21  # numbers of matrices of patterns that are held at once
_SPREAD = 1e-3  # share of a table that is even over all values, so that none is impossible


class ProductMixture:
    """A fitted mixture of products; build it with :meth:`fit`.

    Args:
        gaussians: the components over the s smooth coordinates; their weights are the mixture's.
        tables: for each of the m discrete ones log probabilities (C, V_j) of its values.

    Examples:
        >>> y = torch.linspace(-3, 3, 500, dtype=torch.float64)[:, None]
        >>> k = (y > 0).long()
        >>> q = ProductMixture.fit(y, k, [2], components=4, seed=0)
        >>> given = torch.tensor([True]), torch.tensor([False])
        >>> drawn, value, _ = q.sample_given(y[:3], k[:3], *given, RowNoise.of(y[:3], 0))
        >>> drawn.equal(y[:3]), value[:, 0].equal(k[:3, 0])
        (True, True)
    """

    def __init__(self, gaussians: GaussianMixture, tables: Sequence[Tensor]) -> None:
        self.gaussians = gaussians
        self.tables = list(tables)

    @classmethod
    def fit(
        cls,
        y: Tensor,
        k: Tensor,
        sizes: Sequence[int],
        *,
        components: int,
        seed: int,
        known: tuple[Tensor, Tensor] | None = None,
        weight: Tensor | None = None,
        iterations: int = 25,
        shrinkage: float = 1.0,
        diagonal: float = 0.02,
    ) -> "ProductMixture":
        """Expectation maximisation from k-means.

        Args:
            y: (n, s) float64 smooth coordinates, roughly standardised.
            k: (n, m) int64 values of the discrete ones, from 0.
            sizes: how many values each of these can take.
            components: number C of components.
            seed: of k-means.
            known: which values are there, bool of shapes (n, s) and (n, m); None for all. What is
                not there counts with its expectation, and may be anything finite in y and k.
            weight: (n,) row weights.
            iterations: steps.
            shrinkage: rows a smooth coordinate by which covariances are pulled to the pooled one.
            diagonal: share by which that is pulled to its diagonal.
        """
        n, s = y.shape
        components = components if s or sizes else 1
        share = torch.full((n,), 1 / n, dtype=y.dtype) if weight is None else weight / weight.sum()
        values = _Values.of(y, k, sizes, share, known)
        pull = {"shrinkage": shrinkage * max(1, s), "diagonal": diagonal}
        if not values.whole and components > 1:
            # the start is of rows that one Gaussian has completed: where a component sees no value
            # of a coordinate, it keeps what all rows say of it
            pulls = {"shrinkage": shrinkage, "diagonal": diagonal, "seed": seed}
            one = cls.fit(y, k, sizes, components=1, known=known, weight=weight, **pulls)
            generator = torch.Generator().manual_seed(seed)
            known = values.smooth, values.discrete
            drawn = one.complete(values.y, values.k, known, generator)
            mixture = cls.fit(
                *drawn, sizes, components=components, weight=weight, iterations=5, **pulls
            )
        else:
            corners = torch.cat([values.y, *values.corners], dim=1)
            r = one_hot_clusters(corners, components, share, seed)
            gaussians = GaussianMixture.maximise(values.points, r, share, **pull)
            mixture = cls(gaussians, _tables(values, r, None))
        if values.whole and components == 1:
            return mixture
        for _ in range(iterations - 1):
            mixture = mixture._improved(values, pull)
        return mixture

    def _improved(self, values: "_Values", pull: Mapping[str, float]) -> "ProductMixture":
        """The mixture after one more step of expectation maximisation."""
        if values.whole:
            log_r = self.gaussians.joint(values.points)
            for j, table in enumerate(self.tables):
                log_r += table[:, values.k[:, j]].T
            r = log_r.softmax(1)
            gaussians = GaussianMixture.maximise(values.points, r, values.share, **pull)
            return ProductMixture(gaussians, _tables(values, r, self))
        mean, (n, s) = self.gaussians.mean, values.y.shape
        first, second = mean.new_zeros(len(mean), s), mean.new_zeros(len(mean), s, s)
        r = mean.new_zeros(n, len(mean))
        for part in self._expected(values):
            r[part.rows] = part.r
            own = part.r * values.share[part.rows, None]
            expected = part.mean.transpose(0, 1)
            weighted = own.T[..., None] * expected
            first += weighted.sum(1)
            second += weighted.mT @ expected
            total = own.new_zeros(len(part.rest), len(mean)).index_add_(0, part.group, own)
            second += (total[..., None, None] * part.rest).sum(0)
        mass = (r * values.share[:, None]).sum(0) + 1e-12
        centre = first / mass[:, None]
        scatter = second / mass[:, None, None] - centre[:, :, None] * centre[:, None, :]
        gaussians = GaussianMixture.of_moments(mass, centre, scatter, n, **pull)
        return ProductMixture(gaussians, _tables(values, r, self))

    def complete(
        self, y: Tensor, k: Tensor, known: tuple[Tensor, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw the values that are missing given the others of their row.

        Args:
            y, k: (n, s) and (n, m); what is missing holds anything finite.
            known: which values are there, bool of shapes (n, s) and (n, m).
            generator: of the draws.

        Returns:
            y and k with the missing values filled in.
        """
        sizes = [table.shape[1] for table in self.tables]
        values = _Values.of(y, k, sizes, torch.ones(len(y), dtype=y.dtype), known)
        noise = torch.randn(y.shape, generator=generator, dtype=y.dtype)
        y, which = values.y.clone(), torch.empty(len(y), dtype=torch.long)
        for part in self._expected(values):
            chosen = torch.multinomial(part.r, 1, generator=generator)[:, 0]
            there = known[0][part.rows]
            rest = part.rest[part.group, chosen] + torch.diag_embed(there.to(y) + 1e-10)
            drawn = (torch.linalg.cholesky(rest) @ noise[part.rows, :, None])[..., 0]
            drawn += part.mean[torch.arange(len(chosen)), chosen]
            y[part.rows] = torch.where(there, y[part.rows], drawn)
            which[part.rows] = chosen
        k = k.clone()
        for j, table in enumerate(self.tables):
            drawn = torch.multinomial(table[which].exp(), 1, generator=generator)[:, 0]
            k[:, j] = torch.where(known[1][:, j], k[:, j], drawn)
        return y, k

    def log_prob_known(self, y: Tensor, k: Tensor, known: tuple[Tensor, Tensor]) -> Tensor:
        """Log density of the values that are there, in nats: (n,); arguments as above."""
        sizes = [table.shape[1] for table in self.tables]
        values = _Values.of(y, k, sizes, torch.ones(len(y), dtype=y.dtype), known)
        result = y.new_empty(len(y))
        for part in self._expected(values):
            result[part.rows] = part.log_prob
        return result

    def _expected(self, values: "_Values") -> Iterator["_Expected"]:
        """What the mixture expects of rows with missing values, some rows at a time."""
        mean = self.gaussians.mean
        log_r = self.gaussians.log_weight.repeat(len(values.y), 1)
        for j, table in enumerate(self.tables):
            log_r += torch.where(values.discrete[:, j, None], table[:, values.k[:, j]].T, 0.0)
        for rows, group, known in values.parts(len(mean)):
            gain, rest, inverse, log_det = self._conditionals(known)
            off = torch.where(known[group][:, None], values.y[rows][:, None] - mean, 0.0)
            squares = (off * (inverse[group] @ off[..., None])[..., 0]).sum(2)
            joint = log_r[rows] - 0.5 * (squares + log_det[group])
            yield _Expected(
                rows=rows,
                group=group,
                r=joint.softmax(1),
                log_prob=joint.logsumexp(1) - 0.5 * LOG_2PI * known[group].sum(1),
                mean=mean + off + (gain[group] @ off[..., None])[..., 0],
                rest=rest,
            )

    def _conditionals(self, known: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What patterns (P, s) of known smooth coordinates say of the others, in whole matrices.

        Returns:
            Gains (P, C, s, s) from known to unknown, covariances (P, C, s, s) of the unknown, the
            inverse (P, C, s, s) of those of the known, all 0 elsewhere, and the logarithm of their
            determinants (P, C).
        """
        covariance = self.gaussians.factor @ self.gaussians.factor.mT
        there = known[:, None, :].to(covariance)
        gone = 1 - there
        both = there[..., :, None] * there[..., None, :]
        factor = torch.linalg.cholesky(covariance * both + torch.diag_embed(gone))
        inverse = torch.cholesky_inverse(factor) * both
        gain = gone[..., :, None] * (covariance @ inverse)
        rest = (covariance - gain @ covariance) * gone[..., :, None] * gone[..., None, :]
        return gain, rest, inverse, 2 * factor.diagonal(dim1=2, dim2=3).log().sum(2)

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
            smooth, discrete: bool, the coordinates of each row's margin, (n, s) and (n, m), or
                (s,) and (m,) where they are the same of all; None for all.
        """
        if smooth is None:
            smooth = torch.ones(y.shape[1], dtype=torch.bool)
        result = self.gaussians.log_weight.repeat(len(y), 1)
        for rows, own in _alike(smooth, len(y)):
            result[rows] += self._log_gaussians(y[rows][:, own], own)
        for j, table in enumerate(self.tables):
            value = k[:, j]
            if discrete is not None:  # a value more counts for nothing
                table = torch.cat([table, table.new_zeros(len(table), 1)], 1)
                value = torch.where(discrete[..., j], value, table.shape[1] - 1)
            result += table.T.contiguous()[value]
        return result

    def _log_gaussians(self, y: Tensor, own: Tensor) -> Tensor:
        """Log densities (n, C) of the Gaussians of coordinates ``own``, (s,), at values (n, g)."""
        mean, factor = self.gaussians.mean[:, own], self.gaussians.factor
        if not bool(own.all()):
            factor = torch.linalg.cholesky((factor @ factor.mT)[:, own][:, :, own])
        off = (y[:, None] - mean).permute(1, 2, 0)
        squares = torch.linalg.solve_triangular(factor, off, upper=False).square().sum(1).T
        log_det = factor.diagonal(dim1=1, dim2=2).log().sum(1)
        return -0.5 * squares - log_det - 0.5 * y.shape[1] * LOG_2PI

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
        self, y: Tensor, k: Tensor, smooth: Tensor, discrete: Tensor, noise: RowNoise
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw the open coordinates of rows given the others.

        Args:
            y, k: (n, s) and (n, m); what is open holds anything.
            smooth, discrete: bool, what is given of each row, (n, s) and (n, m), or (s,) and (m,)
                where it is the same of all.
            noise: of the n rows, for the draws.

        Returns:
            y and k with the open coordinates filled in, and the log density (n,) of the others.
        """
        terms = self.component_log_prob(y, k, smooth, discrete)
        which = noise.choice(terms.softmax(1))
        y, k, normal = y.clone(), k.clone(), noise.normal(y.shape[1])
        for rows, own in _alike(smooth, len(y)):
            if not bool(own.all()):
                some = y[rows]
                some[:, ~own] = self._open(some, which[rows], own, normal[rows][:, ~own])
                y[rows] = some
        for j, table in enumerate(self.tables):
            open_ = ~discrete[..., j].expand(len(k))
            its = noise.spread(1).take(open_)  # as many numbers of a row, whatever is open
            k[open_, j] = its.choice(table[which[open_]].exp())
        return y, k, terms.logsumexp(1)

    def _open(self, y: Tensor, which: Tensor, given: Tensor, noise: Tensor) -> Tensor:
        """Open smooth coordinates (n, u) of rows of components ``which``, from noise (n, u)."""
        mean, gain, factor = self.conditional(given)
        result = torch.empty_like(noise)
        for c in which.unique().tolist():
            rows = which == c
            off = y[rows][:, given] - self.gaussians.mean[c, given]
            result[rows] = mean[c] + off @ gain[c].T + noise[rows] @ factor[c].T
        return result

    def nearby(self, y: Tensor, which: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        """The Gaussians of the open smooth coordinates of rows in components ``which``.

        Args:
            y: (n, s).
            which: (n,) components.
            given: (n, s) bool, or (s,) where it is the same of all.

        Returns:
            Means (n, s), of what is given the values, and lower factors (n, s, s) of the
            covariances, with zeros for what is given.
        """
        centre, factor = y.clone(), y.new_zeros(*y.shape, y.shape[1])
        for rows, own in _alike(given, len(y)):
            mean, gain, lower = self.conditional(own)
            of, places = which[rows], torch.nonzero(~own)[:, 0]
            off = y[rows][:, own] - self.gaussians.mean[of][:, own]
            at = rows[:, None]
            centre[at, places] = mean[of] + (gain[of] @ off[..., None])[..., 0]
            factor[at[..., None], places[:, None], places] = lower[of]
        return centre, factor

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


def _alike(mask: Tensor, n: int) -> Iterator[tuple[Tensor, Tensor]]:
    """As :func:`.alike` of marks (n, s), or (s,) of all n rows."""
    return alike(mask) if mask.ndim == 2 else iter([(torch.arange(n), mask)])


def _tables(values: "_Values", r: Tensor, last: ProductMixture | None) -> list[Tensor]:
    """Tables of the discrete coordinates from responsibilities (n, C).

    A value that is missing counts with what the last mixture expects, or the margin.
    """
    held = (r * values.share[:, None] * len(r)).T
    tables = []
    for j, corner in enumerate(values.corners):
        there = values.discrete[:, j]
        count = held @ corner
        if last is not None and not bool(there.all()):
            count = held[:, there] @ corner[there]
            count = count + held[:, ~there].sum(1, keepdim=True) * last.tables[j].exp()
        count = count + _PRIOR * (values.share @ corner)
        table = (1 - _SPREAD) * count / count.sum(1, keepdim=True)
        tables.append((table + _SPREAD / corner.shape[1]).log())
    return tables


@dataclass(frozen=True)
class _Expected:
    """What a mixture expects of rows with missing values.

    Attributes:
        rows: (N,) their numbers.
        group: (N,) which pattern of missing values each has.
        r: (N, C) responsibilities.
        log_prob: (N,) log densities of what is known.
        mean: (N, C, s) smooth values, those known and the conditional means of the others.
        rest: (P, C, s, s) conditional covariances of each pattern, 0 where anything is known.
    """

    rows: Tensor
    group: Tensor
    r: Tensor
    log_prob: Tensor
    mean: Tensor
    rest: Tensor


@dataclass(frozen=True)
class _Values:
    """Rows of which some values may be missing, sorted out by which are.

    Attributes:
        y: (n, s), 0 where it is not known.
        k: (n, m), 0 where it is not known.
        corners: for each discrete coordinate its values one-hot, (n, V_j), and the share of the
            known ones where it is not known.
        share: (n,) weights of the rows, which sum to 1.
        smooth, discrete: what is known, bool of shapes (n, s) and (n, m).
        patterns: (P, s) bool, the different rows of ``smooth``.
        group: (n,) which pattern each row has.
    """

    y: Tensor
    k: Tensor
    corners: list[Tensor]
    share: Tensor
    smooth: Tensor
    discrete: Tensor
    patterns: Tensor
    group: Tensor

    @classmethod
    def of(
        cls,
        y: Tensor,
        k: Tensor,
        sizes: Sequence[int],
        share: Tensor,
        known: tuple[Tensor, Tensor] | None,
    ) -> "_Values":
        if known is None:
            known = torch.ones_like(y, dtype=torch.bool), torch.ones_like(k, dtype=torch.bool)
        smooth, discrete = known
        y, k = torch.where(smooth, y, 0.0), torch.where(discrete, k, 0)
        corners = []
        for j, size in enumerate(sizes):
            corner = torch.nn.functional.one_hot(k[:, j], size).double()
            own = share * discrete[:, j]
            margin = own @ corner / own.sum().clamp_min(1e-300)
            corners.append(torch.where(discrete[:, j, None], corner, margin))
        patterns, group = unique_rows(smooth)
        return cls(y, k, corners, share, smooth, discrete, patterns, group)

    @cached_property
    def points(self) -> Points:
        """The smooth values, with what steps of the same rows share."""
        return Points(self.y)

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return bool(self.smooth.all()) and bool(self.discrete.all())

    def parts(self, components: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Some rows at a time: their numbers, which pattern each has, and the patterns (P, s)."""
        size = max(1, _PIECE // (components * self.y.shape[1] ** 2 + 1))
        order = self.group.argsort(stable=True)
        group = self.group[order]
        start = 0
        while start < len(order):
            first = int(group[start])
            stop = min(int(torch.searchsorted(group, first + size)), start + size)
            own = group[start:stop] - first
            yield order[start:stop], own, self.patterns[first : first + int(own[-1]) + 1]
            start = stop
