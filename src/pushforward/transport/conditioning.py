"""A density given some of its coordinates: weighted draws of the others.

A flow has no closed form of ``p(open | given)``, but its joint density can be evaluated anywhere,
and so can that of a simpler model of the same rows. So the open coordinates are drawn from the
simpler one, a :class:`~.table_mixture.TableMixture` fitted to samples of the density itself, and
weighted by ``p(open, given) / q(open | given)``: importance sampling (Kloek and van Dijk 1978).
The mean weight is the density of what is given, and the weights say how many equally weighted
draws they are worth (Kong 1992). Where a single coordinate is open there is nothing to draw: its
values are enumerated, or it is integrated along a grid. Mixtures of Gaussians behind marginal
layers have closed forms, by which they are drawn from themselves (:mod:`.gaussian_conditional`).
"""

import math
from collections.abc import Callable, Iterator
from functools import cached_property, partial

import torch
from torch import Tensor

from .any_density import Density, depends_on_place, follows_functions, with_functions
from .gaussian_conditional import GaussianConditional
from .row_noise import RowNoise
from .rows import Rows
from .table_mixture import TableMixture
from .weighted_draws import WeightedDraws

__all__ = ["SAMPLES", "Conditioner", "Tied"]

#: Samples of a density that its proposal is fitted to.
SAMPLES = 10_000
_MOST_VALUES = 2048  # of a coordinate that is enumerated where it alone is open
_WIDE, _WIDE_SHARE = 2.0, 0.02  # the component for what the others do not expect
_STEPS = (0.8, 0.4, 0.15)  # Metropolis steps of a copy, wide ones first
_BLOCK = 1 << 16  # points evaluated at once
_GRID, _TAIL = 161, 8.0  # nodes of a quadrature, and how many deviations they reach
_PLACES, _MOST_BLURRED = 4, 256  # of a cell of a sum, and cells that are looked at so
_NOISE = 4  # draws of the place in their cells that given values are averaged over

Allowed = Callable[[Tensor], Tensor]
#: Of points (N, D), each of a row: points in which some coordinates follow from others, which do,
#: (N, D) bool, and the logarithms (N,) of how far they move for a unit of what they follow from.
Tied = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


