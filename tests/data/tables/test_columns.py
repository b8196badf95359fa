"""Columns: round trips, log-determinants, and rows scored alone or together."""

import json
import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pushforward.data import Columns
from pushforward.errors import DataError, ParameterError

NORMAL = torch.distributions.Normal(0.0, 1.0)
QUICK = settings(max_examples=40, deadline=None)


def mixed_frame(n=200, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": rng.normal(5, 3, n),
            "x32": rng.normal(size=n).astype(np.float32),
            "count": rng.poisson(3, n),
            "small": rng.integers(-4, 5, n).astype(np.int8),
            "whole": rng.integers(0, 6, n).astype(float),
            "flag": rng.random(n) < 0.3,
            "word": rng.choice(["a", "bb", "c"], n),
            "object": np.array(rng.choice(["p", "q"], n), dtype=object),
            "level": pd.Categorical(
                rng.choice(["lo", "hi"], n), categories=["lo", "mid", "hi"], ordered=True
            ),
            "code": pd.Categorical(rng.choice([10, 20, 30], n)),
            "Int": pd.array(rng.integers(0, 9, n), dtype="Int32"),
            "Float": pd.array(rng.normal(size=n), dtype="Float64"),
            "Bool": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "String": pd.array(rng.choice(["u", "v"], n), dtype="string"),
            "arrow": pd.array(rng.integers(0, 9, n), dtype="int64[pyarrow]"),
            "same": "always",
            "seven": 7,
        }
    )


def encoded(X, **options):
    columns = Columns.learn(X, **options).columns
    return columns, *columns.encode(X)


def test_frame_round_trip_with_names_order_and_dtypes():
    frame = mixed_frame()
    columns, z, log_det = encoded(frame)
    assert z.dtype == log_det.dtype == torch.float64
    assert z.shape == (200, columns.n_coordinates)
    assert columns.n_columns == 17
    assert columns.n_coordinates == 15
    back = columns.decode(z)
    pd.testing.assert_frame_equal(back, frame, rtol=1e-6)
    discrete = [name for name in frame if name not in ("x", "x32", "Float")]
    pd.testing.assert_frame_equal(back[discrete], frame[discrete])


def test_coordinates_are_standardised():
    columns, z, _ = encoded(mixed_frame(5000))
    torch.testing.assert_close(z.mean(0), torch.zeros(15, dtype=z.dtype), atol=0.02, rtol=0)
    torch.testing.assert_close(z.std(0), torch.ones(15, dtype=z.dtype), atol=0.02, rtol=0)
    x = torch.tensor(mixed_frame(5000)["x"].to_list(), dtype=z.dtype)
    torch.testing.assert_close((x - columns.loc[0]) / columns.scale[0], z[:, 0])


def test_polars_frame_round_trip():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "x": rng.normal(size=60),
            "x32": pl.Series(rng.normal(size=60), dtype=pl.Float32),
            "u8": pl.Series(rng.integers(0, 9, 60), dtype=pl.UInt8),
            "word": rng.choice(["a", "b"], 60),
            "cat": pl.Series(rng.choice(["a", "b"], 60), dtype=pl.Categorical),
            "enum": pl.Series(rng.choice(["a", "b"], 60), dtype=pl.Enum(["b", "a", "c"])),
            "flag": rng.random(60) < 0.5,
            "same": 1.5,
        }
    )
    columns, z, _ = encoded(frame)
    back = columns.decode(z)
    assert isinstance(back, pl.DataFrame)
    assert back.schema == frame.schema
    assert back.drop("x", "x32").equals(frame.drop("x", "x32"))
    np.testing.assert_allclose(back["x"], frame["x"])


def test_pyarrow_table_round_trip():
    table = pa.table(
        {"n": [1, 2, 2, 5], "s": ["a", "b", "a", "a"], "b": [True, False, True, True]}
    )
    columns, z, _ = encoded(table)
    assert columns.decode(z).equals(table)


@pytest.mark.parametrize(
    "dtype", ["f2", "f4", "f8", "longdouble", ">f8", "i1", "i8", "u1", "u8", "bool", "object"]
)
def test_array_round_trip(dtype):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(50, 3)) * 20).clip(0, 100).astype(dtype)
    columns, z, _ = encoded(X)
    back = columns.decode(z)
    assert isinstance(back, np.ndarray)
    assert back.dtype == X.dtype
    np.testing.assert_allclose(back.astype(float), X.astype(float), rtol=1e-6, atol=1e-12)


