"""A mixture of the coordinates of a table, of which any are known given any others.

A :class:`.ProductMixture` behind a marginal layer: coordinates that are values of a list have
tables, the others Gaussians behind their margins. It is the simple model by which densities are
conditioned (:mod:`.conditioning`) and by which rows with missing cells are completed.
"""

import dataclasses
import math
import time
from typing import NamedTuple

import torch
from torch import Tensor

from .factor_analysis import FactorAnalysis
from .functional_pairs import FunctionalPairs
from .margins import Margins
from .numerics import unique_rows, weighted_mean
from .product_mixture import ProductMixture
from .row_noise import RowNoise
from .rows import Rows

__all__ = ["TableMixture"]

_COMPONENTS = 40
_ROWS_A_COMPONENT, _ROWS_OF_HOLES = 100, 40  # where cells are missing, held-out ones choose
_FOLDS, _FEW = 3, 1000  # that choose, of few rows; of more rows one is enough
_MOST_LISTED = 64  # values of an ordered discrete coordinate that has a table
_FEW_LISTED = 10  # the same where there are not some thousands of samples to learn it of
_WIDE = 40  # smooth coordinates from which on missing ones are completed by factors
_STEPS, _WORK = 25, 6e9  # of expectation maximisation, and its operations: some seconds
_ROWS_A_COLUMN = 10  # from so many on covariances of many are not pulled to their diagonal
# how far the covariance of one component is pulled to its diagonal, with fewer rows a column
_PULLS, _PULLED_ROWS = (0.0, 0.03, 0.1, 0.25, 0.5), 50
_ALL = 1e6  # rows a coordinate, beside which those of the fit do not count
_FINE = 1024  # points by which quantiles are found
_REACH = 8.0  # deviations behind the margins


