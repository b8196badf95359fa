"""Tables built from coordinates: within what the columns hold; what is no row is refused."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from pushforward.data import Columns
from pushforward.errors import DataError


def encoded(X, **options):
    columns = Columns.learn(X, **options).columns
    return columns, *columns.encode(X)


def test_decode_clips_to_what_the_column_can_hold():
    frame = pd.DataFrame(
        {"n": [1, 2, 5], "s": ["a", "b", "a"], "x": np.array([1, 2, 4], dtype="f4")}
    )
    columns, z, _ = encoded(frame)
    back = columns.decode(torch.tensor([[-1e9, -1e9, -1e300], [1e9, 1e9, 1e300]], dtype=z.dtype))
    assert back["n"].tolist() == [1, 5]
    assert back["s"].tolist() == ["a", "b"]
    assert np.isfinite(back["x"]).all()
    assert back.dtypes.equals(frame.dtypes)


def test_declared_continuous_integers_are_rounded():
    X = np.array([[100], [110], [120], [130]], dtype=np.uint8)
    columns, z, _ = encoded(X, columns={0: "continuous"})
    assert columns.kinds == ("continuous",)
    np.testing.assert_array_equal(columns.decode(z + 0.01), X)
    # below zero, where no value was, it is reflected; beyond the dtype it is its end
    below = columns.decode(z - 12 * (z[1] - z[0]))
    np.testing.assert_array_equal(below, [[20], [10], [0], [10]])
    np.testing.assert_array_equal(columns.decode(torch.tensor([[99.0]])), [[255]])


def test_decode_refuses_what_is_not_a_coordinate():
    columns = Columns.learn(np.eye(3)).columns
    with pytest.raises(DataError, match=r"Expected \(n, 3\)"):
        columns.decode(torch.zeros(2, 4))
    with pytest.raises(DataError, match="NaN or infinite in row 1"):
        columns.decode(torch.tensor([[0.0, 0, 0], [math.nan, 0, 0]]))
    assert columns.decode(torch.zeros(0, 3)).shape == (0, 3)


def test_decode_accepts_any_float_tensor():
    columns, z, _ = encoded(np.random.default_rng(0).normal(size=(9, 2)))
    again = columns.decode(z.float().requires_grad_())
    np.testing.assert_allclose(again, columns.decode(z), atol=1e-5)
