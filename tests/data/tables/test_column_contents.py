"""What a column holds: identifiers, free text, empty columns, and what was decided of each."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from pushforward.data import Columns
from pushforward.data.tables.column_summary import columns_text, kept_text
from pushforward.errors import DataError, ModelFileError, ParameterError


def frame(**columns):
    r = np.random.default_rng(0)
    return pd.DataFrame(columns | {"x": r.normal(size=100), "y": r.normal(size=100)})


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("row", np.arange(1, 101), "identifier"),
        ("Unnamed: 0", np.arange(0, 200, 2), "identifier"),
        ("customer_id", np.random.default_rng(1).permutation(10**6)[:100], "identifier"),
        ("customerID", np.random.default_rng(1).permutation(10**6)[:100], "identifier"),
        ("amount", np.random.default_rng(1).permutation(10**6)[:100], "integer"),
        ("year", np.arange(1920, 2020), "integer"),
        ("paid", np.arange(100) ** 2, "integer"),
        ("key", [f"k{i:x}" for i in range(100)], "identifier"),
        ("number", [str(10**24 + i) for i in range(100)], "identifier"),
        ("number", [10**24 + i for i in range(100)], "identifier"),
        ("remark", [f"it was the {i} th time that this" for i in range(100)], "text"),
        ("nothing", [np.nan] * 100, "empty"),
        ("nothing", [None] * 100, "empty"),
        ("zip", [f"0{1000 + i % 7}" for i in range(100)], "category"),
        ("answer", ["None", "NA", "yes", "no"] * 25, "category"),
    ],
)
def test_kinds(name, cells, kind):
    X = frame(**{name: cells})
    columns = Columns.learn(X).columns
    assert columns.kinds[0] == kind
    assert columns.decode(columns.encode(X)[0]).dtypes.equals(X.dtypes)
    again = Columns.from_config(json.loads(json.dumps(columns.to_config())))
    assert again.kinds == columns.kinds


def test_identifiers_are_made_anew_and_cost_nothing():
    X = frame(id=np.arange(1, 101), key=[f"k{i:x}" for i in range(100)], empty=np.nan)
    columns = Columns.learn(X).columns
    z, log_det = columns.encode(X)
    assert z.shape == (100, 2)
    other = X.assign(id=7, key=None, empty=3.0)
    assert torch.equal(columns.encode(other)[1], log_det)
    rows = columns.decode(z[:3])
    assert rows["id"].tolist() == [1, 2, 3]
    assert rows["key"].tolist() == ["id-1", "id-2", "id-3"]
    assert rows["empty"].isna().all()
    more = columns.number_on(rows, 1000)
    assert more["id"].tolist() == [1001, 1002, 1003]
    assert more["key"].tolist() == ["id-1001", "id-1002", "id-1003"]
    pd.testing.assert_frame_equal(more[["x", "y"]], rows[["x", "y"]])


def test_numbers_of_other_tables_are_counted_on():
    """Rows 1, 2, 3, ... beside customers 10,007 to 10,502 would be other people's."""
    X = frame(customer_id=np.random.default_rng(1).permutation(500)[:100] + 10_007)
    columns = Columns.learn(X).columns
    first = X["customer_id"].max() + 1
    rows = columns.decode(columns.encode(X)[0][:3])
    assert rows["customer_id"].tolist() == [first, first + 1, first + 2]


@pytest.mark.parametrize("last", [2**62 - 1, 2**63 - 1])
def test_numbers_after_which_there_are_few_begin_at_one(last):
    """A hash of 64 bits as identifier: a model of it was saved, and did not load."""
    X = frame(customer_id=last - np.random.default_rng(1).permutation(500)[:100] * 2**20)
    columns = Columns.from_config(Columns.learn(X).columns.to_config())
    assert columns.decode(columns.encode(X)[0][:2])["customer_id"].tolist() == [1, 2]


def test_a_table_may_lack_what_is_left_out():
    X = frame(id=np.arange(1, 101))
    columns = Columns.learn(X).columns
    assert torch.equal(columns.encode(X[["x", "y"]])[0], columns.encode(X)[0])
    with pytest.raises(DataError, match="yet now missing"):
        columns.encode(X[["id", "x"]])


