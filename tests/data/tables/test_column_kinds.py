"""What a column is taken for."""

import decimal

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

from pushforward.data import Columns
from pushforward.errors import DataError, ParameterError


def kinds(X, **options):
    return Columns.learn(X, **options).columns.kinds


def test_digits_are_integers_although_they_are_floats():
    found = set(kinds(load_digits().data))
    assert found == {"integer", "constant"}


@pytest.mark.parametrize("n", [2, 10, 100, 5000])
def test_random_normals_are_continuous(n):
    rng = np.random.default_rng(n)
    for dtype in (np.float64, np.float32, np.float16):
        assert set(kinds(rng.normal(size=(n, 3)).astype(dtype))) == {"continuous"}


def test_whole_floats_need_repeats_and_rows():
    assert kinds(np.arange(30.0)[:, None]) == ("continuous",)
    assert kinds(np.repeat(np.arange(10.0), 3)[:, None]) == ("integer",)
    assert kinds(np.repeat(np.arange(3.0), 3)[:, None]) == ("continuous",)
    assert kinds(np.repeat([1e300, 2e300], 10)[:, None]) == ("grid",)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False, True], "boolean"),
        ([1, 2, 2], "integer"),
        ([1.5, 2.0, 2.5], "continuous"),
        (["a", "b", "a"], "category"),
        ([7, 7, 7], "constant"),
        ([0.1, 0.1, 0.1], "constant"),
        ([False, False, False], "constant"),
        (np.array([1, 2, 2], dtype=object), "integer"),
        (np.array([1, 2.5, 2], dtype=object), "continuous"),
        (np.array([True, False, True], dtype=object), "boolean"),
        (np.array([2**70, 2**71, 5], dtype=object), "continuous"),
        ([decimal.Decimal("1.5"), decimal.Decimal("2.5"), decimal.Decimal("3")], "continuous"),
        (pd.Categorical([1, 2, 1]), "category"),
        (pd.array([1, 2, 2], dtype="UInt8"), "integer"),
    ],
)
def test_recognised(values, expected):
    assert kinds(pd.DataFrame({"column": values})) == (expected,)


def test_declared_kinds_win():
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [1.0, 2.0, 3.0], "c": [0.0, 1.0, 0.0]})
    declared = {"a": "continuous", "b": "integer", "c": "boolean"}
    columns = Columns.learn(frame, columns=declared).columns
    assert columns.kinds == tuple(declared.values())
    pd.testing.assert_frame_equal(columns.decode(columns.encode(frame)[0]), frame)
    assert kinds(frame.to_numpy(), columns={2: "category"})[2] == "category"
    assert kinds(pd.DataFrame({"f": [True, False]}), columns={"f": "integer"}) == ("integer",)


@pytest.mark.parametrize(
    ("values", "kind", "text"),
    [
        ([1.5, 2.0], "integer", "declared integer and holds fractions .* row 0"),
        (["a", "b"], "continuous", "declared continuous and holds text"),
        (pd.Categorical([1, 2]), "integer", "declared integer and has a categorical dtype"),
        ([1, 2, 3], "boolean", "holds 3 different values"),
    ],
)
def test_declared_kinds_that_do_not_fit(values, kind, text):
    with pytest.raises(DataError, match=text):
        kinds(pd.DataFrame({"a": values}), columns={"a": kind})


@pytest.mark.parametrize(
    "options",
    [
        {"columns": {"b": "integer"}},
        {"columns": {"a": "number"}},
        {"bounds": {"b": (0, 1)}},
        {"bounds": {"a": (1, 0)}},
        {"bounds": {"a": 3}},
        {"bounds": {"a": (0, "x")}},
        {"bounds": {"a": (0, np.inf)}},
        {"bounds": {"s": (0, 1)}},
    ],
)
def test_unusable_options(options):
    frame = pd.DataFrame({"a": [1.5, 2.5], "s": ["x", "y"]})
    with pytest.raises(ParameterError, match=r"Bounds are|Expected"):
        kinds(frame, **options)


def test_identifiers_are_left_out_unless_declared():
    frame = pd.DataFrame({"id": [f"user{i}" for i in range(60)], "x": np.arange(60.0) ** 2})
    columns = Columns.learn(frame).columns
    assert columns.kinds == ("identifier", "continuous")
    assert columns.describe()[0]["why"] == "60 different texts in 60 rows"
    rows = columns.decode(torch.zeros(3, 1))
    assert rows["id"].tolist() == ["id-1", "id-2", "id-3"]
    assert rows.dtypes.equals(frame.dtypes)
    assert torch.equal(columns.encode(frame[["x"]])[0], columns.encode(frame)[0])
    assert kinds(frame, columns={"id": "category"})[0] == "category"
    many = pd.DataFrame({"id": [f"user{i}" for i in range(1001)] * 2, "x": 0.5})
    assert kinds(many)[0] == "text"


@pytest.mark.parametrize(
    "values",
    [
        pd.period_range("2024-01", periods=3, freq="M"),
        pd.Categorical(pd.date_range("2024-01-01", periods=3)),
        np.array([b"a", b"b", b"c"], dtype=object),
    ],
)
def test_periods_and_bytes_have_to_be_converted(values):
    with pytest.raises(DataError, match=r"column 'd' holds .* convert the column to numbers"):
        kinds(pd.DataFrame({"d": values}))


def test_mixed_types_are_named_with_their_rows():
    frame = pd.DataFrame({"m": np.array([1, 2, "x", 4, "y"], dtype=object)})
    with pytest.raises(DataError, match="column 'm' mixes number and text: text in rows 2, 4"):
        kinds(frame)
    frame = pd.DataFrame({"m": np.array([True, 2, 3], dtype=object)})
    with pytest.raises(DataError, match="column 'm' mixes bool and number: bool in row 0"):
        kinds(frame)


