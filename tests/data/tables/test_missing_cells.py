"""What a fit leaves out for missing cells, and what it refuses."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from pushforward.data import Columns
from pushforward.data.tables.column_summary import kept_text
from pushforward.errors import DataError


def table(**shares):
    """200 rows of numbers; of each column that share of the cells is missing, from the top."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    for name, share in shares.items():
        frame.loc[: round(200 * share) - 1, name] = np.nan
    return frame


@pytest.mark.parametrize("share", [0.005, 0.25, 0.5])
def test_rows_with_gaps_are_left_out_as_long_as_half_are_left(share):
    learned = Columns.learn(table(b=share), missing="auto")
    assert learned.columns.kinds == ("continuous",) * 3
    assert learned.columns.n_left_out == 200 * share
    np.testing.assert_array_equal(learned.kept, np.arange(200) >= 200 * share)
    assert learned.columns.describe()[1]["missing"] == share


def test_columns_with_most_cells_missing_are_left_out_before_rows():
    frame = table(a=0.1, b=0.505)
    learned = Columns.learn(frame, missing="auto")
    assert learned.columns.kinds == ("continuous", "empty", "continuous")
    assert learned.columns.n_left_out == 20
    entry = learned.columns.describe()[1]
    assert entry["why"] == "50 % of its cells are missing"
    assert entry["missing"] == 0.505
    assert entry["note"].startswith("left out of the model; empty in samples")
    z, _ = learned.columns.encode(frame.drop(columns="b").iloc[20:])
    assert z.shape == (180, 2)
    back = learned.columns.decode(z)
    assert list(back) == ["a", "b", "c"]
    assert back["b"].isna().all()
    assert back["b"].dtype == frame["b"].dtype


def test_the_columns_with_most_gaps_go_until_half_of_the_rows_are_complete():
    frame = table(a=0.3).assign(b=table(b=0.35)["b"].to_numpy()[::-1])
    columns = Columns.learn(frame, missing="auto").columns
    assert columns.kinds == ("continuous", "empty", "continuous")
    assert columns.n_left_out == 60
    why = "35 % of its cells are missing; less than half of the rows would be left"
    assert columns.describe()[1]["why"] == why
    kept = Columns.learn(frame, columns={"b": "continuous"}, missing="auto").columns
    assert kept.kinds == ("empty", "continuous", "continuous")
    assert kept.n_left_out == 70


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series([None, "x"], dtype="object"),
        pd.Series([None, "x"], dtype="category"),
        pd.Series([None, 3], dtype="Int64"),
        pd.Series([None, True], dtype="boolean"),
        pd.Series([None, pd.Timestamp("2024-01-31")]),
        pd.Series(["?", "7.5"]),
    ],
)
def test_a_column_left_out_keeps_its_dtype(cells):
    rows = np.r_[np.zeros(150, int), np.ones(50, int)]
    frame = table().assign(odd=cells.iloc[rows].reset_index(drop=True))
    for X in (frame, pl.from_pandas(frame)):
        columns = Columns.learn(X, missing="auto").columns
        assert columns.kinds[3] == "empty"
        back = columns.decode(columns.encode(X)[0])
        assert list(back.columns) == list(X.columns)
        assert str(back["odd"].dtype) == str(X["odd"].dtype)
        assert columns.to_config() == Columns.from_config(columns.to_config()).to_config()


def test_a_declared_column_stays():
    frame = table(b=0.7)
    with pytest.raises(DataError, match=r"Only 60 of 200 rows .* column 'b' in 140"):
        Columns.learn(frame, columns={"b": "continuous"}, missing="auto")
    dropped = Columns.learn(frame, columns={"b": "continuous"}, missing="drop").columns
    assert (dropped.n_rows, dropped.n_left_out) == (60, 140)


def test_too_few_whole_rows_are_refused_with_what_to_do():
    frame = table(a=0.3).assign(b=table(b=0.3)["b"].to_numpy()[::-1])
    frame.loc[40:119, "c"] = np.nan  # without any one column, less than half are complete
    with pytest.raises(DataError) as refused:
        Columns.learn(frame, missing="auto")
    text = str(refused.value)
    assert "Only 20 of 200 rows have no missing cell" in text
    assert "column 'c' in 80, column 'a' in 60, column 'b' in 60" in text
    assert '--drop NAME), or fit these rows with missing="drop" (--missing drop)' in text
    assert Columns.learn(frame, missing="drop").columns.n_rows == 20


def test_missing_cells_of_an_array_are_refused_as_scikit_learn_has_it():
    with pytest.raises(DataError, match="NaN"):
        Columns.learn(table(b=0.1).to_numpy(), missing="auto")
    dropped = Columns.learn(table(b=0.4).to_numpy(), missing="drop").columns
    assert (dropped.n_rows, dropped.n_left_out) == (120, 80)


def test_the_last_column_is_not_left_out():
    frame = table(a=0.6)[["a"]]
    with pytest.raises(DataError, match="Only 80 of 200 rows"):
        Columns.learn(frame, missing="auto")
    with_id = frame.assign(id=range(1, 201))
    with pytest.raises(DataError, match="Only 80 of 200 rows"):
        Columns.learn(with_id, missing="auto")


def test_shares_are_those_of_the_rows_that_count():
    frame, weight = table(b=0.6), np.r_[np.zeros(100), np.ones(100)]
    columns = Columns.learn(frame, missing="auto", sample_weight=weight).columns
    assert columns.kinds == ("continuous",) * 3
    assert (columns.n_rows, columns.n_left_out) == (80, 20)
    assert kept_text(columns) == "20 of 100 rows left out for missing cells"


def test_words_among_numbers_are_gaps_too():
    frame = table()
    frame["b"] = frame["b"].astype("object")
    frame.loc[:119, "b"] = "?"
    columns = Columns.learn(frame, missing="auto").columns
    assert columns.kinds[1] == "empty"
    assert columns.n_left_out == 0
