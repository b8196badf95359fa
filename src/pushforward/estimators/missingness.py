"""Which cells of a row are missing, as a distribution: where samples have their holes."""

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelFileError
from ..transport.discrete_chain import DiscreteChain
from ..transport.numerics import with_prefix
from ..transport.rows import Rows

if TYPE_CHECKING:
    from ..data import Columns

__all__ = ["Missingness"]

_MOST_FITTED = 20_000  # rows that are looked at
_FEWEST = 40  # rows by which to tell whether holes depend on cells
_HELD_OUT = 0.25  # of the rows, which tell it
_MANY = 20  # different columns of holes from which on each is fitted quickly
_TIMED = 500  # rows that say, where there is a deadline, how many can be looked at until it
_TIMES = 8  # that a quick fit takes less than all there is to fit
_REDRAWN = 20  # times that the holes of a row without any cell left are drawn again


class Missingness:
    """The distribution of which cells of a row are missing; build it with :meth:`fit`.

    A column with holes has an indicator, and columns whose holes always come together share one.
    The indicators are a chain (:class:`~pushforward.transport.discrete_chain.DiscreteChain`):
    each given those before it, so that patterns come together, and given the cells of the
    completed row where held-out rows are more probable so. It knows nothing of a cell but what its
    row and its column say: that large values are kept back because they are large shows in no
    table.

    Args:
        columns: (m,) int64 numbers of the columns of the table that have holes.
        indicator: (m,) int64, the indicator of each of them.
        chain: of the indicators, behind the coordinates that they depend on, if any.
        n_coordinates: how many these are; 0 where holes depend on one another alone.
        gain: nats a row that held-out patterns are more probable than if each cell were missing by
            itself.
    """

    def __init__(
        self,
        columns: Tensor,
        indicator: Tensor,
        chain: DiscreteChain,
        n_coordinates: int,
        gain: float,
    ) -> None:
        self.columns, self.indicator = columns, indicator
        self.chain, self.n_coordinates, self.gain = chain, n_coordinates, gain

    @classmethod
    def fit(
        cls,
        columns: "Columns",
        X: Any,
        rows: Rows,
        seed: int,
        weight: Tensor | None = None,
        deadline: float = math.inf,
    ) -> "Missingness | None":
        """Learn which cells are missing.

        Args:
            columns: of the table.
            X: table with missing cells.
            rows: coordinates of the same rows, their missing cells drawn.
            seed: of everything random.
            weight: (n,) of the rows, or None.
            deadline: ``time.monotonic()`` to be done by; fewer rows are looked at where it is
                near, but not fewer than 500. Where it is over, holes depend on one another alone.

        Returns:
            None where no cell is missing.
        """
        gaps = np.stack(list(columns.missing(X, identifiers=True).values()), axis=1)
        places = np.flatnonzero(gaps.any(axis=0))
        if not len(places):
            return None
        distinct, indicator = np.unique(gaps[:, places], axis=1, return_inverse=True)
        count, d = distinct.shape[1], rows.x.shape[1]
        own = Rows.continuous(torch.from_numpy(distinct).double() + 0.5, weight)
        own = _with_cells(own)
        generator = torch.Generator().manual_seed(seed)
        some = torch.randperm(len(own), generator=generator)[:_MOST_FITTED]
        own, beside = own.take(some), rows.take(some)
        beside = dataclasses.replace(beside, weight=own.weight, completions=()).beside(own)
        alone, after = torch.arange(count), d + torch.arange(count)
        late = time.monotonic() > deadline
        if math.isfinite(deadline) and len(own) > _TIMED:
            few = _TIMED if late else _affordable(beside, after, seed, deadline)
            own, beside = (part.take(torch.arange(few)) for part in (own, beside))
        depends, gain = False, 0.0
        if len(own) >= _FEWEST:
            # copies of whole rows stay together; those of patterns of holes are what is learned
            order = torch.randperm(len(own), generator=generator)
            out, fit = order.split([held := round(_HELD_OUT * len(own)), len(own) - held])
            if d:
                fit, out = beside.split(held, seed)

            def held_out(part: Rows, chained: Tensor) -> Tensor:
                chain = DiscreteChain.fit(part.take(fit), chained, seed, quick=True)
                return chain.log_prob(part.x[out])

            joint = held_out(own, alone)
            given = joint if late else held_out(beside, after)
            gap = given - joint
            depends = bool(d) and float(gap.mean()) > float(gap.std()) / len(out) ** 0.5
            value = own.take(out).mean(given if depends else joint)
            gain = value - _independent(own, fit, out)
        part, chained = (beside, after) if depends else (own, alone)
        chain = DiscreteChain.fit(part, chained, seed, quick=late or count > _MANY)
        return cls(
            torch.from_numpy(places),
            torch.from_numpy(indicator.reshape(-1)),
            chain,
            d if depends else 0,
            gain,
        )

    def sample(self, z: Tensor, generator: torch.Generator, modelled: Sequence[int]) -> np.ndarray:
        """Draw which cells of rows are missing.

        Args:
            z: (n, D) coordinates of complete rows.
            generator: of the draws.
            modelled: numbers of columns; a row keeps one of their cells at least.

        Returns:
            (n, m) bool, of the columns that have holes.
        """
        count = len(self.chain.places)
        blank = z.new_zeros(len(z), count)
        given = torch.cat([z[:, : self.n_coordinates], blank], dim=1)

        def drawn(rows: Tensor) -> Tensor:
            found = self.chain.sample(rows, generator)[:, self.n_coordinates :] >= 1
            return found[:, self.indicator]

        gaps = drawn(given)
        own = torch.isin(self.columns, torch.tensor(modelled))
        if int(own.sum()) < len(modelled):
            return gaps.numpy()
        for _ in range(_REDRAWN):
            bare = gaps[:, own].all(dim=1)
            if not bool(bare.any()):
                break
            gaps[bare] = drawn(given[bare])
        gaps[gaps[:, own].all(dim=1)] = False
        return gaps.numpy()

    def gaps(
        self, z: Tensor, generator: torch.Generator, columns: "Columns"
    ) -> dict[int, np.ndarray]:
        """Draw which cells (n,) are missing, by the number of their column, for ``decode``.

        Args:
            z, generator: as of :meth:`sample`.
            columns: of the table.
        """
        modelled = [j for j, column in enumerate(columns.columns) if not column.left_out]
        gaps = self.sample(z, generator, modelled)
        return dict(zip(self.columns.tolist(), gaps.T, strict=True))

    def note(self, columns: "Columns") -> str:
        """What was found, in a sentence."""
        names = [repr(columns.labels[j]) for j in self.columns.tolist()]
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        many = len(names) > 1
        if self.n_coordinates:
            how = "depends on the other cells" + (" and on one another" if many else "")
        elif not many:
            how = "does not depend on the other cells"
        else:
            how = "depends on one another alone" if self.gain > 0 else "depends on nothing seen"
        more = f", {self.gain:+.3f} nats a row over holes at random" if self.gain > 0 else ""
        return f"samples have holes in {shown}: whether a cell is missing {how}{more}"

    # --- saving -----------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What it learned besides tensors, as JSON values."""
        return {
            "columns": self.columns.tolist(),
            "indicator": self.indicator.tolist(),
            "n_coordinates": self.n_coordinates,
            "gain": self.gain,
        }

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """Its tensors by name."""
        return self.chain.state_dict(prefix=prefix)

    @classmethod
    def restore(
        cls, state: dict[str, Any], tensors: dict[str, Tensor], prefix: str, columns: "Columns"
    ) -> "Missingness":
        """Rebuild from :meth:`state` and :meth:`tensors`.

        Raises:
            ModelFileError: for values that do not belong together.
            ValueError: for tensors that do not.
        """
        chain = DiscreteChain.from_state(with_prefix(tensors, prefix))
        places, indicator, d = state["columns"], state["indicator"], state["n_coordinates"]
        count, n_columns = len(chain.places), len(columns.columns)
        fine = type(d) is int and d in (0, columns.n_coordinates)
        fine = fine and chain.places.sort().values.tolist() == list(range(d, d + count))
        fine = fine and len(chain.nominal) == d + count and type(state["gain"]) is float
        fine = fine and all(type(j) is int for j in (*places, *indicator)) and len(places) > 0
        fine = fine and len(set(places)) == len(places) == len(indicator)
        fine = fine and all(0 <= j < n_columns for j in places)
        there = (columns.columns[j] for j in places if fine)
        fine = fine and all(not c.left_out or c.kind == "identifier" for c in there)
        fine = fine and set(indicator) == set(range(count))
        if not fine:
            raise ModelFileError(
                "The columns with missing cells are not those of the table. The files of this "
                "folder do not belong together: save the model anew."
            )
        return cls(torch.tensor(places), torch.tensor(indicator), chain, d, state["gain"])


def _affordable(rows: Rows, chained: Tensor, seed: int, deadline: float) -> int:
    """How many of some rows can be looked at until a deadline, by the time that few take."""
    began = time.monotonic()
    DiscreteChain.fit(rows.take(torch.arange(_TIMED)), chained, seed, quick=True)
    now = time.monotonic()
    times = max(0.0, deadline - now) / (_TIMES * (now - began))
    return min(len(rows), max(_TIMED, int(times * _TIMED)))


def _with_cells(rows: Rows) -> Rows:
    """Coordinates that lie in cells of width one, two-valued ones."""
    return dataclasses.replace(rows, discrete=torch.ones(rows.x.shape[1], dtype=torch.bool))


def _independent(rows: Rows, fit: Tensor, out: Tensor) -> float:
    """Mean log probability of held-out indicators that are independent, nats a row."""
    part = rows.take(fit)
    share = torch.tensor([part.mean(column) for column in part.x.floor().T]).double()
    share = (share * len(fit) + 0.5) / (len(fit) + 1)
    missing = rows.x[out].floor() > 0
    return rows.take(out).mean(torch.where(missing, share, 1 - share).log().sum(1))
