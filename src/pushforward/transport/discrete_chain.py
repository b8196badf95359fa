"""The joint distribution of discrete coordinates given smooth ones, one after the other.

``P(k_1, ..., k_m | x) = prod_i P(k_i | k_1 ... k_(i-1), x)``: the chain rule, each factor by
:class:`~.conditional.Conditional`, or by a table where the column is a function of others. In the
language of maps it is the triangular (Knothe-Rosenblatt) transport of uniform noise.
"""

import math
import time
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from .conditional import Conditional
from .dependencies import Lookup, find_lookups
from .discrete_values import Cells
from .logistic_regression import Basis, few_levels
from .numerics import with_prefix
from .rows import Rows

__all__ = ["DiscreteChain"]

_INDICATORS = 12  # most frequent categories that trees may ask for one by one
_HEAVY = 0.05  # share of rows from which a cell has a basis function of its own
_HELD_OUT = 0.3  # of the rows by which the size of trees is chosen
_CHOOSING_ROWS = 2000
_BLOCK = 8192  # rows whose features are made at once


class DiscreteChain(nn.Module):
    """Exact conditional distribution of some coordinates; build it with :meth:`fit`.

    Buffers: ``places`` (m,) where the coordinates of the chain, in its order, stand among all;
    ``nominal`` (D,) bool, which of all are categories.

    Args:
        cells: the values of each coordinate of the chain.
        bases: of the regressions, for the smooth coordinates and then for those of the chain.
        factors: its conditional distribution.
        lookups: by position in the chain, the coordinates that are functions of others.
    """

    places: Tensor
    nominal: Tensor

    def __init__(
        self,
        places: Tensor,
        nominal: Tensor,
        cells: Sequence[Cells],
        bases: Sequence[Basis],
        factors: Sequence[Conditional],
        lookups: dict[int, Lookup],
    ) -> None:
        super().__init__()
        self.register_buffer("places", places)
        self.register_buffer("nominal", nominal)
        self.cells, self.bases = nn.ModuleList(cells), nn.ModuleList(bases)
        self.factors = nn.ModuleList(factors)
        self.lookups = nn.ModuleDict({str(i): lookup for i, lookup in lookups.items()})
        self._size = torch.tensor([len(c) for c in cells])
        self.smooth = torch.ones(len(nominal), dtype=torch.bool)
        self.smooth[places] = False
        given = int(self.smooth.sum())
        # how many features and basis functions come before those of each coordinate of the chain
        features = [1 + self._indicators(i) for i in range(len(places))]
        self._width = [given, *(given + np.cumsum(features)).tolist()]
        functions = [basis.count for basis in bases]
        self._functions = np.cumsum([sum(functions[:given]), *functions[given:]]).tolist()

    @classmethod
    def fit(
        cls,
        rows: Rows,
        places: Tensor,
        seed: int,
        *,
        quick: bool = False,
        deadline: float = math.inf,
    ) -> "DiscreteChain":
        """Learn the distribution of the coordinates ``places`` given all others.

        Args:
            rows: all coordinates.
            places: (m,) which of them; the others are given.
            seed: of everything random.
            quick: as of :meth:`Conditional.fit`.
            deadline: ``time.monotonic()`` after which what is left is fitted quickly.
        """
        rows = rows.evenly()
        cells = [
            Cells.fit(rows.x[:, j], rows.origin[j], rows.width[j], rows.listed[j]) for j in places
        ]
        value = torch.stack(
            [c.encode(rows.x[:, j])[0] for c, j in zip(cells, places, strict=True)], dim=1
        )
        lookups = find_lookups(value, [len(c) for c in cells])
        distinct = [len(value[:, j].unique()) for j in range(len(places))]
        order = _ordered(distinct, lookups)
        position = {j: i for i, j in enumerate(order)}
        places, value, cells = (
            places[torch.tensor(order)],
            value[:, order],
            [cells[j] for j in order],
        )
        smooth = torch.ones(rows.x.shape[1], dtype=torch.bool)
        smooth[places] = False
        bases = [
            Basis.fit(rows.x[:, j], atoms=_heavy_cells(rows, j))
            for j in torch.nonzero(smooth)[:, 0].tolist()
        ]
        for own, cell, j in zip(value.T, cells, places, strict=True):
            levels = few_levels(len(cell) - 2, bool(rows.nominal[j]))
            bases.append(Basis.fit(own, levels))
        chain = cls(
            places,
            rows.nominal,
            cells,
            bases,
            [],
            {position[j]: _moved(lookup, position) for j, lookup in lookups.items()},
        )
        inputs = chain._inputs(rows.x, value)
        few = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
        few = few[:_CHOOSING_ROWS]
        # a copy of a row's smooth coordinates held out would praise trees that know it by heart
        part = rows.take(few).coordinates(chain.smooth)
        train, out = part.split(max(1, round(_HELD_OUT * len(few))), seed)
        for i in range(len(order)):
            factor = Conditional.fit(
                *chain._before(inputs, i),
                value[:, i],
                cells[i].margin(value[:, i]),
                ordered=not bool(rows.nominal[places[i]]),
                split=(few[train], few[out]),
                seed=seed + i,
                # a column that others determine is asked for what they were never seen to say
                quick=quick or str(i) in chain.lookups or time.monotonic() > deadline,
            )
            chain.factors.append(factor)
        return chain

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "DiscreteChain":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        places, count, d = state["places"], len(state["places"]), len(state["nominal"])
        if len(places.unique()) != count or not bool(((places >= 0) & (places < d)).all()):
            raise ValueError("the coordinates of a chain are not those of its table")
        cells = [Cells.from_state(with_prefix(state, f"cells.{i}.")) for i in range(count)]
        d = len(state["nominal"])
        bases = [Basis.from_state(with_prefix(state, f"bases.{i}.")) for i in range(d)]
        factors = [
            Conditional.from_state(with_prefix(state, f"factors.{i}.")) for i in range(count)
        ]
        if [len(one.trees.base) for one in factors] != [len(c) for c in cells]:
            raise ValueError("a coordinate of a chain has a distribution of another size")
        lookups = {}
        for i in range(count):
            if parts := with_prefix(state, f"lookups.{i}."):
                lookups[i] = Lookup.from_state(parts, i, len(cells[i]))
        chain = cls(places, state["nominal"], cells, bases, factors, lookups)
        for i, one in enumerate(factors):
            width, functions = chain._width[i], chain._functions[i]
            if bool((one.trees.feature >= width).any()) or (
                one.logits is not None and one.logits.weight.shape[1] != functions
            ):
                raise ValueError("a coordinate of a chain is given by one that comes later")
            if i in lookups and lookups[i].size.tolist() != [
                len(cells[k]) for k in lookups[i].keys.tolist()
            ]:
                raise ValueError("the table of a column that others determine is of other columns")
        return chain

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density of the chain's coordinates given the others: (n, D) -> (n,)."""
        return torch.cat([self._log_prob(rows) for rows in x.split(_BLOCK)])

    def _log_prob(self, x: Tensor) -> Tensor:
        encoded = [c.encode(x[:, j]) for c, j in zip(self._cells(), self.places, strict=True)]
        value = torch.stack([value for value, _ in encoded], dim=1)
        result = torch.stack([log_det for _, log_det in encoded]).sum(0)
        inputs = self._inputs(x, value)
        for i, factor in enumerate(self._factors()):
            own, (features, basis) = value[:, i], self._before(inputs, i)
            if (lookup := self._lookup(i)) is None:
                result = result + factor.log_prob(features, basis, own)
                continue
            known, looked_up, count = lookup.find(self._inside(value))
            # as of a constant: seen in all of so many rows, with one more for the others
            rest = 1 / (count + 2.0)
            p = torch.where(own == looked_up, 1 - rest, 0.0) + rest * factor.trees.base[own]
            log_p = p.log()
            if not bool(known.all()):
                other = ~known
                log_p[other] = factor.log_prob(features[other], basis[other], own[other])
            result = result + log_p
        return result

    def sample(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Fill the chain's coordinates of rows in: (n, D) with the others given -> (n, D).

        What is a function of other columns is that function, without the doubt that
        :meth:`log_prob` has of it: like a constant column it is the same in all samples.
        """
        return torch.cat([self._sample(rows, generator) for rows in x.split(_BLOCK)])

    def _sample(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        x = x.clone()
        value = torch.zeros(len(x), len(self.places), dtype=torch.long)
        inputs = self._inputs(x, value)
        cells = self._cells()
        for i, factor in enumerate(self._factors()):
            drawn = factor.sample(*self._before(inputs, i), generator)
            if (lookup := self._lookup(i)) is not None:
                known, looked_up, _ = lookup.find(self._inside(value))
                drawn = torch.where(known, looked_up, drawn)
            value[:, i] = drawn
            for whole, begin, block in zip(
                inputs, (self._width[i], self._functions[i]), self._blocks(drawn, i), strict=True
            ):
                whole[:, begin : begin + block.shape[1]] = block
            x[:, self.places[i]] = cells[i].decode(drawn, generator)
        return x

    def follows(self, x: Tensor, given: Tensor) -> Tensor:
        """Whether what is a function of other coordinates is that function: (n, D) -> (n,).

        Args:
            x: points.
            given: (n, D) bool, or (D,) where it is the same of all; functions among these
                coordinates alone are not asked for.
        """
        result, given = torch.ones(len(x), dtype=torch.bool), given.expand_as(x)
        open_lookups = []
        for i in range(len(self.places)):
            if (lookup := self._lookup(i)) is not None:
                parts = self.places[torch.cat([lookup.keys, torch.tensor([i])])]
                asked = ~given[:, parts].all(1)
                if bool(asked.any()):
                    open_lookups.append((i, lookup, asked))
        if not open_lookups:
            return result
        pairs = zip(self._cells(), self.places, strict=True)
        value = torch.stack([c.encode(x[:, j])[0] for c, j in pairs], dim=1)
        for i, lookup, asked in open_lookups:
            known, looked_up, _ = lookup.find(self._inside(value))
            result &= ~(asked & known) | (value[:, i] == looked_up)
        return result

    def imposed(self, x: Tensor, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Points in which what is a function of other coordinates is made that function.

        Args:
            x: (n, D) points.
            given: (n, D) bool, coordinates that stay as they are; or (D,) where they are the same
                of all.

        Returns:
            The points, (n, D) bool which of their coordinates follow from others, and (n,) the log
            volume of the cells of these, all over which the density is the same.
        """
        follow = torch.zeros_like(x, dtype=torch.bool)
        log_volume, given = x.new_zeros(len(x)), given.expand_as(x)
        if not any(
            self._lookup(i) is not None and not bool(given[:, j].all())
            for i, j in enumerate(self.places)
        ):
            return x, follow, log_volume
        x, cells, places = x.clone(), self._cells(), self.places.tolist()
        value = torch.stack(
            [c.encode(x[:, j])[0] for c, j in zip(cells, places, strict=True)], dim=1
        )
        for i, j in enumerate(places):
            lookup = self._lookup(i)
            if lookup is None or bool(given[:, j].all()):
                continue
            known, looked_up, _ = lookup.find(self._inside(value))
            known &= ~given[:, j]
            known &= cells[i].inside(looked_up) == looked_up
            value[known, i], follow[known, j] = looked_up[known], True
            x[known, j] = cells[i].middle(looked_up[known])
            log_volume[known] -= cells[i].encode(x[known, j])[1]
        return x, follow, log_volume

    def _inside(self, value: Tensor) -> Tensor:
        """Values (n, m), clipped to those of the fit, as conditions of other columns.

        A table clips what lies beyond the values it knows, and what depends on the one must go
        with the other.
        """
        return torch.minimum(value.clamp_min(1), self._size - 2)

    def _cells(self) -> list[Cells]:
        return cast("list[Cells]", list(self.cells))

    def _factors(self) -> list[Conditional]:
        return cast("list[Conditional]", list(self.factors))

    def _bases(self) -> list[Basis]:
        return cast("list[Basis]", list(self.bases))

    def _lookup(self, i: int) -> Lookup | None:
        return cast(Lookup, self.lookups[str(i)]) if str(i) in self.lookups else None

    def _inputs(self, x: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs of trees and regressions: the smooth coordinates, then those of the chain."""
        given = x[:, self.smooth]
        blocks = [self._blocks(value[:, i], i) for i in range(len(self.places))]
        bases = self._bases()[: given.shape[1]]
        functions = [basis(column) for basis, column in zip(bases, given.T, strict=True)]
        features = torch.cat([given.float(), *(block for block, _ in blocks)], dim=1)
        return features, torch.cat([*functions, *(block for _, block in blocks)], dim=1)

    def _blocks(self, value: Tensor, i: int) -> tuple[Tensor, Tensor]:
        """A coordinate of the chain as features, its value and indicators, and in its basis."""
        number = value.clamp(1, int(self._size[i]) - 2).float()
        indicators = number[:, None] == torch.arange(1, self._indicators(i) + 1)
        basis = self._bases()[int(self.smooth.sum()) + i]
        return torch.cat([number[:, None], indicators.float()], dim=1), basis(number)

    def _before(self, inputs: tuple[Tensor, Tensor], i: int) -> tuple[Tensor, Tensor]:
        """The inputs that coordinate ``i`` of the chain is conditioned on."""
        features, basis = inputs
        return features[:, : self._width[i]], basis[:, : self._functions[i]]

    def _indicators(self, i: int) -> int:
        if not bool(self.nominal[self.places[i]]):
            return 0
        return min(_INDICATORS, int(self._size[i]) - 2)


def _heavy_cells(rows: Rows, j: int) -> Tensor:
    """Beginnings and ends of a coordinate's point masses and cells with many rows: (A, 2)."""
    if not bool(rows.discrete[j]):
        return rows.atoms[j]
    cell, count = (
        ((rows.x[:, j] - rows.origin[j]) / rows.width[j]).floor().unique(return_counts=True)
    )
    heavy = cell[count >= _HEAVY * len(rows)]
    return rows.origin[j] + rows.width[j] * torch.stack([heavy, heavy + 1], dim=1)


def _ordered(distinct: list[int], lookups: dict[int, Lookup]) -> list[int]:
    """The columns in the order of the chain: those with few values come last.

    What others determine follows as soon as they are there, and helps to tell what comes later.
    """
    order: list[int] = []
    left = sorted(range(len(distinct)), key=lambda j: (-distinct[j], j))
    while left:
        known = (j for j in left if j in lookups and set(lookups[j].keys.tolist()) <= set(order))
        j = next(known, None)
        if j is None:
            j = next(j for j in left if j not in lookups)
        order.append(j)
        left.remove(j)
    return order


def _moved(lookup: Lookup, position: dict[int, int]) -> Lookup:
    """A lookup whose keys are positions in the chain."""
    parts = dict(lookup.state_dict())
    parts["keys"] = torch.tensor([position[k] for k in lookup.keys.tolist()])
    return Lookup(**parts)
