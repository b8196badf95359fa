"""Dates that are counted from other dates of their row."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from pushforward.data import Columns
from pushforward.data.tables.date_order import find_origins
from pushforward.errors import ModelFileError


def stays(n=300, seed=0):
    """Stays of 1 to 12 days with a bill up to three days after each."""
    r = np.random.default_rng(seed)
    start = pd.Timestamp("2021-01-01") + pd.to_timedelta(r.integers(0, 900, n), unit="D")
    end = start + pd.to_timedelta(1 + r.poisson(4, n), unit="D")
    bill = end + pd.to_timedelta(r.integers(0, 3 * 86_400, n), unit="s")
    texts = {"end": end.strftime("%d.%m.%Y"), "start": start.strftime("%d.%m.%Y")}
    return pd.DataFrame(texts | {"bill": bill, "price": r.normal(300, 20, n).round(2)})


def order_of(frame):
    start, end = (pd.to_datetime(frame[c], format="%d.%m.%Y") for c in ("start", "end"))
    return start, end, frame["bill"]


def test_dates_are_counted_from_the_closest_that_they_never_precede():
    frame = stays()
    columns = Columns.learn(frame).columns
    assert [column.origin for column in columns.columns] == [1, None, 0, None]
    end = columns.describe()[0]
    assert (end["low"], end["high"]) == ("1 day", "12 days")
    assert end["why"].startswith("counted from start, dates like ")
    z, log_det = columns.encode(frame)
    pd.testing.assert_frame_equal(columns.decode(z), frame)
    assert log_det.isfinite().all()


@pytest.mark.parametrize("convert", [lambda f: f, pl.from_pandas])
def test_no_row_breaks_the_order_whatever_the_coordinates(convert):
    columns = Columns.learn(convert(stays())).columns
    z = 3 * torch.randn(2000, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = columns.decode(z)
    start, end, bill = order_of(drawn if isinstance(drawn, pd.DataFrame) else drawn.to_pandas())
    assert (end > start).all()
    assert (bill >= end).all()


def test_a_row_that_breaks_the_order_is_far_away():
    frame = stays()
    columns = Columns.learn(frame).columns
    swapped = frame.rename(columns={"start": "end", "end": "start"})[list(frame)]
    assert columns.encode(swapped)[0][:, 0].max() < columns.encode(frame)[0][:, 0].min()


def test_saved_and_read_again():
    frame = stays()
    columns = Columns.learn(frame).columns
    config = json.loads(json.dumps(columns.to_config(), allow_nan=False))
    again = Columns.from_config(config)
    assert torch.equal(again.encode(frame)[0], columns.encode(frame)[0])
    names = frame.assign(name=[f"k{i:x}" for i in range(len(frame))])[["name", *frame]]
    kept = Columns.learn(names).columns.kept()
    assert [column.origin for column in kept.columns] == [1, None, 0, None]
    for places in ({0: 7}, {0: 3}, {0: 2}, {1: 0}):  # none, no date, a finer one, a circle
        altered = json.loads(json.dumps(config))
        for place, origin in places.items():
            altered["columns"][place]["origin"] = origin
        with pytest.raises(ModelFileError, match=r"origin|circle"):
            Columns.from_config(altered)


def test_only_an_order_that_could_be_otherwise_counts():
    r = np.random.default_rng(0)
    born, visit = r.integers(0, 9000, 300), r.integers(20_000, 20_100, 300)
    assert find_origins({0: born, 1: visit}, {0: "day", 1: "day"}) == {}
    start = r.integers(0, 900, 300)
    free = r.integers(0, 900, 300)
    assert find_origins({0: start, 1: free}, {0: "day", 1: "day"}) == {}
    end = start + r.integers(0, 9, 300)
    assert find_origins({0: end, 1: start}, {0: "day", 1: "day"}) == {0: 1}
    end[0] = start[0] - 5  # one row of 300 is typed wrongly
    assert find_origins({0: end, 1: start}, {0: "day", 1: "day"}) == {0: 1}
    assert find_origins({0: start + 3, 1: start}, {0: "day", 1: "day"}) == {}
    assert find_origins({0: end, 1: start * 86_400}, {0: "day", 1: "second"}) == {}
