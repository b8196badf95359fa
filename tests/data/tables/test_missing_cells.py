"""What a fit learns of tables with missing cells, and what it leaves out."""

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


@pytest.mark.parametrize("share", [0.005, 0.25, 0.5, 0.9])
def test_rows_with_gaps_stay_and_columns_are_learned_of_the_cells_there(share):
    frame = table(b=share)
    learned = Columns.learn(frame, missing="auto")
    columns = learned.columns
    assert columns.kinds == ("continuous",) * 3
    assert (columns.n_left_out, columns.n_rows) == (0, 200)
    assert learned.kept.all()
    assert columns.describe()[1]["missing"] == share
    alone = Columns.learn(frame[["b"]].dropna()).columns.columns[0]
    assert columns.columns[1].loc == pytest.approx(alone.loc)
    assert columns.columns[1].scale == pytest.approx(alone.scale)


@pytest.mark.parametrize(
    ("rows", "share", "kind"),
    [
        (40, 0.5, "continuous"),  # 20 known cells
        (38, 0.5, "continuous"),  # 19, but no more than half are missing
        (46, 0.565, "continuous"),  # 20 of 46
        (46, 0.59, "empty"),  # 19 of 46
        (200, 0.9, "continuous"),
        (200, 0.905, "empty"),
        (1000, 0.91, "empty"),  # 90 known cells, but ten drawn for each
    ],
)
def test_what_is_known_of_a_column_says_whether_it_is_modelled(rows, share, kind):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(rows, 2)), columns=["a", "b"])
    frame.loc[: round(rows * share) - 1, "b"] = np.nan
    assert Columns.learn(frame, missing="auto").columns.kinds[1] == kind
    assert Columns.learn(frame, missing="model").columns.kinds[1] == "continuous"


def test_a_model_that_makes_no_holes_leaves_out_what_is_mostly_missing():
    frame = table(b=0.7)
    learned = Columns.learn(frame, missing="auto", most_missing=0.5)
    assert learned.columns.kinds == ("continuous", "empty", "continuous")


def test_columns_with_most_cells_missing_are_left_out():
    frame = table(a=0.1, b=0.905)
    learned = Columns.learn(frame, missing="auto")
    assert learned.columns.kinds == ("continuous", "empty", "continuous")
    assert learned.columns.n_left_out == 0
    entry = learned.columns.describe()[1]
    assert entry["why"] == "90 % of its cells are missing"
    assert entry["missing"] == 0.905
    assert entry["note"].startswith("left out of the model; empty in samples")
    z, _ = learned.columns.encode(frame.drop(columns="b").iloc[20:])
    assert z.shape == (180, 2)
    back = learned.columns.decode(z)
    assert list(back) == ["a", "b", "c"]
    assert back["b"].isna().all()
    assert back["b"].dtype == frame["b"].dtype
    every = Columns.learn(frame, missing="model").columns
    assert every.kinds == ("continuous",) * 3


def test_rows_without_a_cell_are_left_out_and_counted():
    frame = table(a=0.1, b=0.1, c=0.2)
    columns = Columns.learn(frame, missing="model").columns
    assert (columns.n_rows, columns.n_left_out) == (180, 20)
    assert kept_text(columns) == "20 of 200 rows left out for missing cells"


def test_what_columns_have_to_do_with_each_other_is_learned_of_rows_that_have_both():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"price": rng.integers(100, 999, 300), "fee": rng.integers(1, 50, 300)})
    frame["total"] = frame["price"] + frame["fee"]
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, 300), unit="D")
    frame["start"] = start
    frame["end"] = start + pd.to_timedelta(rng.integers(0, 9, 300), unit="D")
    holes = frame.mask(rng.random(frame.shape) < 0.1)
    columns = Columns.learn(holes, missing="model").columns
    assert columns.columns[2].formula.places == (0, 1)
    assert columns.columns[4].origin == 3
    # where hardly any row has all of the columns, nothing is said of them
    few = frame.mask(rng.random(frame.shape) < 0.75)
    assert all(c.formula is None for c in Columns.learn(few, missing="model").columns.columns)


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
    rows = np.r_[np.zeros(30, int), np.ones(10, int)]
    frame = table().head(40).assign(odd=cells.iloc[rows].reset_index(drop=True))
    for X in (frame, pl.from_pandas(frame)):
        columns = Columns.learn(X, missing="auto").columns
        assert columns.kinds[3] == "empty"
        back = columns.decode(columns.encode(X)[0])
        assert list(back.columns) == list(X.columns)
        assert str(back["odd"].dtype) == str(X["odd"].dtype)
        assert columns.to_config() == Columns.from_config(columns.to_config()).to_config()


def test_a_declared_column_stays():
    frame = table(b=0.95)
    columns = Columns.learn(frame, columns={"b": "continuous"}, missing="auto").columns
    assert columns.kinds == ("continuous",) * 3
    dropped = Columns.learn(frame, columns={"b": "continuous"}, missing="drop").columns
    assert (dropped.n_rows, dropped.n_left_out) == (10, 190)


def test_of_an_array_no_column_is_left_out():
    X = table(b=0.95).to_numpy()
    with pytest.raises(DataError, match="NaN"):
        Columns.learn(X)
    assert Columns.learn(X, missing="auto").columns.kinds == ("continuous",) * 3
    dropped = Columns.learn(X, missing="drop").columns
    assert (dropped.n_rows, dropped.n_left_out) == (10, 190)


def test_the_last_column_is_not_left_out():
    frame = table(a=0.95)[["a"]]
    assert Columns.learn(frame, missing="auto").columns.kinds == ("continuous",)
    with_id = frame.assign(id=range(1, 201))
    assert Columns.learn(with_id, missing="auto").columns.kinds == ("continuous", "identifier")


def test_shares_are_those_of_the_rows_that_count():
    frame, weight = table(b=0.85), np.r_[np.ones(185), np.zeros(15)]
    assert Columns.learn(frame, missing="auto").columns.kinds == ("continuous",) * 3
    columns = Columns.learn(frame, missing="auto", sample_weight=weight).columns
    assert columns.kinds == ("continuous", "empty", "continuous")
    assert columns.describe()[1]["missing"] == pytest.approx(170 / 185)


def test_words_among_numbers_are_gaps_too():
    frame = table()
    frame["b"] = frame["b"].astype("object")
    frame.loc[:119, "b"] = "?"
    frame.loc[120:184, "b"] = None
    columns = Columns.learn(frame, missing="auto").columns
    assert columns.kinds[1] == "empty"
    assert columns.n_left_out == 0
