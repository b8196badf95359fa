"""Axes of numbers of all sizes are logarithmic, with a place for zero."""

import numpy as np
import pandas as pd
import pytest

from pushforward.data import Columns
from pushforward.report.column_axes import draw_columns


@pytest.fixture(scope="module")
def table():
    r = np.random.default_rng(0)
    amount = np.where(r.random(400) < 0.2, 0.0, np.exp(7 + 2 * r.normal(size=400)))
    return pd.DataFrame({"amount": amount, "size": np.exp(0.8 * r.normal(size=400))})


def test_positions_are_logarithms_and_zero_stands_below_the_smallest(table):
    columns = Columns.learn(table).columns
    assert all(column.logarithm is not None for column in columns.columns)
    amount, size = draw_columns(columns, table, table.iloc[:50])
    above = table["amount"] > 0
    np.testing.assert_allclose(amount.real[above], np.log10(table["amount"][above]))
    zero = np.log10(table["amount"][above].min()) - 0.5
    np.testing.assert_allclose(amount.real[~above], zero)
    assert amount.place(1000.0) == pytest.approx(3.0)
    assert amount.place(0.0) == pytest.approx(zero)
    # two orders of magnitude are not many: the axis stays as it is
    np.testing.assert_array_equal(size.real, table["size"])
    assert size.smallest is None


def test_ticks_are_orders_of_magnitude(table):
    amount, _ = draw_columns(Columns.learn(table).columns, table, table)
    places, texts = amount.orders(amount.limits)
    assert texts[0] == "0"
    assert 3 <= len(texts) <= 6
    for place, text in zip(places[1:], texts[1:], strict=True):
        assert 10.0**place == pytest.approx(float(text))
        assert amount.limits[0] <= place <= amount.limits[1]
    assert amount.orders((6.0, 13.5))[1] == ["1e6", "1e8", "1e10", "1e12"]


def test_rows_without_a_number_above_zero_are_drawn(table):
    columns = Columns.learn(table).columns
    none = table.iloc[:5].assign(amount=0.0)
    amount, _ = draw_columns(columns, none, none)
    assert (amount.real == 0).all()
    assert amount.smallest is None
