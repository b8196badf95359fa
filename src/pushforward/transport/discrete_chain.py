"""The joint distribution of discrete coordinates given smooth ones, one after the other.

``P(k_1, ..., k_m | x) = prod_i P(k_i | k_1 ... k_(i-1), x)``: the chain rule, each factor by
:class:`~.conditional_trees.ConditionalTrees`, or by a table where the column is a function of
others. In the language of maps it is the triangular (Knothe-Rosenblatt) transport of uniform
noise.
"""

import math

import torch
from torch import Tensor, nn

from .cell_margins import CellMargins
from .conditional_trees import ConditionalTrees
from .dependencies import Lookup, find_lookups
from .numerics import under
from .rows import Rows

__all__ = ["DiscreteChain"]

_INDICATORS = 12  # most frequent categories that trees may ask for one by one
_INSIDE = 1e-6  # samples keep this share of a cell from its edges


class DiscreteChain(nn.Module):
    """Exact conditional distribution of some coordinates; build it with :meth:`fit`.

    Values count from 0: 0 stands for all cells below those seen, the last for all above, in
    which the probability halves from cell to cell.

    Buffers, m coordinates in the order of the chain: ``places`` (m,) where they stand among all;
    ``nominal`` (D,) categories; ``origin``, ``width``, ``first``, ``size`` (m,): cell ``k``, from
    ``origin + k * width`` on, has the value ``k - first + 1``, up to ``size - 1``.

    Args:
        trees: the conditional distribution of each coordinate.
        lookups: by position in the chain, the coordinates that are functions of others.
    """

    places: Tensor
    nominal: Tensor
    origin: Tensor
    width: Tensor
    first: Tensor
    size: Tensor

    def __init__(
        self, trees: list[ConditionalTrees], lookups: dict[int, Lookup], **parts: Tensor
    ) -> None:
        super().__init__()
        for name in DiscreteChain.__annotations__:
            self.register_buffer(name, parts[name])
        self.trees = nn.ModuleList(trees)
        self.lookups = nn.ModuleDict({str(i): lookup for i, lookup in lookups.items()})
        d = len(self.nominal)
        self.smooth = torch.ones(d, dtype=torch.bool)
        self.smooth[self.places] = False

    @classmethod
    def fit(cls, rows: Rows, places: Tensor, seed: int, *, quick: bool = False) -> "DiscreteChain":
        """Learn the distribution of the coordinates ``places`` given all others.

        Args:
            rows: all coordinates.
            places: (m,) which of them; the others are given.
            seed: of everything random.
            quick: as of :meth:`ConditionalTrees.fit`.
        """
        rows = rows.evenly()
        x = rows.x[:, places].T.contiguous()
        origin, width = rows.origin[places], rows.width[places]
        cells = CellMargins.fit(x, origin, width)
        last = (cells.mass > 0).sum(1)
        value = ((x - origin[:, None]) / width[:, None]).floor() - cells.first[:, None] + 1
        value = value.long().T
        lookups = find_lookups(value, (last + 2).tolist())
        distinct = [len(value[:, j].unique()) for j in range(len(places))]
        # what others determine comes last; else few values before many
        order = sorted(range(len(places)), key=lambda j: (j in lookups, distinct[j], j))
        position = {j: i for i, j in enumerate(order)}
        by_order = torch.tensor(order)
        chain = cls(
            [],
            {position[j]: _moved(lookup, position) for j, lookup in lookups.items()},
            places=places[by_order],
            nominal=rows.nominal,
            origin=origin[by_order],
            width=width[by_order],
            first=cells.first[by_order],
            size=(last + 2)[by_order],
        )
        value = value[:, by_order]
        features = chain._features(rows.x, value)
        for i, j in enumerate(order):
            tail = cells.tails.log_mass[:, j].exp()
            base = torch.cat([tail[:1], cells.mass[j, : last[j]], tail[1:]])
            ordered = not bool(rows.nominal[places[j]])
            known = features[:, : chain._width_before(i)]
            trees = ConditionalTrees.fit(
                known,
                value[:, i],
                base / base.sum(),
                ordered=ordered,
                seed=seed + i,
                quick=quick,
            )
            chain.trees.append(trees)
        return chain

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "DiscreteChain":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        count, d = len(state["places"]), len(state["nominal"])
        shapes = {state[name].shape for name in ("origin", "width", "first", "size")}
        places = state["places"].sort().values
        if (
            shapes != {(count,)}
            or bool((places.diff() <= 0).any())
            or not bool(((places >= 0) & (places < d)).all())
            or not bool((state["width"] > 0).all())
        ):
            raise ValueError("the coordinates of a chain do not belong together")
        trees = [ConditionalTrees.from_state(under(state, f"trees.{i}.")) for i in range(count)]
        for one, size in zip(trees, state["size"].tolist(), strict=True):
            if len(one.base) != size:
                raise ValueError("a coordinate of a chain has trees of another size")
        lookups = {}
        for i in range(count):
            if parts := under(state, f"lookups.{i}."):
                lookups[i] = Lookup(**parts)
                if not bool((lookups[i].keys < i).all() and (lookups[i].keys >= 0).all()):
                    raise ValueError("a column of a chain is looked up by one that comes later")
        return cls(trees, lookups, **{name: state[name] for name in cls.__annotations__})

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density of the chain's coordinates given the others: (n, D) -> (n,)."""
        cell = ((x[:, self.places] - self.origin) / self.width).floor()
        value = (cell - self.first + 1).clamp_min(0)
        value = torch.minimum(value, (self.size - 1).to(value.dtype)).long()
        below = (self.first - cell).clamp_min(0)
        above = (cell - self.first + 2 - self.size).clamp_min(0) + 1
        last = value == self.size - 1
        beyond = torch.where(value == 0, below, 0.0) + torch.where(last, above, 0.0)
        result = -math.log(2) * beyond.sum(1) - self.width.log().sum()
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
        """Fill the chain's coordinates of rows in: (n, D) with the others given -> (n, D)."""
        n = len(x)
        x = x.clone()
        value = torch.zeros(n, len(self.places), dtype=torch.long)
        features = self._features(x, value)
        for i, trees in enumerate(self.trees):
            drawn = trees.sample(features[:, : self._width_before(i)], generator)
            if str(i) in self.lookups:
                known, looked_up, _ = self.lookups[str(i)].find(value)
                drawn = torch.where(known, looked_up, drawn)
            value[:, i] = drawn
            block = self._block(drawn, i)
            begin = self._width_before(i)
            features[:, begin : begin + block.shape[1]] = block
        u = torch.rand(value.shape, generator=generator, dtype=torch.float64)
        cell = self.first + (value - 1)
        for end, sign in ((value == 0, -1), (value == self.size - 1, 1)):
            count = int(end.sum())
            far = torch.rand(count, generator=generator, dtype=torch.float64)
            cell[end] += (sign * (-far.clamp_min(1e-12).log2()).floor()).to(cell.dtype)
        inside = _INSIDE + (1 - 2 * _INSIDE) * u
        x[:, self.places] = self.origin + (cell + inside) * self.width
        return x

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
        return min(_INDICATORS, int(self.size[i]) - 2)

    def _width_before(self, i: int) -> int:
        """How many features come before those of coordinate ``i`` of the chain."""
        return int(self.smooth.sum()) + sum(1 + self._indicators(j) for j in range(i))


def _moved(lookup: Lookup, position: dict[int, int]) -> Lookup:
    """A lookup whose keys are positions in the chain."""
    parts = dict(lookup.state_dict())
    parts["keys"] = torch.tensor([position[k] for k in lookup.keys.tolist()])
    return Lookup(**parts)
