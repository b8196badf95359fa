"""Errors of unusable tables, with scikit-learn's words."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch

from pushforward.data import Columns
from pushforward.errors import DataError


def learn(X, **options):
    return Columns.learn(X, estimator="GIS", **options)


@pytest.mark.parametrize(
    ("X", "text"),
    [
        (np.arange(3.0), "Reshape your data"),
        (np.zeros((2, 2, 2)), "dim 3"),
        (np.zeros((0, 3)), r"0 sample\(s\) \(shape=\(0, 3\)\)"),
        (np.zeros((1, 3)), r"1 sample\(s\) .* minimum of 2 is required by GIS"),
        (
            np.zeros((12, 0)),
            r"0 feature\(s\) \(shape=\(12, 0\)\) while a minimum of 1 is required.",
        ),
        (
            pd.DataFrame(index=range(12)),
            r"0 feature\(s\) \(shape=\(12, 0\)\) while a minimum of 1",
        ),
        (pd.DataFrame({"a": [1]}), r"1 sample\(s\)"),
        (np.ones((3, 1)) * 1j, "Complex data not supported"),
        (torch.ones(3, 1, dtype=torch.complex64), "Complex data not supported"),
        (pd.Series([1, 2, 3]), "Expected a 2-dimensional container|Expected 2D array"),
        ([[1, 2], [3]], "rows of one length"),
        (pl.DataFrame({"a": [1, 2]}).lazy(), "collect"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), "occur twice"),
        (pd.DataFrame({("a", "b"): [1, 2]}), "Column label"),
        ("text", "Expected 2D array"),
        (None, "Expected 2D array"),
    ],
)
def test_no_table(X, text):
    with pytest.raises(DataError, match=text):
        learn(X)


def test_sparse_is_a_type_error_as_in_scikit_learn():
    for X in (scipy.sparse.eye_array(3), torch.eye(3).to_sparse()):
        with pytest.raises(TypeError, match=r"[Ss]parse"):
            learn(X)


def test_number_of_features():
    columns = learn(np.eye(3)).columns
    with pytest.raises(
        DataError, match="X has 2 features, but GIS is expecting 3 features as inp"
    ):
        columns.encode(np.eye(2))


NAMED = pd.DataFrame(np.eye(3), columns=["a", "b", "c"])
START = "The feature names should match those that were passed during fit.\n"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (
            ["c", "b", "a"],
            START + "Feature names must be in the same order as they were in fit.\n",
        ),
        (["x", "y", "c"], START + "Feature names unseen at fit time:\n- x\n- y\n"),
        (["a", "b"], START + "Feature names seen at fit time, yet now missing:\n- c\n"),
    ],
)
def test_names_have_to_match(names, text):
    columns = learn(NAMED).columns
    X = pd.DataFrame(np.eye(3)[:, : len(names)], columns=names)
    for frame in (X, pl.from_pandas(X)):
        with pytest.raises(DataError, match=re.escape(text)):
            columns.encode(frame)


def test_arrays_and_frames_can_stand_in_for_each_other():
    named, array = learn(NAMED).columns, learn(NAMED.to_numpy()).columns
    z = named.encode(NAMED)[0]
    assert torch.equal(named.encode(NAMED.to_numpy())[0], z)
    assert torch.equal(array.encode(NAMED)[0], z)
    assert torch.equal(named.encode(pl.from_pandas(NAMED))[0], z)
    assert torch.equal(named.encode(NAMED.set_axis(range(3), axis=1))[0], z)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"age": [1.0, np.nan, 3.0, np.nan], "s": ["a", "b", "a", None]}),
        pd.DataFrame({"age": pd.array([1, None, 3, None], dtype="Int64"), "s": [*"aba", None]}),
        pl.DataFrame({"age": [1.0, None, 3.0, float("nan")], "s": ["a", "b", "a", None]}),
    ],
)
def test_missing_values_are_named(frame):
    text = r"NaN.* column 'age': 2 \(rows 1, 3\); column 's': 1 \(row 3\).*missing='drop'"
    with pytest.raises(DataError, match=text):
        learn(frame)


@pytest.mark.parametrize("missing", [np.nan, None, pd.NA, pd.NaT])
def test_missing_objects(missing):
    X = np.array([[1, "a"], [2, missing], [3, "b"]], dtype=object)
    with pytest.raises(DataError, match=r"column 1: 1 \(row 1\)"):
        learn(X)


def test_masked_arrays_have_missing_cells():
    X = np.ma.masked_less(np.arange(6.0).reshape(3, 2), 1)
    with pytest.raises(DataError, match=r"column 0: 1 \(row 0\)"):
        learn(X)


def test_missing_values_in_many_rows_and_columns_are_counted():
    X = np.full((20, 9), np.nan)
    with pytest.raises(DataError, match=r"rows 0, 1, 2, 3, 4, \.\.\. \(20 in all\).*9 columns in"):
        learn(X)


def test_missing_values_when_scored():
    columns = learn(NAMED).columns
    with pytest.raises(DataError, match="leave these rows out"):
        columns.encode(NAMED.replace(0.0, np.nan))


@pytest.mark.parametrize("missing", ["error", "drop"])
def test_infinities_are_never_dropped(missing):
    frame = pd.DataFrame({"a": [1.0, np.inf, 2.0], "b": [1.0, 2.0, -np.inf]})
    text = r"infinity \(inf\).*column 'a': 1 \(row 1\); column 'b': 1 \(row 2\)"
    for X in (frame, pl.from_pandas(frame)):
        with pytest.raises(DataError, match=text):
            learn(X, missing=missing)
    for X in (frame.to_numpy(), frame.to_numpy().astype("f4"), torch.tensor(frame.to_numpy())):
        with pytest.raises(DataError, match="infinity"):
            learn(X, missing=missing)


def test_long_doubles_beyond_float64():
    with pytest.raises(DataError, match="too large for float64"):
        learn(np.array([["1e4000"], ["1"]]).astype("longdouble"))


def test_weights_that_are_a_column_of_a_frame_are_copied():
    weight = np.array([1.0, 2.0, 0.5])
    weight.flags.writeable = False  # as those of a frame in pandas 3, which torch warns of
    frame = pd.DataFrame({"a": [1.0, 2.5, 4.0]})
    kept = Columns.learn(frame, sample_weight=weight).sample_weight
    assert kept is not None
    assert kept.flags.writeable
    assert kept.tolist() == weight.tolist()