def test_dropped_columns_are_not_sampled():
    X = frame(word=list("abcde") * 20)
    columns = Columns.learn(X, columns={"word": "drop"}).columns
    assert columns.decode(columns.encode(X)[0]).columns.tolist() == ["x", "y"]
    with pytest.raises(ParameterError, match="change their positions"):
        Columns.learn(X[["x", "y"]].to_numpy(), columns={0: "drop"})


def test_what_is_left_out_can_be_kept():
    X = frame(id=np.arange(1, 101), word=[f"w{i}" for i in range(100)])
    columns = Columns.learn(X, columns={"id": "integer", "word": "category"}).columns
    assert columns.kinds[:2] == ("integer", "category")
    left = Columns.learn(frame(n=[1, 2] * 50), columns={"n": "identifier"}).columns
    assert left.kinds[0] == "identifier"


def test_every_decision_in_one_table():
    X = frame(id=np.arange(1, 101), age=[str(20 + i % 50) for i in range(99)] + ["?"])
    learned = Columns.learn(X, missing="drop")
    text = columns_text(learned.columns).splitlines()
    assert text[0].split() == ["column", "kind", "why", "missing", "note"]
    assert text[1].startswith("id      identifier  numbers the rows from 1")
    assert "1 %" in text[2]
    assert "'?'" in text[2]
    assert kept_text(learned.columns).startswith("1 of 100 rows left out")
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 60))).add_prefix("c")
    assert columns_text(Columns.learn(wide).columns) == "others: 60 continuous"


def test_samples_keep_decimals_and_natural_bounds():
    r = np.random.default_rng(0)
    n = 400
    X = pd.DataFrame(
        {
            "price": np.round(r.exponential(20, n), 2),
            "share": r.beta(0.5, 0.5, n),
            "percent": r.uniform(0, 100, n),
            "digits": [float(f"{x:.4g}") for x in r.lognormal(0, 3, n)],
            "single": np.round(r.normal(size=n), 3).astype(np.float32),
            "free": r.normal(size=n),
            "far": r.normal(170, 8, n),
            "cost": r.normal(100, 25, n).clip(40),
        }
    )
    columns = Columns.learn(X).columns
    z = 4 * torch.randn(5000, 8, generator=torch.manual_seed(0)).double()
    rows = columns.decode(z)
    assert (rows["price"] == rows["price"].round(2)).all()
    assert rows["price"].min() >= 0
    assert rows["cost"].between(0, 20).any()  # far below the least, 40, but no amount is negative
    assert rows["cost"].min() >= 0
    assert rows["share"].between(0, 1).all()
    assert rows["percent"].between(0, 100).all()
    assert (rows["digits"] == [float(f"{x:.4g}") for x in rows["digits"]]).all()
    assert (rows["single"] == rows["single"].round(3)).all()
    assert rows["free"].min() < -10
    notes = {entry["name"]: entry["note"] for entry in columns.describe()}
    assert notes["price"].startswith("samples are not below 0; on a logarithmic scale")
    assert notes["percent"] == "samples are within 0 and 100"
    assert notes["free"] == notes["far"] == ""
    free = Columns.learn(X, bounds={"price": (None, None)}).columns
    assert free.decode(z)["price"].min() < 0
    pd.testing.assert_frame_equal(columns.decode(columns.encode(X)[0]), X)
    odd = X.assign(price=-1.2345, percent=250.0)
    back = columns.decode(columns.encode(odd)[0], exact=True)
    np.testing.assert_allclose(back["price"], -1.2345)
    np.testing.assert_allclose(back["percent"], 250.0)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", {"source": "text"}),
        ("format", None),
        ("digits", {"decimals": 2, "significant": 2}),
        ("digits", {"decimals": 99, "significant": None}),
        ("natural", [0.0]),
        ("natural", [0, None]),
        ("missing", "none"),
        ("why", 3),
        ("atoms", {}),
        ("kind", "mixed"),
    ],
)
def test_altered_entries_are_refused(key, value):
    days = pd.date_range("2020-01-01", periods=100).strftime("%Y-%m-%d")
    config = Columns.learn(frame(d=days)).columns.to_config()
    config["columns"][0][key] = value
    with pytest.raises(ModelFileError, match="data description"):
        Columns.from_config(config)
    for pattern in ("%c", "%Y" * 1000):
        config = Columns.learn(frame(d=days)).columns.to_config()
        config["columns"][0]["format"]["pattern"] = pattern
        with pytest.raises(ModelFileError, match="format"):
            Columns.from_config(config)


