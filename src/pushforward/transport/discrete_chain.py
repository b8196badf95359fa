"""The joint distribution of discrete coordinates given smooth ones, one after the other.

``P(k_1, ..., k_m | x) = prod_i P(k_i | k_1 ... k_(i-1), x)``: the chain rule, each factor by
:class:`~.conditional_trees.ConditionalTrees`, or by a table where the column is a function of
others. In the language of maps it is the triangular (Knothe-Rosenblatt) transport of uniform
noise.
"""

import math
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .cells import Cells
from .conditional_trees import ConditionalTrees
from .dependencies import Lookup, find_lookups
from .numerics import under
from .rows import Rows

__all__ = ["DiscreteChain"]

_INDICATORS = 12  # most frequent categories that trees may ask for one by one


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
        for i in range(len(order)):
            trees = ConditionalTrees.fit(
                features[:, : chain._width_before(i)],
                value[:, i],
                chain.cells[i].margin(value[:, i]),
                ordered=not bool(rows.nominal[chain.places[i]]),
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
        return chain

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density of the chain's coordinates given the others: (n, D) -> (n,)."""
        value, log_det = self._values(x)
        result = log_det
        features = self._features(x, value)
        for i, trees in enumerate(self.trees):
            own = value[:, i]
            log_p = trees.log_prob(features[:, : self._width_before(i)], own)
            if str(i) in self.lookups:
                known, looked_up, count = self.lookups[str(i)].find(value)
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
        x = x.clone()
        value = torch.zeros(len(x), len(self.places), dtype=torch.long)
        features = self._features(x, value)
        for i, trees in enumerate(self.trees):
            begin = self._width_before(i)
            drawn = trees.sample(features[:, :begin], generator)
            if str(i) in self.lookups:
                known, looked_up, _ = self.lookups[str(i)].find(value)
                drawn = torch.where(known, looked_up, drawn)
            value[:, i] = drawn
            block = self._block(drawn, i)
            features[:, begin : begin + block.shape[1]] = block
            x[:, self.places[i]] = self.cells[i].decode(drawn, generator)
        return x

    def _values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Values (n, m) of the chain's coordinates, and their log-determinant (n,)."""
        coded = [cells.encode(x[:, j]) for cells, j in zip(self.cells, self.places, strict=True)]
        values, log_dets = zip(*coded, strict=True)
        return torch.stack(values, dim=1), torch.stack(log_dets).sum(0)

    def _features(self, x: Tensor, value: Tensor) -> Tensor:
        """What the trees look at, float32: the smooth coordinates, then those of the chain."""
        blocks = [x[:, self.smooth].float()]
        blocks += [self._block(value[:, i], i) for i in range(len(self.places))]
        return torch.cat(blocks, dim=1)

    def _block(self, value: Tensor, i: int) -> Tensor:
        """A coordinate of the chain as features: its value, and indicators of categories."""
        number = value.float()[:, None]
        count = self._indicators(i)
        if not count:
            return number
        return torch.cat([number, (number == torch.arange(1, count + 1)).float()], dim=1)

    def _indicators(self, i: int) -> int:
        if not bool(self.nominal[self.places[i]]):
            return 0
        return min(_INDICATORS, len(self.cells[i]) - 2)

    def _width_before(self, i: int) -> int:
        """How many features come before those of coordinate ``i`` of the chain."""
        return int(self.smooth.sum()) + sum(1 + self._indicators(j) for j in range(i))


def _moved(lookup: Lookup, position: dict[int, int]) -> Lookup:
    """A lookup whose keys are positions in the chain."""
    parts = dict(lookup.state_dict())
    parts["keys"] = torch.tensor([position[k] for k in lookup.keys.tolist()])
    return Lookup(**parts)
