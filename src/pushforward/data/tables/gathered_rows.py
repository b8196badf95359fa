"""What several processes have read of one table, put together in each of them."""

import json
from typing import Any

import numpy as np

from .drawn_rows import Group
from .lazy_table import Table
from .range_rows import RangeRows
from .row_sample import Block, RowSample, joined

__all__ = ["gathered"]


def gathered(
    sample: RowSample, ranges: RangeRows, table: Table, group: Group
) -> tuple[RowSample, RangeRows]:
    """The sample and the ranges of the whole table, the same in every process.

    Communicated are, by each process, the priorities of its sample (8 bytes a row), the rows of it
    that are in the sample of all, and the rows that show a range.

    Args:
        sample, ranges: of the part of the table that this process has read.
        table: of which they are.
        group: the processes.
    """
    seen = [int(part) for part in group.gather(str(sample.seen).encode())]
    total = RowSample(sample.size)
    if sum(seen) > sample.size:
        parts = group.gather(sample.lowest().tobytes())
        every = np.concatenate([np.frombuffer(part, dtype=np.int64) for part in parts])
        if len(every) > sample.size:
            every = np.partition(every, sample.size)[: sample.size]
        sample.cut(every)
    blocks = _exchanged(sample.drawn(), table, group)
    together = RangeRows(ranges.most_levels)
    rows = joined(_exchanged(ranges.rows(), table, group))
    if rows is not None:
        together.add(rows)
    marks = group.gather(json.dumps(sorted(ranges.open_text)).encode())
    together.open_text.update(*(json.loads(part) for part in marks))
    total.hold(blocks, sum(seen))
    return total, together


def _exchanged(block: Block | None, table: Table, group: Group) -> list[Block]:
    """The blocks of all processes, as arrow streams: no pickle goes from one to another."""
    empty = block is None
    data = b"" if empty else table.pack(block.X)
    numbers = np.zeros(0, dtype=np.int64) if block is None else block.numbers
    found: list[Block] = []
    parts: Any = zip(group.gather(numbers.tobytes()), group.gather(data), strict=True)
    for own, packed in parts:
        if packed:
            found.append(Block(np.frombuffer(own, dtype=np.int64), table.unpack(packed)))
    return found