def test_object_array_of_words_and_numbers_round_trip():
    X = np.array([["a", 1, 2.5], ["b", 2, 0.75], ["a", 2, 1.5]], dtype=object)
    columns, z, _ = encoded(X)
    assert columns.kinds == ("category", "integer", "continuous")
    back = columns.decode(z)
    assert back.dtype == object
    assert back[:, :2].tolist() == X[:, :2].tolist()
    np.testing.assert_allclose(back[:, 2].astype(float), X[:, 2].astype(float))
    assert [type(cell) for cell in back[0]] == [str, int, float]
    words = np.array([["a", "x"], ["bb", "y"], ["a", "y"]])
    columns, z, _ = encoded(words)
    np.testing.assert_array_equal(columns.decode(z), words)


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.int32, torch.uint8, torch.bool]
)
def test_tensor_round_trip(dtype):
    X = (torch.randn(40, 2, generator=torch.manual_seed(0)).abs() * 5).to(dtype)
    columns, z, _ = encoded(X)
    back = columns.decode(z)
    assert isinstance(back, torch.Tensor)
    assert back.dtype == dtype
    torch.testing.assert_close(back, X)


# Coordinates of numbers


@QUICK
@given(
    hnp.arrays(
        np.float64, (12,), elements=st.floats(allow_nan=False, allow_infinity=False), unique=True
    )
)
def test_any_finite_floats_have_finite_coordinates_and_come_back(values):
    X = values[:, None]
    columns, z, log_det = encoded(X, columns={0: "continuous"})
    assert torch.isfinite(z).all()
    assert torch.isfinite(log_det).all()
    assert z.abs().max() < 10
    np.testing.assert_allclose(columns.decode(z), X, rtol=1e-9, atol=1e-12 * np.ptp(values / 2))


@pytest.mark.parametrize("size", [1e300, 1.7e308, 1e30, 1e-300, 5e-324, 1.0])
def test_extreme_sizes(size):
    X = np.array([[-1.0], [0.5], [1.0], [0.25]]) * size
    columns, z, log_det = encoded(X, columns={0: "continuous"})
    assert torch.isfinite(z).all()
    assert torch.isfinite(log_det).all()
    np.testing.assert_allclose(columns.decode(z), X, rtol=1e-12, atol=0)
    if size in (1e300, 1e30, 1e-300):
        expected = -math.log(np.std([-1, 0.5, 1, 0.25])) - math.log(size)
        np.testing.assert_allclose(log_det, expected, rtol=1e-12)


def test_near_constant_column_at_a_large_offset():
    X = 1e9 + (np.arange(40) % 2)[:, None] * 1e-5
    columns, z, _ = encoded(X, columns={0: "continuous"})
    assert z.std() == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(columns.decode(z), X)


def test_value_that_overflows_is_refused_by_name():
    frame = pd.DataFrame({"tiny": np.linspace(1e-300, 2e-300, 20)})
    columns = Columns.learn(frame).columns
    with pytest.raises(DataError, match=r"column 'tiny' holds values too far .* row 1\b"):
        columns.encode(pd.DataFrame({"tiny": [1e-300, 1e300]}))


@pytest.mark.parametrize("bounds", [(0, 1), (0, None), (None, 1), (-3.0, 7)])
def test_log_det_of_bounded_columns_is_that_of_finite_differences(bounds):
    rng = np.random.default_rng(1)
    X = np.sort(rng.beta(0.5, 0.5, size=(60, 1)), axis=0)
    columns, z, log_det = encoded(X, bounds={0: bounds})
    step = 1e-6
    inner = X.clip(2 * step, 1 - 2 * step)
    up, down = (columns.encode(inner + d)[0] for d in (step, -step))
    slope = ((up - down) / (2 * step)).squeeze(1).log()
    torch.testing.assert_close(columns.encode(inner)[1], slope, rtol=1e-3, atol=1e-2)
    assert (z.diff(dim=0) >= 0).all()
    np.testing.assert_allclose(columns.decode(z), X, atol=1e-12)
    assert torch.isfinite(log_det).all()


