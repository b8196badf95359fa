"""Durations that are text are numbers of their unit, and come back as they were written."""

import datetime
import json

import numpy as np
import pandas as pd
import pytest
import torch

import pushforward
from pushforward.data import Columns
from pushforward.data.tables.dates import DateFormat
from pushforward.data.tables.durations import is_duration
from pushforward.errors import ModelFileError

SECONDS = np.random.default_rng(0).integers(0, 200_000, 300)
MILLISECOND = np.timedelta64(1, "ms")
SPANS = pd.to_timedelta(SECONDS, unit="s")


def clock(s, sign=""):
    return f"{sign}{s // 3600}:{s // 60 % 60:02d}:{s % 60:02d}"


def short(s):
    return clock(s) if s >= 3600 else f"{s // 60}:{s % 60:02d}"


def filled(s, words=("h", "m", "s"), gap=" ", zero="0m"):
    parts = zip((s // 3600, s // 60 % 60, s % 60), words, strict=True)
    return gap.join(f"{k}{word}" for k, word in parts if k) or zero


def number(k, word):
    return f"{k} {word}" if k == 1 else f"{k} {word}s"


TEXTS = {  # texts, their values in seconds and the pattern
    "hours": ([clock(s) for s in SECONDS], SECONDS, "{h}:{mm}:{ss}"),
    "padded hours": ([clock(s).zfill(8) for s in SECONDS], SECONDS, "{hh}:{mm}:{ss}"),
    "minutes": ([f"{s // 60}:{s % 60:02d}" for s in SECONDS], SECONDS, "{m}:{ss}"),
    "fractions": (
        [f"1:{s % 60:02d}.{s % 1000:03d}" for s in SECONDS],
        60 + SECONDS % 60 + SECONDS % 1000 / 1000,
        "{m}:{ss}.{f}",
    ),
    "hours above an hour": ([short(s) for s in SECONDS % 9000], SECONDS % 9000, "[{h}:]{m}:{ss}"),
    "pandas": ([str(s) for s in SPANS], SECONDS, "{D} days {hh}:{mm}:{ss}"),
    "pandas, negative": (
        [str(s) for s in SPANS - pd.Timedelta("1D")],
        SECONDS - 86_400,
        "{D} days {hh}:{mm}:{ss}",
    ),
    "pandas, fractions": (
        [str(s) for s in SPANS / 4],
        SECONDS / 4,
        "{D} days {hh}:{mm}:{ss}.{f}",
    ),
    "python": (
        [str(datetime.timedelta(seconds=int(s) - 90_000)) for s in SECONDS],
        SECONDS - 90_000,
        "[{D} day(s), ]{h}:{mm}:{ss}",
    ),
    "databases": (
        [str(s.to_pytimedelta()).replace(",", "") for s in SPANS],
        SECONDS,
        "[{D} day(s) ]{h}:{mm}:{ss}",
    ),
    "iso": (
        [f"PT{filled(s, 'HMS', '', '0S')}" for s in SECONDS],
        SECONDS,
        "PT[{h}H][{m}M][{s}S]",
    ),
    "iso in full": ([s.isoformat() for s in SPANS], SECONDS, "P{D}DT{h}H{m}M{s}S"),
    "flights": (
        [filled(s, gap=" ") for s in SECONDS // 60 * 60],
        SECONDS // 60 * 60,
        "[{h}h ][{m}m]",
    ),
    "films": (
        [f"{s // 3600}h {s // 60 % 60:02d}min" for s in SECONDS],
        SECONDS // 60 * 60,
        "{h}h {mm}min",
    ),
    "in words": (
        [f"{number(s // 60, 'hour')} and {number(s % 60, 'minute')}" for s in SECONDS // 60],
        SECONDS // 60 * 60,
        "{h} hour(s) and {m} minute(s)",
    ),
    "go": ([f"{s // 60}m{s % 60}.5s" for s in SECONDS], SECONDS + 0.5, "{m}m{s}.{f}s"),
    "negative": ([clock(s, "-") for s in SECONDS], -SECONDS, "{h}:{mm}:{ss}"),
}


@pytest.mark.parametrize("name", list(TEXTS))
def test_durations_are_read_and_come_back(name):
    texts, seconds, pattern = TEXTS[name]
    frame = pd.DataFrame({"d": texts, "x": np.arange(300.0) ** 2})
    columns = Columns.learn(frame).columns
    how = columns.columns[0].format
    assert (columns.kinds[0], how.source, how.pattern) == ("date", "text", pattern)
    counts, bad = how.parse(frame["d"].to_numpy(dtype=object))
    assert not bad.any()
    np.testing.assert_array_equal(how.moments(counts) / MILLISECOND, np.rint(1000 * seconds))
    again = Columns.from_config(json.loads(json.dumps(columns.to_config(), allow_nan=False)))
    assert again.columns == columns.columns
    assert again.decode(columns.encode(frame)[0])["d"].tolist() == texts
    drawn = again.decode(torch.randn(50, 2, generator=torch.manual_seed(0)))["d"]
    drawn, bad = how.parse(drawn.to_numpy(dtype=object))
    assert not bad.any()
    assert counts.min() <= drawn.min() < drawn.max() <= counts.max()


@pytest.mark.parametrize(
    ("cells", "pattern"),
    [
        ([clock(s % 86_400).zfill(8) for s in SECONDS], "%H:%M:%S"),
        ([f"{s % 24:02d}:{s % 60:02d}" for s in SECONDS], "%H:%M"),
        ([*(f"{s % 24:02d}:{s % 60:02d}" for s in SECONDS), "24:00"], "%H:%M"),
        ([f"{s // 100}/{s % 100}" for s in SECONDS], None),
        ([f"{s // 100}:{s % 100:02d}" for s in SECONDS], None),
        ([f"{s % 600}h" for s in SECONDS], None),
        ([f"{s % 600} days" for s in SECONDS], None),
        ([("5m", "4h", "1d")[s % 3] for s in SECONDS], None),
        ([f"P{s}D" for s in SECONDS], None),
    ],
)
def test_what_is_no_duration(cells, pattern):
    how = DateFormat.of_text(np.array(cells, dtype=object))
    assert (how and how.pattern) == pattern
    assert how is None or not how.is_duration


def test_durations_are_shown_as_they_are_written():
    frame = pd.DataFrame({"d": ["28:39", "5:02", "12:10", "?"] * 30, "x": np.arange(120.0) ** 2})
    entry = Columns.learn(frame, missing="drop").columns.describe()[0]
    assert (entry["low"], entry["high"]) == ("5:02", "28:39")
    assert entry["why"] == "durations like 28:39"
    assert entry["note"].startswith("read as minutes and seconds; 30 cells are no durations ('?')")


def test_durations_of_text_are_those_of_the_dtype():
    x = np.arange(300.0) ** 2
    columns = Columns.learn(pd.DataFrame({"d": TEXTS["hours"][0], "x": x})).columns
    z, _ = columns.encode(pd.DataFrame({"d": TEXTS["hours"][0], "x": x}), draw=3)
    assert torch.equal(columns.encode(pd.DataFrame({"d": SPANS, "x": x}), draw=3)[0], z)


@pytest.mark.parametrize(
    "cell",
    ["7:60:00", "7:5", "1 day 7:00", "PT", "P", "", "7h 5", "300000 days 00:00:00", "9" * 9999],
)
def test_a_cell_that_is_no_duration(cell):
    for name in ("hours", "pandas", "iso", "flights"):
        how = DateFormat("text", "second", TEXTS[name][2])
        assert how.parse(np.array([cell], dtype=object))[1].all()


@pytest.mark.parametrize(
    "pattern",
    ["{h}:{mm}", "{ss}", "[{h}h", "{m}m {h}h", "{h}h {h}h", "{x}", "", "{h} weeks", "%H"],
)
def test_only_patterns_that_are_read_as_written_are_known(pattern):
    assert not is_duration(pattern)
    config = Columns.learn(
        pd.DataFrame({"d": TEXTS["hours"][0], "x": SECONDS})
    ).columns.to_config()
    config["columns"][0]["format"]["pattern"] = pattern
    with pytest.raises(ModelFileError, match="format"):
        Columns.from_config(config)


@pytest.mark.parametrize("change", [{"unit": "month"}, {"source": "integer"}])
def test_durations_are_text_and_not_counted_in_months(change):
    config = Columns.learn(
        pd.DataFrame({"d": TEXTS["hours"][0], "x": SECONDS})
    ).columns.to_config()
    config["columns"][0]["format"] |= change
    with pytest.raises(ModelFileError, match="format"):
        Columns.from_config(config)


def test_sampled_durations_are_of_the_range_of_the_fit():
    frame = pd.DataFrame({"d": TEXTS["hours"][0], "x": SECONDS + np.sin(SECONDS)})
    model = pushforward.GIS(random_state=0, max_layers=2).fit(frame)
    drawn = model.sample(100, random_state=0)
    spans = pd.to_timedelta(drawn["d"])
    assert spans.between(SPANS.min(), SPANS.max()).all()
    assert np.corrcoef(spans.dt.total_seconds(), drawn["x"])[0, 1] > 0.9