class Conditioner:
    """Draws the open coordinates of a density given the others.

    Args:
        density: on R^D, to be conditioned.
        rows: samples of it, some thousands, with the kinds of the coordinates.
        seed: of the fit of the proposal to them.
    """

    def __init__(self, density: Density, rows: Rows, seed: int) -> None:
        self.density = density
        self.rows, self._seed = rows, seed
        self.exact = GaussianConditional.of(density)
        atoms = torch.tensor([len(cells) > 0 for cells in rows.atoms], dtype=torch.bool)
        # coordinates whose values lie anywhere in cells in which the density varies
        self.blurred = (rows.discrete | atoms) & depends_on_place(density)

    @cached_property
    def proposal(self) -> TableMixture:
        """The simpler model of the samples, fitted when a draw first needs it."""
        with torch.no_grad():
            return TableMixture.fit(self.rows, self._seed).widened(_WIDE_SHARE, _WIDE)

    def condition(
        self,
        x: Tensor,
        given: Tensor,
        count: int,
        noise: RowNoise,
        allowed: Allowed | None = None,
        tied: Tied | None = None,
    ) -> WeightedDraws:
        """Draw what is open of rows, or sum over it.

        Args:
            x: (n, D), with anything in the open coordinates.
            given: (n, D) bool, or (D,) where it is the same of all; see :meth:`together`.
            count: draws a row, where what is open has to be drawn.
            noise: of the n rows, for the draws.
            allowed: marks the points (N, D) that may be, as a condition besides; None for all.
            tied: has points be what conditions on several coordinates together ask, of rows that
                are counted as those of ``x`` are; None for no such condition.
        """
        given = given.expand_as(x)
        open_places = torch.nonzero((~given).any(0))[:, 0].tolist()
        if len(open_places) == 1 and allowed is None and tied is None:
            return self._summed(x, open_places[0], noise)
        draws, size = noise.spread(count), max(1, _BLOCK // count)
        parts = [
            self._drawn(
                x[a : a + size],
                given[a : a + size],
                count,
                draws.take(slice(a * count, (a + size) * count)),
                allowed,
                None if tied is None else partial(_of_rows, tied, count, a),
            )
            for a in range(0, max(1, len(x)), size)
        ]
        return WeightedDraws.joined(parts)

    def together(self, given: Tensor, allowed: Allowed | None = None) -> Iterator[Tensor]:
        """Numbers of the rows that :meth:`condition` takes at once, of one kind at a time.

        Many rows at once are evaluated in a fraction of the time, whatever is open of each. But
        where only one coordinate is open it is summed over, and where nothing is given the draws
        are those of the density, if all rows are such rows.

        Args:
            given: (n, D) bool.
            allowed: as of :meth:`condition`.
        """
        open_ = (~given).sum(1)
        kind = torch.full_like(open_, -1)
        if self.exact is None:
            kind[open_ == given.shape[1]] = -2
        if allowed is None:
            alone, place = torch.nonzero(~given & (open_ == 1)[:, None]).unbind(1)
            kind[alone] = place
        for one in kind.unique():
            yield torch.nonzero(kind == one)[:, 0]

    def moved(
        self,
        points: Tensor,
        value: Tensor,
        given: Tensor,
        noise: RowNoise,
        allowed: Allowed | None = None,
        tied: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]] | None = None,
    ) -> Tensor:
        """Draws a few Metropolis steps on, which leave the distribution of the open ones as it is.

        So copies of one draw become draws of their own. The steps are those of Crank and Nicolson
        within a component of the proposal (Cotter et al., *MCMC methods for functions*, 2013),
        ``mean + sqrt(1 - s^2) (y - mean) + s noise``, which leave the proposal as it is: a step
        is taken by how much more its end counts than its beginning. Categories stay.

        Args:
            points: (N, D).
            value: (N,) their log densities.
            given: (N, D) bool, or (D,) where it is the same of all.
            noise: of the N points, for the steps.
            allowed: as of :meth:`condition`.
            tied: likewise, of these very points.
        """
        simpler = self.proposal
        if bool((given | simpler.tabled).all()):
            return points
        points = points.clone()
        known = torch.ones(points.shape[1], dtype=torch.bool)
        if tied is not None:
            _, follow, log_slope = tied(points)
            known, value = ~follow, value + log_slope
        value = value - simpler.log_prob(points, known)
        y, mean, factor = simpler.nearby(points, given, known, noise)
        for step in _STEPS:
            new = (factor @ noise.normal(y.shape[1])[..., None])[..., 0]
            at = mean + math.sqrt(1 - step**2) * (y - mean) + step * new
            trial, log_slope = simpler.placed(points, at, given), 0.0
            if tied is not None:
                trial, _, log_slope = tied(trial)
            its = self.density.log_prob(trial) + log_slope - simpler.log_prob(trial, known)
            fine = follows_functions(self.density, trial, given)
            if allowed is not None:
                fine = fine & allowed(trial)
            taken = fine & (noise.uniform().log() < its - value)
            points[taken], value[taken], y[taken] = trial[taken], its[taken], at[taken]
        return points

    def log_prob(self, x: Tensor, seed: int) -> Tensor:
        """Log density of points, (n,), averaged over the places of values in their cells."""
        if not bool(self.blurred.any()):
            return self.density.log_prob(x)
        noise, every = RowNoise.of(x, seed), torch.ones(x.shape[1]).bool()
        scores = [
            self.density.log_prob(self._within_cells(x, every, noise)) for _ in range(2 * _NOISE)
        ]
        return torch.stack(scores).logsumexp(0) - math.log(2 * _NOISE)

    # --- importance sampling ----------------------------------------------------------------

    def _drawn(
        self,
        x: Tensor,
        given: Tensor,
        count: int,
        noise: RowNoise,
        allowed: Allowed | None,
        tied: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]] | None,
    ) -> WeightedDraws:
        n, d = x.shape
        every = given.repeat_interleave(count, 0)
        points = self._within_cells(x.repeat_interleave(count, 0), every, noise)
        if tied is not None:
            points, log_joint, ratio = self._tied(points, every, noise, tied)
        elif self.exact is not None:
            varies = bool((self.blurred & given).any())
            if varies:
                ratio = self.exact.log_prob(points, every)
            else:
                ratio = self.exact.log_prob(x, given).repeat_interleave(count)
            points = self.exact.sample(points, every, noise)
            log_joint = self.density.log_prob(points)
        elif not bool(given.any()):
            points = self._unconditional(n, count, noise)
            log_joint = self.density.log_prob(points)
            ratio = torch.zeros_like(log_joint)
        else:
            points, log_q = self.proposal.sample_given(points, every, noise)
            points, log_q = self._with_functions(points, log_q, every)
            log_joint = self.density.log_prob(points)
            ratio = log_joint - log_q
        if allowed is not None:
            ratio = torch.where(allowed(points), ratio, -math.inf)
        follows = follows_functions(self.density, points, every)
        return WeightedDraws(
            points.view(n, count, d),
            _where_any(follows.view(n, count), ratio.view(n, count)),
            log_joint.view(n, count),
        )

    def _tied(
        self,
        points: Tensor,
        given: Tensor,
        noise: RowNoise,
        tied: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Points (N, D) that keep to a condition on several coordinates together.

        With ``x_k = h(e, rest)`` what makes of the rest of a point the condition ``e``, the rest
        is drawn as if nothing were known of ``e``, and counts
        ``p(x_k, rest, given) |dh/de| / q(rest | given)``.

        Returns:
            Points, their log densities (N,), and the logarithms (N,) of what they count.
        """
        simpler = self.proposal if self.exact is None else self.exact
        if isinstance(simpler, TableMixture):
            drawn, _ = simpler.sample_given(points, given, noise)
        else:
            drawn = simpler.sample(points, given, noise)
        points, follow, log_volume = with_functions(self.density, drawn, given)
        points, also, log_slope = tied(points)
        follow |= also
        log_q = simpler.log_prob(points, ~follow) - simpler.log_prob(points, given)
        log_joint = self.density.log_prob(points)
        return points, log_joint, log_joint - log_q + log_volume + log_slope

    def _with_functions(
        self, points: Tensor, log_q: Tensor, given: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Proposed points (N, D) in which what follows from others does, and their log density.

        That of a point is of the coordinates that do not follow. Were they drawn too, hardly one
        point would be possible where several coordinates are functions of others.
        """
        points, follow, log_volume = with_functions(self.density, points, given)
        rows = follow.any(1)
        if not bool(rows.any()):
            return points, log_q
        log_q, some = log_q.clone(), points[rows]
        free = self.proposal.log_prob(some, ~follow[rows])
        log_q[rows] = free - self.proposal.log_prob(some, given[rows])
        return points, log_q - log_volume

    def _unconditional(self, n: int, count: int, noise: RowNoise) -> Tensor:
        """Draws of the density itself, all worth the same: (n count, D)."""
        seeds = (noise.uniform().view(n, count)[:, :1] * 2**53).long().flatten().tolist()
        drawn = {
            seed: self.density.sample(count, torch.Generator().manual_seed(seed))
            for seed in dict.fromkeys(seeds)
        }
        return torch.cat([drawn[seed] for seed in seeds]) if seeds else self.rows.x[:0]

    def _within_cells(self, x: Tensor, given: Tensor, noise: RowNoise) -> Tensor:
        """Given discrete coordinates and point masses anew at random in their cells."""
        result = x.clone()
        for j in range(x.shape[1]):
            u, its = noise.uniform(), x[:, j]
            if bool(self.rows.discrete[j]):
                cell = ((its - self.rows.origin[j]) / self.rows.width[j]).floor()
                its = self.rows.in_cell(cell, j, u)
            for low, high in self.rows.atoms[j].tolist():
                inside = (its >= low) & (its < high)
                its = torch.where(inside, low + (high - low) * (1e-6 + (1 - 2e-6) * u), its)
            result[:, j] = torch.where(given[..., j], its, x[:, j])
        return result

    # --- one open coordinate ----------------------------------------------------------------

    def _summed(self, x: Tensor, j: int, noise: RowNoise) -> WeightedDraws:
        """All values of coordinate j, or a grid along it.

        Where given values lie anywhere in their cells they are averaged over a few places there.
        """
        given = torch.arange(x.shape[1]) != j
        repeats = _NOISE if bool((self.blurred & given).any()) else 1
        if repeats > 1:
            several = [self._within_cells(x, given, noise) for _ in range(repeats)]
            x = torch.stack(several, 1).flatten(0, 1)
        cells = ((self.rows.x[:, j] - self.rows.origin[j]) / self.rows.width[j]).floor()
        few = float(cells.max() - cells.min()) < _MOST_VALUES
        if bool(self.rows.discrete[j]) and (few or bool(self.rows.nominal[j])):
            values = cells.unique()
            if not self.rows.nominal[j]:
                values = torch.arange(float(cells.min()), float(cells.max()) + 1, dtype=x.dtype)
            # where the density varies within cells it is looked at in several places of each
            several = _PLACES if self.blurred[j] and len(values) <= _MOST_BLURRED else 1
            share = (torch.arange(several, dtype=x.dtype) + 0.5) / several
            values, share = values.repeat_interleave(several), share.repeat(len(values))
            node = self.rows.in_cell(values, j, share).expand(len(x), -1)
            measure = (self.rows.width[j].log() - math.log(several)).expand(node.shape)
            pieces = None
        else:
            node, pieces = self._nodes(x, j)
            measure = pieces.diff(dim=2)[..., 0].log()
        parts = []
        size = max(1, _BLOCK // node.shape[1])
        for rows, at, log_measure in zip(
            x.split(size), node.split(size), measure.split(size), strict=True
        ):
            n, count = at.shape
            points = rows[:, None].expand(n, count, -1).clone()
            points[:, :, j] = at
            flat = points.view(n * count, -1)
            log_joint = self.density.log_prob(flat).view(n, count) - math.log(repeats)
            follows = follows_functions(self.density, flat, given).view(n, count)
            log_joint = _where_any(follows, log_joint)
            parts.append(WeightedDraws(points, log_joint + log_measure, log_joint))
        whole = WeightedDraws.joined(parts)
        n = len(x) // repeats
        return WeightedDraws(
            whole.points.view(n, -1, x.shape[1]),
            whole.log_ratio.view(n, -1),
            whole.log_joint.view(n, -1),
            summed=True,
            along=j,
            pieces=None if pieces is None else pieces.reshape(n, -1, 2),
        )

    def _nodes(self, x: Tensor, j: int) -> tuple[Tensor, Tensor]:
        """Nodes along the smooth coordinate j, (n, R), and the pieces they stand for, (n, R, 2).

        Half of them are quantiles of the proposal given the rest of the row, half lie evenly
        behind the marginal layer. An atom is one node, and no other lies in it.
        """
        mixture = self.proposal
        assert mixture.margins is not None
        i = int((~mixture.tabled)[:j].sum())
        level = torch.special.ndtr(torch.linspace(-5, 5, _GRID - _GRID // 2, dtype=x.dtype))
        even = torch.linspace(-_TAIL, _TAIL, _GRID // 2, dtype=x.dtype).expand(len(x), -1)
        y = torch.cat([mixture.quantiles(x, j, level), even], dim=1)
        full = x.new_zeros(int((~mixture.tabled).sum()), y.numel())
        full[i] = y.flatten()
        node = mixture.margins.inverse(full)[i].view(y.shape)
        atoms = self.rows.atoms[j]
        if len(atoms):
            width = atoms[:, 1] - atoms[:, 0]
            edges = torch.stack([atoms[:, 0] - 1e-9 * width, atoms[:, 1] + 1e-9 * width])
            node = torch.cat([node, edges.flatten().expand(len(x), -1)], dim=1)
        node = node.sort(1).values
        gap = node.diff(dim=1)
        middle = 0.5 * (node[:, 1:] + node[:, :-1])
        for low, high in atoms.tolist():
            gap = torch.where((middle >= low) & (middle < high), 0.0, gap)
        zero = gap.new_zeros(len(gap), 1)
        before, after = torch.cat([zero, gap], 1), torch.cat([gap, zero], 1)
        pieces = torch.stack([node - 0.5 * before, node + 0.5 * after], dim=2)
        if len(atoms):
            node = torch.cat([node, atoms.mean(1).expand(len(x), -1)], dim=1)
            pieces = torch.cat([pieces, atoms.expand(len(x), -1, -1)], dim=1)
        return node, pieces


def _of_rows(tied: Tied, count: int, first: int, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What is tied of points of which ``count`` are of each row, from one on."""
    return tied(points, first + torch.arange(len(points)) // count)


def _where_any(follows: Tensor, values: Tensor) -> Tensor:
    """Values (n, m) of draws that follow the functions of a table, minus infinity of others.

    Of a row that nothing makes follow them all stay as they are: a table of what was seen is no
    proof, and the density knows how likely another value is.
    """
    possible = follows & (values > -math.inf)
    return torch.where(follows | ~possible.any(1, keepdim=True), values, -math.inf)