@pytest.mark.parametrize("bounds", [(0, 10), (0, None), (None, 10)])
def test_values_on_a_bound_are_finite_and_come_back(bounds):
    X = np.array([[0.0], [10.0], [2.5], [7.5], [0.0], [10.0]])
    columns, z, log_det = encoded(X, bounds={0: bounds})
    assert torch.isfinite(z).all()
    assert torch.isfinite(log_det).all()
    np.testing.assert_allclose(columns.decode(z), X, atol=1e-12)
    far = columns.decode(torch.tensor([[-1e3], [1e3], [-1e308], [1e308]], dtype=torch.float64))
    assert np.isfinite(far).all()
    assert bounds[0] is None or far.min() >= bounds[0]
    assert bounds[1] is None or far.max() <= bounds[1]


def test_bounds_of_extreme_size():
    X = np.array([[-1e308], [1e308], [0.0], [3e307]])
    columns, z, _ = encoded(X, bounds={0: (-1.7e308, 1.7e308)})
    assert torch.isfinite(z).all()
    np.testing.assert_allclose(columns.decode(z), X, rtol=1e-9, atol=1e293)


def test_values_outside_their_bounds_are_named():
    frame = pd.DataFrame({"share": [0.1, 0.5, 0.9, 1.5]})
    with pytest.raises(DataError, match=r"column 'share' leaves its bounds .* in row 3"):
        Columns.learn(frame, bounds={"share": (0, 1)})
    columns = Columns.learn(frame[:3], bounds={"share": (0, 1)}).columns
    with pytest.raises(DataError, match=r"column 'share' leaves its bounds .* in row 3"):
        columns.encode(frame)


def test_integers_with_bounds_take_whole_cells():
    X = np.random.default_rng(0).integers(0, 101, size=(200, 1))
    columns, z, _ = encoded(X, bounds={0: (0, 100)})
    assert columns.kinds == ("integer",)
    np.testing.assert_array_equal(columns.decode(z), X)
    lower, upper = columns.edges(0, np.arange(X.min(), 101) - X.min())
    assert torch.isfinite(lower).all()
    assert torch.equal(lower[1:], upper[:-1])


@pytest.mark.parametrize("low", [0, -5, 10**18, -(2**63), 2**62])
def test_large_integers_are_exact(low):
    X = np.array([[low + k] for k in (0, 1, 2, 5, 5)], dtype=np.int64)
    columns, z, _ = encoded(X)
    np.testing.assert_array_equal(columns.decode(z), X)


def test_integers_over_the_whole_range_of_their_dtype():
    for dtype in (np.int64, np.uint64):
        info = np.iinfo(dtype)
        X = np.array([[info.min], [info.max], [7], [8]], dtype=dtype)
        columns, z, log_det = encoded(X)
        assert torch.isfinite(z).all()
        assert torch.isfinite(log_det).all()
        back = columns.decode(z)
        np.testing.assert_allclose(back.astype(float), X.astype(float), atol=1e4)


# Probabilities


def cell_probability(columns, j, k):
    lower, upper = columns.edges(j, k)
    return NORMAL.cdf(upper) - NORMAL.cdf(lower)


def test_probabilities_of_categories_sum_to_one():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"word": rng.choice(["a", "b", "c", "d"], 500, p=[0.5, 0.3, 0.15, 0.05])})
    columns, _, log_det = encoded(frame)
    every = cell_probability(columns, 0, np.arange(-60, 60))
    assert every.sum() == pytest.approx(1, abs=1e-9)
    # The mean density over many draws of a row's noise is the probability of its cell.
    one = frame[frame.word == "b"][:1]
    draws = [columns.encode(one, draw=d) for d in range(400)]
    density = torch.stack([(NORMAL.log_prob(z).sum() + ld).exp() for z, ld in draws])
    cell = columns.cell_index(columns.encode(one)[0])[0, 0]
    assert cell == 1
    assert density.mean() == pytest.approx(float(cell_probability(columns, 0, 1)), rel=0.02)
    assert log_det.unique().numel() == 1


def test_categories_are_ordered_by_frequency():
    frame = pd.DataFrame({"word": ["z"] * 5 + ["a"] * 3 + ["m"] * 3 + ["b"]})
    assert Columns.learn(frame).columns.describe()[0]["categories"] == ("z", "a", "m", "b")
    weights = [1] * 5 + [10] * 3 + [1] * 4
    described = Columns.learn(frame, sample_weight=weights).columns.describe()
    assert described[0]["categories"] == ("a", "z", "m", "b")


