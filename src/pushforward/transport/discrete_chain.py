"""The joint distribution of discrete coordinates given smooth ones, one after the other.

``P(k_1, ..., k_m | x) = prod_i P(k_i | k_1 ... k_(i-1), x)``: the chain rule, each factor by
:class:`~.conditional_trees.ConditionalTrees`, or by a table where the column is a function of
others. In the language of maps it is the triangular (Knothe-Rosenblatt) transport of uniform
noise.
"""

import math
import time
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from .cells import Cells
from .conditional_trees import ConditionalTrees
from .dependencies import Lookup, find_lookups
from .numerics import under
from .rows import Rows

__all__ = ["DiscreteChain"]

_INDICATORS = 12  # most frequent categories that trees may ask for one by one
_HELD_OUT = 0.3  # of the rows by which the size of trees is chosen
_CHOOSING_ROWS = 2000
_BLOCK = 8192  # rows whose features are made at once


class DiscreteChain(nn.Module):
    """Exact conditional distribution of some coordinates; build it with :meth:`fit`.

    Buffers: ``places`` (m,) where the coordinates of the chain, in its order, stand among all;
    ``nominal`` (D,) bool, which of all are categories.

    Args:
        cells: the values of each coordinate of the chain.
        trees: its conditional distribution.
        lookups: by position in the chain, the coordinates that are functions of others.
    """

    places: Tensor
    nominal: Tensor

    def __init__(
        self,
        places: Tensor,
        nominal: Tensor,
        cells: Sequence[Cells],
        trees: Sequence[ConditionalTrees],
        lookups: dict[int, Lookup],
    ) -> None:
        super().__init__()
        self.register_buffer("places", places)
        self.register_buffer("nominal", nominal)
        self.cells, self.trees = nn.ModuleList(cells), nn.ModuleList(trees)
        self.lookups = nn.ModuleDict({str(i): lookup for i, lookup in lookups.items()})
        self._size = torch.tensor([len(c) for c in cells])
        self.smooth = torch.ones(len(nominal), dtype=torch.bool)
        self.smooth[places] = False

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
            quick: as of :meth:`ConditionalTrees.fit`.
            deadline: ``time.monotonic()`` after which the trees that are left are quick ones.
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
        # what others determine comes last; else few values are easier to tell from many
        order = sorted(range(len(places)), key=lambda j: (j in lookups, -distinct[j], j))
        position = {j: i for i, j in enumerate(order)}
        chain = cls(
            places[torch.tensor(order)],
            rows.nominal,
            [cells[j] for j in order],
            [],
            {position[j]: _moved(lookup, position) for j, lookup in lookups.items()},
        )
        value = value[:, order]
        features = chain._features(rows.x, value)
        few = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
        few = few[:_CHOOSING_ROWS]
        # a copy of a row's smooth coordinates held out would praise trees that know it by heart
        part = rows.take(few).coordinates(chain.smooth)
        train, out = part.split(max(1, round(_HELD_OUT * len(few))), seed)
        for i in range(len(order)):
            trees = ConditionalTrees.fit(
                features[:, : chain._width_before(i)],
                value[:, i],
                cells[order[i]].margin(value[:, i]),
                ordered=not bool(rows.nominal[chain.places[i]]),
                split=(few[train], few[out]),
                seed=seed + i,
                quick=quick or time.monotonic() > deadline,
            )
            chain.trees.append(trees)
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
        cells = [Cells.from_state(under(state, f"cells.{i}.")) for i in range(count)]
        trees = [ConditionalTrees.from_state(under(state, f"trees.{i}.")) for i in range(count)]
        if [len(one.base) for one in trees] != [len(c) for c in cells]:
            raise ValueError("a coordinate of a chain has trees of another size")
        lookups = {}
        for i in range(count):
            if parts := under(state, f"lookups.{i}."):
                lookups[i] = Lookup.from_state(parts, i, len(cells[i]))
        chain = cls(places, state["nominal"], cells, trees, lookups)
        for i, one in enumerate(trees):
            if bool((one.feature >= chain._width_before(i)).any()):
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
        coded = [c.encode(x[:, j]) for c, j in zip(self._cells(), self.places, strict=True)]
        value = torch.stack([value for value, _ in coded], dim=1)
        result = torch.stack([log_det for _, log_det in coded]).sum(0)
        features = self._features(x, value)
        for i, trees in enumerate(self._trees()):
            own = value[:, i]
            log_p = trees.log_prob(features[:, : self._width_before(i)], own)
            if (lookup := self._lookup(i)) is not None:
                known, looked_up, count = lookup.find(self._inside(value))
                # as of a constant: seen in all of so many rows, with one more for the others
                rest = 1 / (count + 2.0)
                p = torch.where(own == looked_up, 1 - rest, 0.0) + rest * trees.base[own]
                log_p = torch.where(known, p.log(), log_p)
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
        features = self._features(x, value)
        cells = self._cells()
        for i, trees in enumerate(self._trees()):
            begin = self._width_before(i)
            drawn = trees.sample(features[:, :begin], generator)
            if (lookup := self._lookup(i)) is not None:
                known, looked_up, _ = lookup.find(self._inside(value))
                drawn = torch.where(known, looked_up, drawn)
            value[:, i] = drawn
            block = self._block(drawn, i)
            features[:, begin : begin + block.shape[1]] = block
            x[:, self.places[i]] = cells[i].decode(drawn, generator)
        return x

    def _inside(self, value: Tensor) -> Tensor:
        """Values (n, m), those beyond all seen as the nearest seen: so columns are given by them.

        A table clips what lies beyond the values it knows, and what depends on the one must go
        with the other.
        """
        return torch.minimum(value.clamp_min(1), self._size - 2)

    def _cells(self) -> list[Cells]:
        return cast("list[Cells]", list(self.cells))

    def _trees(self) -> list[ConditionalTrees]:
        return cast("list[ConditionalTrees]", list(self.trees))

    def _lookup(self, i: int) -> Lookup | None:
        return cast(Lookup, self.lookups[str(i)]) if str(i) in self.lookups else None

    def _features(self, x: Tensor, value: Tensor) -> Tensor:
        """What the trees look at, float32: the smooth coordinates, then those of the chain."""
        blocks = [x[:, self.smooth].float()]
        blocks += [self._block(value[:, i], i) for i in range(len(self.places))]
        return torch.cat(blocks, dim=1)

    def _block(self, value: Tensor, i: int) -> Tensor:
        """A coordinate of the chain as features: its value, and indicators of categories."""
        number = value.clamp(1, int(self._size[i]) - 2).float()[:, None]
        count = self._indicators(i)
        if not count:
            return number
        return torch.cat([number, (number == torch.arange(1, count + 1)).float()], dim=1)

    def _indicators(self, i: int) -> int:
        if not bool(self.nominal[self.places[i]]):
            return 0
        return min(_INDICATORS, int(self._size[i]) - 2)

    def _width_before(self, i: int) -> int:
        """How many features come before those of coordinate ``i`` of the chain."""
        return int(self.smooth.sum()) + sum(1 + self._indicators(j) for j in range(i))


def _moved(lookup: Lookup, position: dict[int, int]) -> Lookup:
    """A lookup whose keys are positions in the chain."""
    parts = dict(lookup.state_dict())
    parts["keys"] = torch.tensor([position[k] for k in lookup.keys.tolist()])
    return Lookup(**parts)
