"""Dates that show a season are divided by the calendar, one to one, and others are not."""

import json

import numpy as np
import pandas as pd
import pytest

import pushforward
from pushforward.data import Columns
from pushforward.data.tables.calendar import PERIODS, Calendar
from pushforward.data.tables.dates import DateFormat
from pushforward.data.tables.seasons import find_calendar
from pushforward.errors import ModelFileError

DAY = 86_400
SUBSETS = [(p,) for p in PERIODS] + [("day", "week"), ("day", "year"), ("week", "year"), PERIODS]


def rentals(n=1200, seed=0):
    """Hires at rush hours of weekdays, as they come."""
    rng = np.random.default_rng(seed)
    day = rng.integers(0, 120, 3 * n)
    weekday = (day + 3) % 7 < 5  # day 0 is 1 February 2024, a Thursday
    hour = np.where(rng.random(3 * n) < 0.5, 8.0, 17.5) + rng.normal(0, 0.7, 3 * n)
    hour = np.where(weekday, hour, rng.normal(14, 2.5, 3 * n)).clip(0, 23.9)
    kept = np.flatnonzero(weekday | (rng.random(3 * n) < 0.4))[:n]
    hired = pd.Timestamp("2024-02-01") + pd.to_timedelta(
        (day * DAY + hour * 3600).round()[kept], "s"
    )
    return pd.DataFrame({"hired": hired, "minutes": rng.gamma(3, 5, n).round(1)})