class TableMixture:
    """A product mixture of rows of a table; build it with :meth:`fit`.

    Args:
        rows: that it was fitted to, with the kinds of the coordinates.
        tabled: (D,) bool, coordinates that are values of a table.
        seen: for each of these its cells in rising order, (V_j,).
        margins: marginal layer of the other coordinates; None for none.
        mixture: behind it.
        pairs: values of tables that follow from others, where it was fitted with missing cells.
        factors: of the smooth coordinates, where there are too many of them for the mixture,
            which then has the tables alone and serves :meth:`complete` alone.
    """

    def __init__(
        self,
        rows: Rows,
        tabled: Tensor,
        seen: list[Tensor],
        margins: Margins | None,
        mixture: ProductMixture,
        pairs: FunctionalPairs | None = None,
        factors: FactorAnalysis | None = None,
    ) -> None:
        self.rows = rows
        self.tabled = tabled
        self.seen = seen
        self.margins = margins
        self.mixture = mixture
        self.pairs = pairs
        self.factors = factors
        self._log_width = rows.width[tabled].log()

    @classmethod
    def fit(
        cls,
        rows: Rows,
        seed: int,
        known: Tensor | None = None,
        *,
        deadline: float = math.inf,
    ) -> "TableMixture":
        """Fit it by expectation maximisation.

        Args:
            rows: coordinates with their kinds.
            seed: of everything random.
            known: (n, D) bool, the cells that are there; None for all. Those that are not may
                hold anything.
            deadline: ``time.monotonic()`` after which no more numbers of components are tried.
        """
        if known is not None:
            rows = _resampled(rows, known, seed)
        cells = ((rows.x - rows.origin) / rows.width).floor()
        count = torch.tensor([len(column.unique()) for column in cells.T])
        most = _MOST_LISTED if known is None else _FEW_LISTED
        tabled = rows.discrete & (rows.nominal | (count <= most))
        places = torch.nonzero(tabled)[:, 0].tolist()
        seen = [cells[:, j].unique() for j in places]
        index = [
            torch.searchsorted(s, cells[:, j].contiguous())
            for s, j in zip(seen, places, strict=True)
        ]
        k = torch.stack(index, dim=1) if index else torch.zeros(len(rows), 0, dtype=torch.long)
        smooth = rows.coordinates(~tabled)
        margins = smooth.fit_margins() if smooth.x.shape[1] else None
        sizes = [len(s) for s in seen]
        enough = _ROWS_A_COMPONENT if known is None else _ROWS_OF_HOLES
        components = max(1, min(_COMPONENTS, len(rows) // enough))
        if known is None:
            step = len(rows) * (smooth.x.shape[1] ** 2 + 1.0)  # operations of a component
            components = max(1, min(components, int(4 * _WORK / (_STEPS * step))))
            mixture = ProductMixture.fit(
                smooth.through(margins).x, k, sizes,
                components=components, seed=seed, weight=rows.weight,
            )  # fmt: skip
            return cls(rows, tabled, seen, margins, mixture)
        pairs = FunctionalPairs(k, known[:, tabled], sizes)
        k, there = pairs.fill(k, known[:, tabled])
        if smooth.x.shape[1] > _WIDE:
            factors = _factors(smooth.through(margins), known[:, ~tabled], seed)
            mixture = ProductMixture.fit(
                smooth.x[:, :0], k, sizes, components=components, seed=seed,
                known=(known[:, :0], there), weight=rows.weight,
            )  # fmt: skip
            return cls(rows, tabled, seen, margins, mixture, pairs, factors)
        known = torch.cat([known[:, ~tabled], there], dim=1)
        margins, mixture = _chosen(
            smooth, k, sizes, known, margins, components, seed, deadline=deadline
        )
        return cls(rows, tabled, seen, margins, mixture, pairs)

    def widened(self, share: float, factor: float) -> "TableMixture":
        """This mixture with a wide component; see :meth:`.ProductMixture.widened`."""
        mixture = self.mixture.widened(share, factor)
        return TableMixture(self.rows, self.tabled, self.seen, self.margins, mixture)

    def log_prob(self, points: Tensor, known: Tensor) -> Tensor:
        """Log density of the known coordinates of points in nats: (N, D) to (N,).

        Args:
            points: (N, D), with anything in the other coordinates.
            known: (N, D) bool, or (D,) where they are the same of all.
        """
        if not bool(known.any()):
            return points.new_zeros(len(points))
        y, slope = self._behind(points)
        smooth, discrete = known[..., ~self.tabled], known[..., self.tabled]
        result = self.mixture.log_prob(y, self._listed(points), smooth, discrete)
        return result + self._log_slope(slope, known)

    def sample_given(
        self, points: Tensor, given: Tensor, noise: RowNoise
    ) -> tuple[Tensor, Tensor]:
        """Draw the open coordinates of points given the others.

        Args:
            points: (N, D), with anything in the open coordinates.
            given: (N, D) bool, or (D,) where it is the same of all.
            noise: of the N points, for the draws.

        Returns:
            The points with the open coordinates filled in, and the log density of these, (N,).
        """
        tabled, points = self.tabled, points.clone()
        smooth, discrete = given[..., ~tabled], given[..., tabled]
        y, k = self.values(points)
        y, k, log_given = self.mixture.sample_given(y, k, smooth, discrete, noise)
        log_prob = self.mixture.log_prob(y, k) - log_given
        points = self.placed(points, y, given)
        for i, j in enumerate(torch.nonzero(tabled)[:, 0].tolist()):
            made = self.rows.in_cell(self.seen[i][k[:, i]], j, noise.uniform())
            points[:, j] = torch.where(given[..., j], points[:, j], made)
        return points, log_prob + self._log_slope(self._behind(points)[1], ~given)

    def nearby(
        self, points: Tensor, given: Tensor, known: Tensor, noise: RowNoise
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The Gaussians around points of which those of a component of each are.

        A component is drawn for each point by what it is responsible for.

        Args:
            points: (N, D).
            given: (N, D) bool, or (D,) where it is the same of all: coordinates that stay.
            known: likewise, by which components are responsible.
            noise: of the N points.

        Returns:
            The smooth coordinates behind the margins (N, s), what is expected of the open ones in
            their components (N, s), and lower factors of their covariances (N, s, s), with zeros
            for what is given.
        """
        y, k = self.values(points)
        smooth, discrete = known[..., ~self.tabled], known[..., self.tabled]
        share = self.mixture.component_log_prob(y, k, smooth, discrete).softmax(1)
        return y, *self.mixture.nearby(y, noise.choice(share), given[..., ~self.tabled])

    def placed(self, points: Tensor, y: Tensor, given: Tensor) -> Tensor:
        """Points (N, D) whose open smooth coordinates are those behind the margins (N, s)."""
        smooth = given[..., ~self.tabled]
        if bool(smooth.all()):
            return points
        points = points.clone()
        points[:, ~self.tabled] = torch.where(
            smooth, points[:, ~self.tabled], self._from_margins(y)
        )
        return points

    def complete(self, points: Tensor, known: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the unknown coordinates of rows given the others.

        Args:
            points: (N, D), with anything in the unknown coordinates.
            known: (N, D) bool.
            generator: of the draws.

        Returns:
            The points with the unknown coordinates filled in.
        """
        tabled, points = self.tabled, points.clone()
        y, k = self.values(points)
        there = known[:, tabled]
        if self.pairs is not None:
            k, there = self.pairs.fill(k, there)
        smooth = known[:, ~tabled]
        if self.factors is None:
            y, k = self.mixture.complete(y, k, (smooth, there), generator)
        else:
            y = self.factors.complete(y, smooth, generator)
            _, k = self.mixture.complete(y[:, :0], k, (smooth[:, :0], there), generator)
        if self.pairs is not None:
            k = self.pairs.repair(k, there, generator)
        made = self._from_margins(y)
        points[:, ~tabled] = torch.where(known[:, ~tabled], points[:, ~tabled], made)
        for i, j in enumerate(torch.nonzero(tabled)[:, 0].tolist()):
            u = torch.rand(len(points), generator=generator, dtype=points.dtype)
            made = self.rows.in_cell(self.seen[i][k[:, i]], j, u)
            points[:, j] = torch.where(known[:, j], points[:, j], made)
        return points

    def _log_slope(self, slope: Tensor, which: Tensor) -> Tensor:
        """Log-determinant of the way from some coordinates to their values: (N,).

        Args:
            slope: (N, s) of the smooth coordinates.
            which: (N, D) bool, or (D,) where they are the same of all.
        """
        tabled = torch.where(which[..., self.tabled], self._log_width, 0.0).sum(-1)
        return torch.where(which[..., ~self.tabled], slope, 0.0).sum(1) - tabled

    def values(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Points as the mixture sees them: (N, s) behind the margins and (N, m) values."""
        return self._behind(points)[0], self._listed(points)

    def _behind(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Smooth coordinates of points behind the margins, and log derivatives: two (N, s)."""
        y = points[:, ~self.tabled]
        if self.margins is None:
            return y, torch.zeros_like(y)
        y, slope = self.margins.slopes(y.T.contiguous())
        return y.T.contiguous(), slope.T

    def _listed(self, points: Tensor) -> Tensor:
        """Tabled coordinates of points as values that count, (N, m)."""
        k = torch.zeros(len(points), len(self.seen), dtype=torch.long)
        for i, j in enumerate(torch.nonzero(self.tabled)[:, 0].tolist()):
            cell = ((points[:, j] - self.rows.origin[j]) / self.rows.width[j]).floor()
            k[:, i] = _nearest(self.seen[i], cell)
        return k

    def _from_margins(self, y: Tensor) -> Tensor:
        """Smooth coordinates (N, s) of what is behind the margins."""
        return y if self.margins is None else self.margins.inverse(y.T.contiguous()).T

    def quantiles(self, points: Tensor, j: int, levels: Tensor) -> Tensor:
        """Quantiles of a coordinate that has no table given the others, behind the margins.

        Args:
            points: (N, D), with anything in coordinate j.
            j: the coordinate.
            levels: (L,) in rising order.

        Returns:
            (N, L).
        """
        given = torch.arange(points.shape[1]) != j
        y, k = self.values(points)
        smooth, discrete = given[~self.tabled], given[self.tabled]
        r = self.mixture.component_log_prob(y, k, smooth, discrete).softmax(1)
        mean, gain, factor = self.mixture.conditional(smooth)
        off = y[:, None, smooth] - self.mixture.gaussians.mean[:, smooth]
        centre = mean[:, 0] + (off * gain[:, 0]).sum(2)
        deviation = factor[:, 0, 0]
        line = torch.linspace(-_REACH, _REACH, _FINE, dtype=y.dtype)
        found = []
        for part, share in zip(centre.split(256), r.split(256), strict=True):
            cdf = torch.zeros(len(part), _FINE, dtype=y.dtype)
            for c in range(part.shape[1]):
                at = (line - part[:, c : c + 1]) / deviation[c]
                cdf += share[:, c : c + 1] * torch.special.ndtr(at)
            right = torch.searchsorted(cdf, levels.expand(len(part), -1).contiguous())
            right = right.clamp(1, _FINE - 1)
            low, high = cdf.gather(1, right - 1), cdf.gather(1, right)
            t = ((levels - low) / (high - low).clamp_min(1e-300)).clamp(0, 1)
            found.append(line[right - 1] + t * (line[right] - line[right - 1]))
        return torch.cat(found)


class _Choice(NamedTuple):
    """Options of :meth:`.ProductMixture.fit`."""

    components: int
    shrinkage: float = 1.0
    diagonal: float = 0.0


def _choices(n: int, s: int, most: int) -> list[list[_Choice]]:
    """Mixtures of n rows of s smooth coordinates, each list to be tried while the next is better.

    Args:
        n, s: as above.
        most: components.
    """
    pulls = _PULLS if s > 1 and n < _PULLED_ROWS * s else _PULLS[:1]
    diagonal = 0.0 if n > _ROWS_A_COLUMN * s else 0.02
    more = [_Choice(c, diagonal=diagonal) for c in sorted({max(1, most // 4), most} - {1})]
    return [[_Choice(1, _ALL, pull) for pull in pulls], *([one] for one in more)]


def _chosen(
    smooth: Rows,
    k: Tensor,
    sizes: list[int],
    known: Tensor,
    margins: Margins | None,
    most: int,
    seed: int,
    *,
    deadline: float,
) -> tuple[Margins | None, ProductMixture]:
    """The mixture that says most of known values held out, and the margins before it or None.

    Tried are one, some and ``most`` components, behind the margins and without: where columns are
    nearly linear functions of others, margins bend what is straight. Of few rows a single one is
    pulled to its diagonal as far as that helps: a covariance of few known pairs has learned their
    chance.

    Args:
        smooth: the smooth coordinates.
        k, sizes: the discrete ones and how many values they can take.
        known: (n, s + m) bool, which values of both are there.
        margins: of the smooth coordinates.
        most: components.
        seed: of everything random.
        deadline: ``time.monotonic()`` after which no more are tried.
    """
    n, s = smooth.x.shape
    there = known[:, :s], known[:, s:]
    patterns = len(unique_rows(there[0])[0])
    step = s**2 * (6.0 * s * patterns + 4.0 * n) + 1.0  # operations of a component
    most = max(1, min(most, int(_WORK / (_STEPS * step))))
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    folds = order.split(-(-n // (_FOLDS + 1)))[: _FOLDS if n < _FEW else 1]
    choices = _choices(n, s, most)

    def fitted(y: Tensor, choice: _Choice, part: Tensor) -> ProductMixture:
        return ProductMixture.fit(
            y[part], k[part], sizes, **choice._asdict(),
            seed=seed, known=(there[0][part], there[1][part]),
            weight=None if smooth.weight is None else smooth.weight[part], iterations=_STEPS,
        )  # fmt: skip

    def held_out_value(y: Tensor, slope: Tensor, choice: _Choice, fold: Tensor) -> float:
        """Mean log density of the known values of the rows of a fold, fitted without them."""
        kept = torch.ones(n, dtype=torch.bool).index_fill_(0, fold, False).nonzero()[:, 0]
        held = there[0][fold], there[1][fold]
        value = fitted(y, choice, kept).log_prob_known(y[fold], k[fold], held)
        value = value + torch.where(held[0], slope[fold], 0.0).sum(1)
        return weighted_mean(value, None if smooth.weight is None else smooth.weight[fold])

    best = (-math.inf, choices[0][0], margins)
    for layer in [margins] if margins is None else [margins, None]:
        y, slope = smooth.x, torch.zeros_like(smooth.x)
        if layer is not None:
            y, slope = smooth.through(layer).x, layer.slopes(smooth.x.T.contiguous())[1].T
        for some in choices:
            last = -math.inf
            for choice in some:
                if time.monotonic() > deadline:
                    break
                values = [held_out_value(y, slope, choice, fold) for fold in folds]
                score = sum(values) / len(values)
                if score > best[0]:
                    best = (score, choice, layer)
                if score < last:
                    break
                last = score
    _, choice, layer = best
    return layer, fitted(smooth.through(layer).x, choice, torch.arange(n))


def _factors(smooth: Rows, known: Tensor, seed: int) -> FactorAnalysis:
    """Factor analysis with the number of factors that says most of known values held out."""
    n, s = smooth.x.shape
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    out, rows = order[: n // 5], order[n // 5 :]
    best = (-math.inf, 1)
    for factors in (3, 10, 20):
        if factors > 3 and n * s * factors**2 * _STEPS > _WORK:
            break
        weight = None if smooth.weight is None else smooth.weight[rows]
        model = FactorAnalysis.fit(smooth.x[rows], known[rows], factors=factors, weight=weight)
        value = float(model.log_prob_known(smooth.x[out], known[out]).mean())
        best = max(best, (value, factors))
    return FactorAnalysis.fit(smooth.x, known, factors=best[1], weight=smooth.weight)


def _resampled(rows: Rows, known: Tensor, seed: int) -> Rows:
    """The rows with values of others where they have none, so that each margin is that known."""
    generator = torch.Generator().manual_seed(seed)
    x = rows.x.clone()
    for j, there in enumerate(known.T):
        if bool(there.all()) or not bool(there.any()):
            continue
        weight = torch.ones_like(x[:, j]) if rows.weight is None else rows.weight
        own, order = x[there, j].sort()
        total = weight[there][order].cumsum(0)
        count = int((~there).sum())
        at = (torch.randperm(count, generator=generator) + 0.5) / count * total[-1]
        x[~there, j] = own[torch.searchsorted(total, at).clamp_max(len(own) - 1)]
    return dataclasses.replace(rows, x=x)


def _nearest(seen: Tensor, cell: Tensor) -> Tensor:
    """Positions of the cells nearest to others among those seen, which rise."""
    right = torch.searchsorted(seen, cell).clamp_max(len(seen) - 1)
    left = (right - 1).clamp_min(0)
    return torch.where((cell - seen[left]).abs() <= (seen[right] - cell).abs(), left, right)