def test_unseen_category_falls_in_the_cell_after_the_last():
    frame = pd.DataFrame({"word": ["a", "b", "a"], "x": [1.0, 2.0, 4.0]})
    columns = Columns.learn(frame).columns
    z, log_det = columns.encode(pd.DataFrame({"word": ["new"], "x": [1.0]}))
    assert columns.cell_index(z)[0, 0] == 2
    assert torch.isfinite(log_det).all()
    assert columns.decode(z)["word"][0] in ("a", "b")


def test_constant_columns_count_as_smoothed_probabilities():
    frame = pd.DataFrame({"k": [3] * 8, "s": ["x"] * 8, "f": [0.5] * 8, "b": [True] * 8})
    columns, z, log_det = encoded(frame)
    assert columns.kinds == ("constant",) * 4
    assert z.shape == (8, 0)
    np.testing.assert_allclose(log_det, 4 * np.log(9 / 10))
    other = pd.DataFrame({"k": [4], "s": ["x"], "f": [0.25], "b": [True]})
    np.testing.assert_allclose(columns.encode(other)[1], 2 * np.log(9 / 10) + 2 * np.log(1 / 10))
    pd.testing.assert_frame_equal(columns.decode(z), frame)


def test_array_of_constants_has_no_coordinates():
    columns, z, log_det = encoded(np.ones((5, 3)))
    assert z.shape == (5, 0)
    np.testing.assert_allclose(log_det, 3 * np.log(6 / 7))
    np.testing.assert_array_equal(columns.decode(z), np.ones((5, 3)))


def test_density_in_the_users_units():
    rng = np.random.default_rng(0)
    X = rng.normal(100, 20, size=(4000, 1))
    columns = Columns.learn(X).columns
    z, log_det = columns.encode(np.array([[90.0]]))
    expected = torch.distributions.Normal(X.mean(), X.std()).log_prob(torch.tensor(90.0))
    assert NORMAL.log_prob(z)[0, 0] + log_det[0] == pytest.approx(float(expected), abs=1e-6)


# Noise that belongs to the row


def test_a_row_has_the_same_coordinates_in_any_batch():
    frame = mixed_frame()
    bounds = {"x": (-50, 50), "Float": (-9, None), "count": (0, None)}
    columns, z, log_det = encoded(frame, bounds=bounds)
    order = np.random.default_rng(1).permutation(len(frame))
    mixed, mixed_det = columns.encode(frame.iloc[order])
    assert torch.equal(mixed, z[order])
    assert torch.equal(mixed_det, log_det[order])
    for start, stop in ((0, 67), (67, 200), (7, 8), (10, 13)):
        part, part_det = columns.encode(frame[start:stop])
        assert torch.equal(part, z[start:stop])
        assert torch.equal(part_det, log_det[start:stop])


def test_a_row_has_the_same_coordinates_in_any_container():
    X = np.random.default_rng(0).integers(0, 50, size=(40, 3))
    columns, z, _ = encoded(X)
    for same in (X.astype(float), X.astype(np.int8), X.tolist(), torch.tensor(X), pd.DataFrame(X)):
        assert torch.equal(columns.encode(same)[0], z)


def test_generator_gives_fresh_noise_and_draws_differ():
    frame = mixed_frame()
    columns, z, _ = encoded(frame)
    rng = np.random.default_rng(0)
    first, second = columns.encode(frame, draw=rng)[0], columns.encode(frame, draw=rng)[0]
    other = columns.encode(frame, draw=1)[0]
    for changed in (second, z, other):
        assert torch.equal(first[:, ~columns.discrete], changed[:, ~columns.discrete])
    assert not torch.isclose(first[:, columns.discrete], second[:, columns.discrete]).any()
    assert not torch.isclose(z[:, columns.discrete], other[:, columns.discrete]).any()
    assert torch.equal(columns.cell_index(first), columns.cell_index(other))


@pytest.mark.parametrize("draw", [-1, 1.5, True, "a", None])
def test_unusable_draw(draw):
    columns = Columns.learn(np.eye(3)).columns
    with pytest.raises(ParameterError, match="whole number of at least 0, or a numpy"):
        columns.encode(np.eye(3), draw=draw)


# Weights and missing cells


def test_zero_weights_are_as_if_the_rows_were_not_there():
    frame = mixed_frame()
    weights = np.random.default_rng(0).integers(0, 3, len(frame))
    learned = Columns.learn(frame, sample_weight=weights)
    kept = weights > 0
    np.testing.assert_array_equal(learned.kept, kept)
    without = Columns.learn(frame[kept], sample_weight=weights[kept])
    assert learned.columns.to_config() == without.columns.to_config()
    np.testing.assert_array_equal(learned.sample_weight, weights[kept])