@pytest.mark.parametrize("unit", ["month", "day", "second", "microsecond"])
def test_a_calendar_divides_dates_one_to_one(unit):
    rng = np.random.default_rng(0)
    size = {"month": 1, "day": 1, "second": DAY, "microsecond": DAY * 10**6}[unit]
    ends = (-500, 900) if unit == "month" else (-20_000 * size, 30_000 * size)
    counts = rng.integers(*ends, 3000)
    for periods in SUBSETS:
        if (unit == "month" and periods != ("year",)) or (unit == "day" and "day" in periods):
            continue
        calendar = Calendar(unit, periods, 0 if unit in ("day", "month") else 4 * size // 24)
        parts = calendar.divide(counts)
        assert len(parts) == len(calendar.words) == len(periods) + 1
        np.testing.assert_array_equal(calendar.join(parts), counts)
        assert min(part.min() for part in parts[:-1]) >= 0
        low, high = counts.min(), counts.max()
        parts[-1] = parts[-1] + rng.integers(-1, 2, len(counts))
        assert ((low <= calendar.within(parts, low, high)) & (counts <= high)).all()


def test_places_are_those_of_the_calendar():
    moments = pd.DatetimeIndex(["2024-02-29 23:15", "2023-01-01 03:30"])
    seconds = moments.astype("int64").to_numpy() // (10**9 if moments.unit == "ns" else 1)
    seconds = moments.as_unit("s").astype("int64").to_numpy()
    time, weekday, _, year = Calendar("second", PERIODS).divide(seconds)
    assert time.tolist() == [23 * 3600 + 900, 3 * 3600 + 1800]
    assert weekday.tolist() == moments.day_of_week.tolist()
    assert year.tolist() == [2024, 2022]  # the week of a New Year's day that is a Sunday
    day, year = Calendar("day", ("year",)).divide(seconds // DAY)
    assert (day.tolist(), year.tolist()) == ([59, 0], [2024, 2023])
    long_ago = Calendar("day", ("year",)).join([np.array([365]), np.array([2023])])
    assert long_ago.astype("M8[D]") == np.array(["2023-12-31"], dtype="M8[D]")


def found(counts, unit, *others):
    columns = {j: (np.ones(len(counts), bool), y) for j, y in enumerate(others)}
    calendar = find_calendar(counts, DateFormat("moment", unit), columns)
    return () if calendar is None else calendar.periods


def test_what_has_no_season_is_left_as_it_is():
    rng = np.random.default_rng(0)
    for _ in range(10):
        days = np.arange(1500) + 15_000
        walks = rng.normal(size=(2, 1500)).cumsum(axis=1)
        assert found(days, "day", *walks) == ()
        seconds = rng.integers(0, 100 * DAY, 1000)
        assert found(seconds, "second", rng.normal(size=1000), rng.choice(["a", "b"], 1000)) == ()
    assert found(days, "day", days * 0.1) == ()  # a trend
    assert found(days[:20], "day", days[:20] % 7.0) == ()  # three weeks


def test_seasons_of_rows_and_of_other_columns_are_found():
    rng = np.random.default_rng(0)
    days = np.arange(4000) + 15_000
    warm = 10 * np.sin(2 * np.pi * days / 365.25) + rng.normal(size=4000) * 3
    assert found(days, "day", warm) == ("year",)
    assert found(days[(days + 3) % 7 < 5], "day") == ("week",)  # no row at weekends
    hours = np.arange(24 * 150) * 3600
    busy = np.where(hours // 3600 % 24 > 12, "much", "little")
    assert found(hours, "second", busy) == ("day",)
    assert found(hours, "second", np.where(rng.random(len(busy)) < 0.5, busy, "x")) == ("day",)
    months = np.arange(108) + 120
    assert found(months, "month", months % 12 + rng.normal(size=108)) == ("year",)


def test_time_zones_count():
    frame = rentals()
    hired = frame["hired"].dt.strftime("%Y-%m-%dT%H:%M:%S+05:30").astype(object)
    columns = Columns.learn(pd.DataFrame({"hired": hired}), seasons=True).columns
    (column,) = columns.columns
    z, _ = columns.encode(pd.DataFrame({"hired": hired}))
    time = column.calendar.divide(column.format.parse(hired)[0])[0] + column.calendar.start
    assert set(((time + 5.5 * 3600) // 3600 % 24).tolist()) >= {8.0, 17.0}
    assert (columns.decode(z)["hired"] == hired).all()


@pytest.fixture(scope="module")
def model():
    return pushforward.fit(rentals(), random_state=0, verbose=False)


def test_samples_show_the_season_and_are_valid_dates(model):
    frame, rows = rentals(), model.sample(3000, random_state=0)
    assert rows.dtypes.equals(frame.dtypes)
    assert rows["hired"].between(frame["hired"].min(), frame["hired"].max()).all()
    assert (rows["hired"] == rows["hired"].dt.floor("s")).all()

    def shares(table):
        weekend = table["hired"].dt.day_of_week >= 5
        rush = (table["hired"].dt.hour - 8).abs().clip(upper=(table["hired"].dt.hour - 17).abs())
        return np.array(
            [weekend.mean(), (rush[~weekend] <= 1).mean(), (rush[weekend] <= 1).mean()]
        )

    # of many: of the weekends of the frame a share is known to .03 alone
    expected = shares(rentals(60_000, seed=9))
    assert shares(rows) == pytest.approx(expected, abs=0.08)
    assert expected[1] > 0.9
    assert expected[2] < 0.3
    assert "season by the time of day and day of the week" in model.columns_.describe()[0]["note"]


def test_questions_about_such_dates_are_answered(model, tmp_path):
    frame = rentals(40, seed=1)
    scores = model.score_samples(frame)
    night = frame.assign(hired=frame["hired"].dt.floor("D") + pd.Timedelta(hours=3))
    assert scores.mean() > model.score_samples(night).mean() + 2
    gains = model.explain(night.head(3))
    assert gains.groupby("row")["column"].apply(list).tolist() == [["hired", "minutes"]] * 3
    again = pushforward.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.score_samples(frame), scores)
    given = model.given({"hired": ("2024-03-04", "2024-03-04")}, random_state=0)
    rows = given.sample(30, random_state=0)  # a day, and so all of it
    assert (rows["hired"].dt.date == pd.Timestamp("2024-03-04").date()).all()
    holes = frame.assign(hired=frame["hired"].mask(frame.index < 3))
    assert model.impute(holes, random_state=0)["hired"].notna().all()


def test_a_calendar_of_a_folder_is_checked():
    config = Columns.learn(rentals(), seasons=True).columns.to_config()
    assert Columns.from_config(json.loads(json.dumps(config))).to_config() == config
    for change in (
        {"periods": ["week", "day"]},
        {"periods": ["day"]},
        {"start": 10**12},
        {"parts": []},
        {"parts": [{}, {}, {}]},
    ):
        bad = json.loads(json.dumps(config))
        bad["columns"][0]["calendar"] |= change
        with pytest.raises(ModelFileError, match="calendar"):
            Columns.from_config(bad)
    bad = json.loads(json.dumps(config))
    bad["columns"][1]["calendar"] = config["columns"][0]["calendar"]
    with pytest.raises(ModelFileError):
        Columns.from_config(bad)
