"""Tables that are read when asked: their columns, whatever container they came in."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from pushforward.data.tables.lazy_table import Table, column_labels
from pushforward.errors import ParameterError


@pytest.mark.parametrize(
    ("X", "labels"),
    [
        (pd.DataFrame({"a": [1], "b": [2]}), ["a", "b"]),
        (pd.DataFrame([[1, 2]]), [0, 1]),
        (pl.DataFrame({"a": [1], "b": [2]}), ["a", "b"]),
        (np.zeros((5, 3)), [0, 1, 2]),
        (np.zeros(5), []),
        (np.zeros((5, 8, 8), np.uint8), []),
        (["a line"], []),
    ],
)
def test_labels_are_names_of_frames_and_positions_of_arrays(X, labels):
    assert column_labels(X) == labels


def test_a_table_in_memory_comes_in_batches_of_all_its_rows():
    frame = pd.DataFrame({"a": range(10)})
    table = Table.of(frame)
    assert (table.n_rows, table.columns) == (10, ["a"])
    parts = list(table.batches(4))
    assert [len(part) for part in parts] == [4, 4, 2]
    pd.testing.assert_frame_equal(pd.concat(parts), frame)


def test_batches_of_no_rows_are_refused():
    with pytest.raises(ParameterError, match="n_rows is 0"):
        list(Table.of(np.zeros((3, 2))).batches(0))