@pytest.mark.parametrize(
    ("name", "first", "n", "kind"),
    [
        ("Kundennr", 10_000, 40, "identifier"),
        ("Invoice Number", 777, 40, "identifier"),
        ("serial_no", 5, 40, "identifier"),
        ("Unnamed: 0", 0, 17, "identifier"),
        ("Unnamed: 0", 1, 4, "integer"),
        ("x", 0, 17, "integer"),
        ("casino", 5, 40, "integer"),
        ("number of guests", 5, 40, "integer"),
        ("year", 1950, 40, "integer"),
    ],
)
def test_numbers_of_rows_by_name(name, first, n, kind):
    cells = {name: np.arange(first, first + n), "v": np.random.default_rng(0).normal(size=n)}
    values = pd.DataFrame(cells)
    assert Columns.learn(values).columns.kinds[0] == kind


@pytest.mark.parametrize("places", [2, 5, 12])
def test_samples_have_the_decimals_of_the_data(places):
    cells = np.round(np.random.default_rng(1).normal(scale=0.3, size=200), places)
    columns = Columns.learn(frame(v=np.resize(cells, 100))).columns
    drawn = columns.decode(torch.randn(500, 3, generator=torch.manual_seed(0)).double())["v"]
    assert (np.abs(drawn - drawn.round(places)) < 1e-15).all()
    assert not (drawn == drawn.round(places - 1)).all()


@pytest.mark.parametrize(("n", "kind"), [(20, "identifier"), (19, "category")])
def test_names_that_tell_twenty_rows_apart(n, kind):
    names = pd.DataFrame({"name": [f"Committee {k}" for k in range(n)], "v": np.arange(n) % 7})
    assert Columns.learn(names).columns.kinds[0] == kind


def test_what_keeps_a_column_from_being_dates_or_numbers_is_named():
    days = pd.date_range("2020-01-01", periods=100).strftime("%Y-%m-%d").to_numpy(dtype=object)
    days[:20] = [f"week {i} of 2020" for i in range(20)]
    amounts = np.array([f"{i / 7:.3f}" for i in range(100)], dtype=object)
    amounts[:10] = [f"see page {i}" for i in range(10)]
    columns = Columns.learn(frame(day=days, amount=amounts)).columns
    assert columns.kinds[:2] == ("identifier", "identifier")
    day, amount = (column.note for column in columns.columns[:2])
    shown = "'week 0 of 2020', 'week 1 of 2020', 'week 10 of 2020', ..."
    assert f"20 cells are no dates ({shown})" in day
    assert day.endswith(': correct them, or declare it "date" and they count as missing')
    assert "10 cells are no numbers ('see page 0', 'see page 1', 'see page 2', ...)" in amount
    assert amount.endswith('declare it "continuous" and they count as missing')
    kinds = {"day": "date", "amount": "continuous"}
    X = frame(day=days, amount=amounts)
    declared = Columns.learn(X, columns=kinds, missing="drop").columns
    assert declared.kinds[:2] == ("date", "continuous")


@pytest.mark.parametrize(
    ("alone", "kind"), [(75, "identifier"), (74, "category"), (49, "category")]
)
def test_the_border_between_names_and_categories(alone, kind):
    """New rows have a text that was never seen as likely as those of the fit one of their own."""
    names = [f"name {i}" for i in range(alone)] + ["Ada", "Bob"] * 26
    columns = Columns.learn(frame(n=names[:100], x=np.arange(100.0) ** 1.5)).columns
    assert columns.kinds[0] == kind
    described = columns.describe()[0]
    if kind == "identifier":
        assert described["why"] == "77 different texts in 100 rows, 75 of them in one row alone"
        assert columns.decode(columns.encode(frame(n=names[:100], x=np.arange(100.0) ** 1.5))[0])[
            "n"
        ].is_unique
    elif alone > 50:
        assert described["note"].startswith(
            "74 of its 100 texts are in one row alone, and samples"
        )
    else:
        assert described["note"] == ""