def test_weights_are_repeats():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    weights = rng.integers(1, 4, 30)
    weighted = Columns.learn(X, sample_weight=weights).columns
    repeated = Columns.learn(np.repeat(X, weights, axis=0)).columns
    torch.testing.assert_close(weighted.loc, repeated.loc)
    torch.testing.assert_close(weighted.scale, repeated.scale)


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ([1, 1], "sample_weight.shape"),
        ([[1], [1], [1]], "1D array"),
        ([1, -1, 1], "negative"),
        ([1, np.nan, 1], "row 1"),
        ([0, 0, 0], "zero in every row"),
        (["a", "b", "c"], "numbers"),
    ],
)
def test_unusable_weights(weights, text):
    with pytest.raises(DataError, match=text):
        Columns.learn(np.eye(3), sample_weight=weights)


def test_missing_rows_are_dropped_when_asked():
    frame = pd.DataFrame({"x": [1.0, np.nan, 3.0, 4.0], "s": ["a", "b", None, "a"]})
    weights = np.arange(4.0) + 1
    columns, X, kept_weight, kept = Columns.learn(frame, missing="drop", sample_weight=weights)
    np.testing.assert_array_equal(kept, [True, False, False, True])
    assert X.index.tolist() == [0, 3]
    assert kept_weight.tolist() == [1, 4]
    assert columns.encode(X)[0].shape == (2, 1)
    polars = pl.DataFrame({"x": [1.0, None, 3.0, 4.0]})
    assert Columns.learn(polars, missing="drop").X["x"].to_list() == [1.0, 3.0, 4.0]
    tensor = torch.tensor([[1.0], [math.nan], [2.0]])
    assert Columns.learn(tensor, missing="drop").X.tolist() == [[1.0], [2.0]]
    whole = np.eye(3)
    assert Columns.learn(whole, missing="drop").X is whole


def test_all_rows_dropped_is_an_error():
    frame = pd.DataFrame({"x": [1.0, np.nan], "s": [None, "b"]})
    with pytest.raises(DataError, match=r"Only 0 sample\(s\) of 2 are left"):
        Columns.learn(frame, missing="drop")
    with pytest.raises(ParameterError, match="Expected one of"):
        Columns.learn(frame, missing="fill")


# Description


def test_describe_and_names():
    columns = Columns.learn(mixed_frame()).columns
    rows = {row["name"]: row for row in columns.describe()}
    assert list(rows) == list(mixed_frame().columns)
    assert rows["x"]["kind"] == "continuous"
    assert rows["whole"]["kind"] == "integer"
    assert (rows["whole"]["low"], rows["whole"]["high"]) == (0, 5)
    assert rows["flag"]["categories"] == (False, True)
    assert rows["same"]["categories"] == ("always",)
    assert columns.feature_names == list(mixed_frame().columns)
    assert "same" not in columns.names
    array = Columns.learn(np.eye(3)).columns
    assert array.names == ("x0", "x1", "x2")
    assert array.feature_names is None


# To a file


def test_config_is_json_and_exact():
    for X in (mixed_frame(), np.random.default_rng(0).normal(size=(9, 2)) / 3, torch.eye(3)):
        columns, z, log_det = encoded(X)
        text = json.dumps(columns.to_config(), allow_nan=False)
        again = Columns.from_config(json.loads(text))
        assert json.dumps(again.to_config()) == text
        z2, log_det2 = again.encode(X)
        assert torch.equal(z, z2)
        assert torch.equal(log_det, log_det2)
        assert type(again.decode(z)) is type(X)


def test_categories_keep_their_types():
    frame = pd.DataFrame({"a": [1, 2, 1], "b": [0.5, 0.1, 0.1], "c": ["1", "2", "1"]})
    columns = Columns.learn(frame, columns=dict.fromkeys("abc", "category")).columns
    again = Columns.from_config(json.loads(json.dumps(columns.to_config())))
    found = [row["categories"] for row in again.describe()]
    assert found == [(1, 2), (0.1, 0.5), ("1", "2")]
    assert [type(values[0]) for values in found] == [int, float, str]
    pd.testing.assert_frame_equal(again.decode(again.encode(frame)[0]), frame)
