"""What models ask of coordinates: masks, and the edges of cells."""

import numpy as np
import pandas as pd
import pytest

from pushforward.data import Columns
from pushforward.errors import DataError


def test_edges_only_of_discrete_coordinates():
    columns = Columns.learn(pd.DataFrame({"x": [0.1, 2.7, 3.9], "word": ["a", "b", "a"]})).columns
    with pytest.raises(DataError, match=r"Coordinate 0 \(x\) is continuous"):
        columns.edges(0, 0)


def test_masks_are_of_coordinates_where_columns_are_left_out():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": range(60),
            "one": "same",
            "price": rng.choice([1.99, 4.99, 7.49, 9.95], 60),
            "size": rng.normal(size=60),
            "nothing": None,
            "class": rng.choice(["a", "b"], 60),
        }
    )
    columns = Columns.learn(frame).columns
    assert columns.kinds[2:4] == ("discrete", "continuous")
    assert columns.listed.tolist() == [True, False, False]
    assert columns.discrete.tolist() == [True, False, True]
    assert columns.nominal.tolist() == [False, False, True]
