"""Dates, times and durations are a kind of their own, and come back as they were."""

import datetime
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from pushforward.data import Columns
from pushforward.data.tables.dates import DateFormat
from pushforward.errors import DataError, ModelFileError, ParameterError


def days(n=300, seed=0):
    r = np.random.default_rng(seed)
    return pd.Timestamp("2019-03-01") + pd.to_timedelta(r.integers(0, 900, n), unit="D")


def moments(n=300):
    r = np.random.default_rng(1)
    return days(n) + pd.to_timedelta(r.integers(0, 86_400, n), unit="s")


def round_trip(frame):
    columns = Columns.learn(frame).columns
    back = columns.decode(columns.encode(frame)[0])
    again = Columns.from_config(json.loads(json.dumps(columns.to_config(), allow_nan=False)))
    assert torch.equal(again.encode(frame)[0], columns.encode(frame)[0])
    return columns, back


FRACTIONS = ("", ".5", ".25", ".125")
TEXTS = {
    "iso": days().strftime("%Y-%m-%d"),
    "dotted": days().strftime("%d.%m.%Y"),
    "day first": days().strftime("%d/%m/%Y"),
    "month first": days().strftime("%m/%d/%Y"),
    "unpadded": [f"{d.day}/{d.month}/{d.year}" for d in days()],
    "unpadded at the end": [f"{d.year}-{d.month}-{d.day}" for d in days()],
    "two digits": [f"{d.month}/{d.day}/{d:%y}" for d in days()],
    "two digits, padded": days().strftime("%d.%m.%y"),
    "unpadded with a time": [f"{d.month}/{d.day}/{d:%y %H:%M}" for d in moments()],
    "hours without a zero": [f"{d.month}/{d.day}/{d:%y} {d.hour}:{d:%M}" for d in moments()],
    "dotted, with a time": moments().strftime("%d.%m.%Y %H:%M:%S"),
    "dotted, hours without a zero": [f"{d:%d.%m.%Y} {d.hour}:{d:%M:%S}" for d in moments()],
    "of twelve hours": moments().strftime("%m/%d/%Y %I:%M %p"),
    "of twelve hours without a zero": [
        f"{d:%m/%d/%Y} {(d.hour + 11) % 12 + 1}:{d:%M}" + ("am", "pm")[d.hour // 12]
        for d in moments()
    ],
    "of twelve hours in small letters": [f"{d:%Y-%m-%d %I:%M %p}".lower() for d in moments()],
    "capitals": [f"{d:%d-%b-%Y}".upper() for d in days()],
    "small letters": [f"{d:%b} {d.day}, {d:%Y}".lower() for d in days()],
    "words": days().strftime("%d %b %Y"),
    "american": days().strftime("%B %d, %Y"),
    "compact": days().strftime("%Y%m%d"),
    "month": days().strftime("%Y-%m"),
    "seconds": moments().strftime("%Y-%m-%d %H:%M:%S"),
    "minutes": moments().strftime("%Y-%m-%d %H:%M"),
    "utc": moments().strftime("%Y-%m-%dT%H:%M:%SZ"),
    "zone": moments().strftime("%Y-%m-%dT%H:%M:%S+02:00"),
    "zone without a colon": moments().strftime("%Y-%m-%d %H:%M:%S.000-0730"),
    "zone of a database": moments().strftime("%Y-%m-%d %H:%M:%S+00"),
    "zone by name": moments().strftime("%Y-%m-%d %H:%M:%S UTC"),
    "clock": moments().strftime("%H:%M"),
    "milliseconds": [f"{d:%Y-%m-%d %H:%M:%S}.{d.second:03d}" for d in moments()],
    # Python and Go write no more of a fraction than they need
    "isoformat": [(d + pd.Timedelta(d.minute % 3, "ms")).isoformat() for d in moments()],
    "shortest": [f"{d:%Y-%m-%dT%H:%M:%S}{FRACTIONS[d.minute % 4]}Z" for d in moments()],
    "fractions of a clock": [f"{d:%H:%M:%S}{FRACTIONS[d.minute % 4]}" for d in moments()],
}


@pytest.mark.parametrize("name", list(TEXTS))
def test_text_is_a_date_and_comes_back(name):
    frame = pd.DataFrame({"d": list(TEXTS[name]), "x": np.arange(300.0) ** 2})
    columns, back = round_trip(frame)
    assert columns.kinds[0] == "date"
    assert back["d"].tolist() == frame["d"].tolist()
    drawn = columns.decode(torch.randn(50, 2, generator=torch.manual_seed(0)))
    assert DateFormat.of_text(drawn["d"].to_numpy(dtype=object)) is not None


@pytest.mark.parametrize("pattern", ["%Y%m%d", "%Y%m"])
@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_calendar_numbers(pattern, dtype):
    frame = pd.DataFrame({"d": days().strftime(pattern).astype(dtype), "x": 0.5})
    columns, back = round_trip(frame)
    assert columns.kinds[0] == "date"
    pd.testing.assert_frame_equal(back, frame)
    drawn = columns.decode(torch.linspace(-3, 3, 200).double()[:, None])["d"]
    assert pd.to_datetime(drawn.astype(str), format=pattern, errors="coerce").notna().all()
    assert Columns.learn(pd.DataFrame({"n": [20240199, 20240131] * 20})).columns.kinds != ("date",)


@pytest.mark.parametrize(
    "values",
    [
        days(),
        moments(),
        moments().tz_localize("UTC").tz_convert("America/New_York"),
        moments().astype("datetime64[us]"),
        pd.to_timedelta(np.random.default_rng(0).integers(0, 5000, 300), unit="min"),
        list(days().date),
        days() + pd.to_timedelta(np.arange(300), unit="ms"),
    ],
    ids=["days", "seconds", "zone", "microseconds", "durations", "objects", "milliseconds"],
)
def test_dtypes_of_pandas(values):
    frame = pd.DataFrame({"d": values, "x": np.arange(300.0) ** 2})
    columns, back = round_trip(frame)
    assert columns.kinds[0] == "date"
    pd.testing.assert_series_equal(back["d"], frame["d"])


def test_polars_and_arrays():
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    spans = [datetime.timedelta(minutes=int(m)) for m in np.arange(60) ** 2]
    frame = pl.DataFrame(
        {
            "day": [(start + s).date() for s in spans],
            "time": [(start + s).replace(tzinfo=None) for s in spans],
            "zone": [start + s for s in spans],
            "span": spans,
            "x": np.random.default_rng(0).normal(size=60),
        }
    )
    for table in (frame, frame.to_arrow()):
        columns, back = round_trip(table)
        assert columns.kinds == ("date", "date", "date", "date", "continuous")
        back = back if isinstance(back, pl.DataFrame) else pl.from_arrow(back)
        assert back.schema == frame.schema
        assert back.drop("x").equals(frame.drop("x"))
    X = days().to_numpy().astype("M8[D]").reshape(-1, 2)
    columns, back = round_trip(X)
    np.testing.assert_array_equal(back, X)


def test_ambiguous_days_are_noted():
    cells = [f"{d:02d}/{m:02d}/2020" for d in range(1, 13) for m in range(1, 13)]
    frame = pd.DataFrame({"d": cells, "x": np.arange(144.0) ** 2})
    entry = Columns.learn(frame).columns.describe()[0]
    assert "read with the day first" in entry["note"]
    assert (entry["low"], entry["high"]) == ("2020-01-01", "2020-12-12")
    clear = pd.DataFrame({"d": [*cells, "12/31/2020"], "x": np.arange(145.0) ** 2})
    assert Columns.learn(clear).columns.describe()[0]["high"] == "2020-12-31"


def test_odd_cells_are_missing():
    cells = [*days().strftime("%Y-%m-%d"), "unknown", "?"]
    frame = pd.DataFrame({"d": cells, "x": np.arange(302.0) ** 2})
    learned = Columns.learn(frame, missing="drop")
    assert learned.columns.kinds[0] == "date"
    assert int(learned.kept.sum()) == 300
    assert learned.columns.complete(frame).tolist() == [True] * 300 + [False] * 2


def test_the_same_dates_in_another_dtype():
    text = days().strftime("%Y%m%d")
    x = np.arange(300.0) ** 2
    frame = pd.DataFrame({"d": list(text), "x": x})
    columns = Columns.learn(frame).columns
    for cells in (text.astype("int64"), days()):
        z, _ = columns.encode(pd.DataFrame({"d": cells, "x": x}), draw=3)
        assert torch.equal(z, columns.encode(frame, draw=3)[0])
    numbers = Columns.learn(pd.DataFrame({"d": text.astype("int64"), "x": x})).columns
    assert torch.equal(numbers.encode(frame)[0], columns.encode(frame)[0])


def test_a_few_dates_are_a_list():
    ends = pd.date_range("2020-01-31", periods=8, freq="ME").strftime("%Y-%m-%d")
    cells = np.random.default_rng(0).choice(list(ends), 400)
    columns = Columns.learn(pd.DataFrame({"d": cells})).columns
    drawn = columns.decode(torch.linspace(-3, 3, 300).double()[:, None])
    assert set(drawn["d"]) <= set(ends)


def test_steps_and_units():
    hours = days() + pd.to_timedelta(np.random.default_rng(0).integers(0, 24, 300), unit="h")
    column = Columns.learn(pd.DataFrame({"d": hours})).columns.columns[0]
    assert (column.format.unit, column.step) == ("second", 3600.0)
    firsts = days().to_period("M").to_timestamp()
    column = Columns.learn(pd.DataFrame({"d": firsts})).columns.columns[0]
    assert (column.format.unit, column.step) == ("month", 1.0)
    # the density is per unit: two steps of an hour are as dense as their cells are wide
    columns = Columns.learn(pd.DataFrame({"d": hours})).columns
    low, high = columns.edges(0, 0)
    _, log_det = columns.encode(pd.DataFrame({"d": hours}))
    np.testing.assert_allclose(log_det, np.log(float(high - low) / 3600))


def test_a_word_again_and_again_among_dates_is_a_missing_cell():
    """Cabinet members: one cell in five says "Still in office"."""
    ends = pd.Series(days(200)).dt.strftime("%m/%d/%y").to_numpy(dtype=object)
    ends[::5] = "Still in office"
    learned = Columns.learn(pd.DataFrame({"end": ends, "x": range(200)}), missing="auto")
    entry = learned.columns.describe()[0]
    assert (entry["kind"], entry["missing"]) == ("date", 0.2)
    assert entry["note"] == (
        "40 cells are no dates ('Still in office') and count as missing; its years of two digits "
        "are from 2019 on"
    )
    assert learned.columns.n_rows == 160
    ends[::5] = [f"term {k}" for k in range(40)]
    frame = pd.DataFrame({"end": ends, "x": range(200)})
    assert Columns.learn(frame).columns.kinds[0] != "date"


def test_times_of_the_day_are_shown_without_a_date():
    minutes = np.random.default_rng(0).integers(8 * 60, 20 * 60, 100)
    clock = [f"{m // 60:02d}:{m % 60:02d}" for m in (480, *minutes, 1199)]
    entry = Columns.learn(pd.DataFrame({"at": clock, "x": range(102)})).columns.describe()[0]
    assert (entry["kind"], entry["low"], entry["high"]) == ("date", "08:00:00", "19:59:00")
    assert entry["why"] == "times like 08:00"


def test_declared_dates_and_refusals():
    frame = pd.DataFrame({"d": ["2020-01-01", "soon", "later", "2020-02-01"], "n": [1, 2, 3, 4]})
    learned = Columns.learn(frame, columns={"d": "date"}, missing="drop")
    assert learned.columns.kinds[0] == "date"
    with pytest.raises(DataError, match="declared date and holds no dates"):
        Columns.learn(frame, columns={"n": "date"}, missing="drop")
    dates = pd.DataFrame({"d": days()})
    with pytest.raises(DataError, match="declared integer and holds dates"):
        Columns.learn(dates, columns={"d": "integer"})
    with pytest.raises(ParameterError, match="a date column"):
        Columns.learn(dates, bounds={"d": (0, None)})


def test_folders_that_do_not_say_how_hours_and_names_are_written_have_them_as_python_does():
    frame = pd.DataFrame({"d": TEXTS["american"], "x": np.arange(300.0) ** 2})
    config = Columns.learn(frame).columns.to_config()
    assert config["columns"][0]["format"].pop("letters") == "mixed"
    assert config["columns"][0]["format"].pop("padded_hours") is True
    assert config["columns"][0]["format"].pop("offset_form") == "+00:00"
    assert Columns.from_config(config).columns[0].format.letters == "mixed"
    config["columns"][0]["format"]["letters"] = "large"
    with pytest.raises(ModelFileError, match="letters"):
        Columns.from_config(config)


def test_folders_that_do_not_say_how_fractions_are_written_have_them_in_full():
    frame = pd.DataFrame({"d": TEXTS["milliseconds"], "x": np.arange(300.0) ** 2})
    config = Columns.learn(frame).columns.to_config()
    assert config["columns"][0]["format"].pop("fraction") == "full"
    assert Columns.from_config(config).columns[0].format.fraction == "full"
    config["columns"][0]["format"]["fraction"] = "some"
    with pytest.raises(ModelFileError, match="fraction"):
        Columns.from_config(config)


@pytest.mark.parametrize("pattern", ["%d.%m.%y", "%m/%d/%y"])
@pytest.mark.parametrize(
    ("first", "last"), [(1948, 2004), (1931, 1966), (2019, 2025), (1960, 1998)]
)
def test_years_of_two_digits_are_those_that_lie_together(pattern, first, last):
    days = pd.date_range(f"{first}-01-03", f"{last}-12-30", periods=300).normalize()
    cells = days.strftime(pattern).to_numpy(dtype=object)
    how = DateFormat.of_text(cells)
    counts, bad = how.parse(cells)
    assert not bad.any()
    assert (how.moments(counts) == days.to_numpy()).all()
    assert how.write(counts).tolist() == cells.tolist()
    columns = Columns.learn(pd.DataFrame({"born": cells, "x": np.arange(300.0) ** 1.5})).columns
    assert columns.describe()[0]["low"] == f"{first}-01-03"
    assert f"two digits are from {first} on" in columns.describe()[0]["note"]
    again = Columns.from_config(columns.to_config())
    assert again.columns[0].format == columns.columns[0].format


def test_a_day_that_its_century_does_not_have_is_no_date():
    how = DateFormat("text", "day", "%d.%m.%y", since=1890)
    counts, bad = how.parse(np.array(["28.02.00", "29.02.00", "01.03.95"], dtype=object))
    assert bad.tolist() == [False, True, False]
    assert str(how.moments(counts)[0])[:10] == "1900-02-28"


@pytest.mark.parametrize(
    ("cells", "written"),
    [
        (["Sept 15, 2000", "Jan 3, 2001"], ["Sep 15, 2000", "Jan 3, 2001"]),
        (["15 SEPT 2000", "3 MAY 2001"], ["15 SEP 2000", "3 MAY 2001"]),
        (
            ["Sept. 15, 2000", "March 3, 2001", "Jan. 3, 2001"],
            ["September 15, 2000", "March 3, 2001", "January 3, 2001"],
        ),
    ],
)
def test_months_by_their_usual_short_names(cells, written):
    how = DateFormat.of_text(np.array(cells * 9, dtype=object))
    counts, bad = how.parse(np.array(cells, dtype=object))
    assert not bad.any()
    assert how.write(counts).tolist() == written
    assert str(how.moments(counts)[0].astype("M8[D]")) == "2000-09-15"


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
def test_moments_with_a_zone_come_back_as_they_were(backend):
    moments = pd.Timestamp("2024-01-01", tz="Europe/Berlin") + pd.to_timedelta(
        np.arange(50) * 37, "min"
    )
    frame = pd.DataFrame({"at": moments, "a": np.arange(50.0)})
    frame = frame.convert_dtypes(dtype_backend=backend)
    columns = Columns.learn(frame).columns
    back = columns.decode(columns.encode(frame)[0])
    assert (back["at"] == frame["at"]).all()
    assert back["at"].dtype == frame["at"].dtype
    holes = frame.copy()
    holes.loc[:9, "a"] = None
    z, _, _ = columns.encode_known(holes)
    assert (columns.fill(holes, z, np.arange(50))["at"] == frame["at"]).all()


def daily(zone="Europe/Berlin"):
    days = pd.date_range("2024-03-25", periods=300, freq="D", tz=zone)
    sales = np.where(days.day_of_week < 5, 100.0, 30.0) + np.arange(300) % 7
    return pd.DataFrame({"day": days, "sales": sales})


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC+05:30"])
def test_days_of_a_zone_are_days(zone):
    # midnight in Berlin is 23 or 22 o'clock in UTC, by whose clock samples were hours off
    frame = daily(zone)
    columns = Columns.learn(frame, seasons=True).columns
    assert columns.columns[0].format == DateFormat("moment", "day", zone=zone)
    assert columns.columns[0].calendar.periods == ("week",)
    z = columns.encode(frame)[0]
    assert columns.decode(z).equals(frame)
    moved = z + torch.tensor([0.9, 0.0, 0.0]).double() * (1 - 2 * (z > 0))
    days = columns.decode(moved)["day"]
    assert (days == days.dt.normalize()).all()
    assert not (days == frame["day"]).all()
    assert Columns.from_config(columns.to_config()).to_config() == columns.to_config()


@pytest.mark.parametrize("how", ["naive", "other zone", "objects", "texts", "naive texts"])
def test_moments_without_a_zone_are_by_the_clock_of_the_column(how):
    frame = daily()
    columns = Columns.learn(frame).columns
    some = frame.head(9).copy()
    cells = {
        "naive": some["day"].dt.tz_localize(None),
        "other zone": some["day"].dt.tz_convert("Asia/Tokyo"),
        "objects": some["day"].astype(object),
        "texts": some["day"].map(pd.Timestamp.isoformat).astype(object),
        "naive texts": some["day"].dt.strftime("%Y-%m-%d").astype(object),
    }[how]
    other = some.assign(day=cells)
    z = columns.encode(some)[0]
    assert columns.encode(other)[0].equal(z)
    holes = other.astype({"sales": object})
    holes.loc[3, "sales"] = None
    if how != "other zone":
        some.loc[5, "day"] = columns.decode(z[[0]])["day"][0]
        holes.loc[5, "day"] = None
    z[5] = z[0]
    filled = columns.fill(holes, z, np.arange(9))
    assert filled["day"].equals(some["day"])


def test_a_column_of_another_zone_is_refused_in_a_saved_model():
    config = Columns.learn(daily()).columns.to_config()
    config["columns"][0]["format"]["zone"] = "Asia/Tokyo"
    with pytest.raises(ModelFileError, match="zone"):
        Columns.from_config(config)
    del config["columns"][0]["format"]["zone"]  # as folders had it before; they count in UTC
    old = Columns.from_config(config)
    assert old.columns[0].format.zone is None


def test_hours_that_come_twice_or_never():
    how = DateFormat("moment", "second", zone="Europe/Berlin")
    twice = pd.Series(pd.to_datetime(["2024-10-27 00:30", "2024-10-27 01:30"], utc=True))
    counts, bad = how.parse(twice)
    assert not bad.any()
    assert counts[0] == counts[1]
    assert (how.moments(counts) == np.datetime64("2024-10-27T00:30")).all()
    never = how.count("2024-03-31 02:30")
    assert how.text(never) == "2024-03-31T02:30:00"
    assert how.moments(np.array([never]))[0] == np.datetime64("2024-03-31T01:00")
