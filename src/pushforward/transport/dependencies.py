"""Finds columns that are exact functions of one or two others."""

import itertools
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

__all__ = ["Lookup", "find_lookups"]

_CHANCE = 1e-6  # that values which do not depend on their keys agree as often as they do
_PAIRS_AMONG = 24  # columns among which pairs are looked at
_SAMPLES = (200, 4000)  # rows of the first looks; what passes is checked on all


class Lookup(nn.Module):
    """A discrete value as a function of one or two others: ``value = table[key]``.

    Buffers: ``keys`` (k,) places of the columns that determine it, ``size`` (k,) how many values
    each of them has; ``code`` (m,) the combinations seen, rising, ``value`` (m,) the value of
    each, ``count`` (m,) the rows it was seen in.
    """

    keys: Tensor
    size: Tensor
    code: Tensor
    value: Tensor
    count: Tensor

    def __init__(self, **parts: Tensor) -> None:
        super().__init__()
        for name in Lookup.__annotations__:
            self.register_buffer(name, parts[name])

    @classmethod
    def from_state(cls, state: dict[str, Tensor], place: int, size: int) -> "Lookup":
        """Rebuild the lookup of the column ``place``, which has ``size`` values.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        m = len(state["code"])
        value, keys = state["value"], state["keys"]
        if (
            m == 0
            or value.shape != (m,)
            or state["count"].shape != (m,)
            or not 1 <= len(keys) <= 2
            or keys.shape != state["size"].shape
            or any(state[part].dtype != torch.long for part in ("keys", "size", "code", "value"))
            or bool((state["count"] < 1).any())
            or not bool(((keys >= 0) & (keys < place)).all())
            or not bool(((value >= 0) & (value < size)).all())
            or bool((state["code"].diff() <= 0).any())
        ):
            raise ValueError("the table of a column that others determine is none")
        return cls(**state)

    def find(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of values (n, C): whether the key is known, its value, and the rows it was seen in."""
        code = _encoded(values, self.keys, self.size)
        place = torch.searchsorted(self.code, code).clamp_max(len(self.code) - 1)
        return self.code[place] == code, self.value[place], self.count[place]


def find_lookups(values: Tensor, size: Sequence[int]) -> dict[int, Lookup]:
    """The columns that are functions of one or two others, without an exception.

    That no two rows with equal keys differ is evidence only as far as it would not happen by
    chance: keys that never repeat determine everything. The chance is that of as many
    repetitions agreeing as there are, each by the share of equal pairs in the column.

    Args:
        values: (n, C) int64, each column from 0.
        size: values that each column can have.

    Returns:
        A lookup for each column that is determined. No column of its keys is.
    """
    n, columns = values.shape
    distinct = [len(values[:, j].unique()) for j in range(columns)]
    samples = [values[:few] for few in _SAMPLES if few < n] + [values]
    possible = _possible(samples[0])
    agree = []
    for j in range(columns):
        share = torch.bincount(values[:, j]).double() / n
        agree.append(math.log(min(float(share.square().sum()), 1 - 1e-12)))
    found: dict[int, Lookup] = {}

    def lookup(j: int) -> Lookup | None:
        for keys in _candidates(j, distinct, found):
            if len(keys) == 1 and not bool(possible[keys[0], j]):
                continue
            parts = None
            for rows in samples:
                parts = _table(rows, j, keys, [size[k] for k in keys])
                if parts is None:
                    break
            if parts is not None:
                repeated = n - len(parts["code"])
                if repeated * agree[j] < math.log(_CHANCE):
                    return Lookup(**parts)
        return None

    # of columns that say the same, the one with fewer values is looked up
    for j in sorted(range(columns), key=lambda j: (distinct[j], j)):
        if (table := lookup(j)) is not None:
            found[j] = table
    for j in list(found):  # a key that turned out to be looked up itself gives way to its own
        if any(k in found for k in found[j].keys.tolist()):
            del found[j]
            if (table := lookup(j)) is not None:
                found[j] = table
    return found


def _possible(values: Tensor) -> Tensor:
    """Of columns (n, C), whether rows with equal values of one have equal ones of another: (C, C).

    All others are looked at together, which in wide tables is what makes it quick.
    """
    found = []
    for i in range(values.shape[1]):
        ordered = values[values[:, i].argsort()]
        differ = ordered[1:] != ordered[:-1]
        found.append(~(differ & ~differ[:, i : i + 1]).any(0))
    return torch.stack(found)


def _candidates(
    j: int, distinct: list[int], found: dict[int, Lookup]
) -> Iterator[tuple[int, ...]]:
    """Keys that could determine column ``j``: single columns first, then pairs."""
    free = [i for i in range(len(distinct)) if i != j and i not in found]
    for i in sorted(free, key=lambda i: distinct[i]):
        if distinct[i] >= distinct[j]:
            yield (i,)
    if len(free) < _PAIRS_AMONG:
        for pair in itertools.combinations(sorted(free, key=lambda i: distinct[i]), 2):
            if distinct[pair[0]] * distinct[pair[1]] >= distinct[j] > 2:
                yield pair


def _table(
    values: Tensor, j: int, keys: tuple[int, ...], size: list[int]
) -> dict[str, Tensor] | None:
    """Column ``j`` by its keys, as a :class:`Lookup` holds it; None where keys contradict."""
    places, sizes = torch.tensor(keys), torch.tensor(size)
    code, order = _encoded(values, places, sizes).sort()
    value = values[order, j]
    same = code[1:] == code[:-1]
    if bool((same & (value[1:] != value[:-1])).any()):
        return None
    code, count = code.unique_consecutive(return_counts=True)
    return {
        "keys": places,
        "size": sizes,
        "code": code,
        "value": value[count.cumsum(0) - count],
        "count": count,
    }


def _encoded(values: Tensor, keys: Tensor, size: Tensor) -> Tensor:
    code = torch.zeros(len(values), dtype=torch.long)
    for key, each in zip(keys, size, strict=True):
        code = code * each + values[:, key]
    return code
