"""Named sets are what their descriptions say, and can be learned from."""

import numpy as np
import pytest

from pushforward.data import (
    Columns,
    datasets,
    load_dataset,
    mixture,
    open_data,
    two_moons,
)
from pushforward.errors import DataError


@pytest.mark.parametrize("found", datasets(), ids=lambda found: found.name)
def test_described_as_it_is(found):
    frame = load_dataset(found.name)
    assert frame.shape == (found.rows, found.columns)
    assert found.about
    assert found.origin
    columns = Columns.learn(frame).columns
    z, _ = columns.encode(frame)
    assert columns.decode(z).dtypes.equals(frame.dtypes)
    table = open_data(found.name)
    assert table.n_rows == found.rows
    assert table.columns == list(frame.columns)
    assert table.read().equals(frame)
    assert sum(map(len, table.batches(100))) == found.rows


def test_kinds_of_the_known_sets():
    def kinds(name):
        return set(Columns.learn(load_dataset(name)).columns.kinds)

    assert kinds("digits") == {"integer", "constant"}
    assert kinds("iris") == {"grid", "category"}
    assert kinds("mixture") == {"continuous", "integer", "category", "boolean"}


def test_made_sets_follow_their_seed():
    assert two_moons(50, random_state=1).equals(two_moons(50, random_state=1))
    assert not two_moons(50, random_state=1).equals(two_moons(50, random_state=2))
    big = mixture(20_000)
    shares = big["group"].value_counts(normalize=True)
    np.testing.assert_allclose(shares[["a", "b", "c"]], [0.5, 0.3, 0.2], atol=0.02)
    np.testing.assert_allclose(big.groupby("group")["count"].mean(), [2, 5, 9], atol=0.1)


def test_unknown_names():
    with pytest.raises(DataError, match="did you mean 'digits'"):
        load_dataset("digit")
    with pytest.raises(DataError, match=r"did you mean 'wine'.*\.parquet.*two_moons"):
        open_data("wines")