def test_objects_are_a_type_error_too():
    X = np.array([[1.0, {"a": 1}], [2.0, 3.0]], dtype=object)
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        kinds(X)


def test_fractions_in_an_integer_column_count_as_the_nearest():
    columns = Columns.learn(pd.DataFrame({"n": [1, 2, 3]})).columns
    columns.encode(pd.DataFrame({"n": [1.0, 9.0, -4.0]}))
    with pytest.warns(UserWarning, match="learned as integer and holds fractions in rows 1, 2"):
        z, _ = columns.encode(pd.DataFrame({"n": [1.0, 2.5, 2.4]}))
    assert columns.decode(z)["n"].tolist() == [1, 3, 2]


def test_text_where_numbers_were_learned_is_refused():
    columns = Columns.learn(pd.DataFrame({"n": [1, 2, 3], "s": ["a", "b", "a"]})).columns
    with pytest.raises(DataError, match="'n' holds text, and held numbers in fit"):
        columns.encode(pd.DataFrame({"n": ["one"], "s": ["a"]}))
    with pytest.raises(DataError, match="'s' holds numbers, and held text in fit"):
        columns.encode(pd.DataFrame({"n": [1], "s": [1]}))


def test_numbers_that_come_as_text_are_numbers():
    columns = Columns.learn(pd.DataFrame({"n": [1, 2, 3], "s": ["a", "b", "a"]})).columns
    batch = pd.DataFrame({"n": ["1", "?", "3"], "s": ["a", "b", "a"]})
    assert columns.complete(batch).tolist() == [True, False, True]
    with pytest.raises(DataError, match=r"missing values .* column 'n': 1 \(row 1\)"):
        columns.encode(batch)
    numbers = pd.DataFrame({"n": [1, 3], "s": ["a", "a"]})
    kept = columns.take(batch, columns.complete(batch))
    assert torch.equal(columns.encode(kept)[0], columns.encode(numbers)[0])


def test_measurements_in_fixed_steps_are_a_grid():
    r = np.random.default_rng(0)
    readings = np.round(r.normal(20, 2, 200), 1)[:, None]
    columns = Columns.learn(readings).columns
    assert columns.kinds == ("grid",)
    z, log_det = columns.encode(readings)
    assert (columns.decode(z) == readings).all()
    # the density is that of the reading, per unit: cells are a tenth wide
    low, high = columns.edges(0, 0)
    np.testing.assert_allclose(log_det, np.log(float(high - low) / 0.1), rtol=1e-9)
    assert kinds(r.normal(size=(200, 1))) == ("continuous",)
    assert kinds(np.repeat(r.normal(size=20), 10)[:, None]) == ("discrete",)


def test_grids_do_not_take_bounds_and_must_be_grids():
    r = np.random.default_rng(0)
    readings = np.round(r.normal(20, 2, 200), 1)[:, None]
    with pytest.raises(ParameterError, match="Bounds are for"):
        Columns.learn(readings, columns={0: "grid"}, bounds={0: (0, None)})
    with pytest.raises(DataError, match="fixed distance"):
        Columns.learn(r.normal(size=(200, 1)), columns={0: "grid"})


@pytest.mark.parametrize("dtype", [int, float])
def test_whole_numbers_are_a_grid_too_of_which_no_two_are_as_near_as_the_step(dtype):
    # the nitrogen of a field trial: once refused as declared a grid, which nobody had
    nitrogen = np.repeat([0, 50, 80, 110, 140], 20).astype(dtype)
    columns = Columns.learn(pd.DataFrame({"nitrogen": nitrogen})).columns
    (column,) = columns.columns
    assert (column.kind, column.step) == ("grid", 10.0)
    z, _ = columns.encode(pd.DataFrame({"nitrogen": nitrogen[::7]}))
    assert (columns.decode(z)["nitrogen"] == nitrogen[::7]).all()


@pytest.mark.parametrize("scores", [6, 12, 23])
@pytest.mark.parametrize("decimals", [1, 2, 3])
def test_rounded_averages_are_a_grid_of_the_numbers_that_were_seen(scores, decimals):
    # of six scores, counted from 1.667 in steps of .1667, one average in two was .001 off
    r = np.random.default_rng(0)
    exact = np.clip(np.rint(r.normal(4.5 * scores, scores, 400)), scores, 9 * scores) / scores
    seen = np.round(exact, decimals)
    (column,) = (columns := Columns.learn(pd.DataFrame({"x": seen})).columns).columns
    z, _ = columns.encode(pd.DataFrame({"x": seen}))
    if column.kind == "grid":
        assert (columns.decode(z)["x"] == seen).all()
        (entry,) = columns.describe()
        assert (entry["low"], entry["high"]) == (seen.min(), seen.max())
    else:
        np.testing.assert_allclose(columns.decode(z)["x"], seen, atol=1e-12)


def test_a_sum_that_is_rounded_to_steps_is_sampled_in_these_steps():
    r = np.random.default_rng(0)
    area, step = r.integers(150, 350, 800), 4.1927437641723335
    whole = np.rint(area * 4 / step) * step
    frame = pd.DataFrame({"area": area, "whole": whole, "depth": r.normal(size=800)})
    columns = Columns.learn(frame).columns
    assert columns.columns[1].formula is not None
    assert columns.columns[1].kind == "grid"
    back = columns.decode(columns.encode(frame)[0])
    np.testing.assert_allclose(back["whole"], whole, rtol=1e-12)
    assert (back["area"] == area).all()
