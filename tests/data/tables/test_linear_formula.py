"""Columns that are linear functions of others: found, kept in samples, missed in rows."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from pushforward import TableFlow
from pushforward.data import Columns
from pushforward.data.tables.linear_formula import find_formulas


def sales(n=300, seed=0):
    r = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "total": 0.0,
            "price": r.gamma(2, 10, n).round(2),
            "fee": r.choice([0, 1.5, 3.0], n, p=[0.6, 0.3, 0.1]),
            "hours": r.normal(30, 4, n),
            "days": r.geometric(0.2, n),
        }
    )
    table["total"] = (table.price + table.fee).round(2)
    table["cents"] = (table.price * 100).round().astype(int)
    table["taxed"] = (table.price * 1.08).round(2)
    table["copy"] = table["hours"]
    table["start"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(r.integers(0, 200, n), unit="D")
    table["end"] = table.start + pd.to_timedelta(table.days, unit="D")
    return table


def test_totals_units_copies_and_dates_are_computed_from_their_parts(formulas):
    table = sales()
    columns = Columns.learn(table).columns
    assert formulas(columns) == {
        "total": "price + fee",
        "cents": "100 price",
        "taxed": "1.08 price",
        "copy": "hours",
        "end": "days + start",
    }
    assert columns.names == ("price", "fee", "hours", "days", "start")
    assert columns.describe()[0]["why"] == "price + fee in all rows: computed from it"


def test_samples_follow_the_formulas_in_the_decimals_and_types_of_the_data():
    table = sales()
    columns = Columns.learn(table).columns
    z = torch.randn(500, 5, generator=torch.manual_seed(0), dtype=torch.float64)
    made = columns.decode(z)
    assert list(made.columns) == list(table.columns)
    assert (made.dtypes == table.dtypes).all()
    assert (made.total == (made.price + made.fee).round(2)).all()
    assert (made.cents == (made.price * 100).round()).all()
    assert (abs(made.taxed - made.price * 1.08) <= 0.005001).all()
    assert (made["copy"] == made["hours"]).all()
    assert (made.end - made.start == pd.to_timedelta(made.days, unit="D")).all()


def test_differences_of_listed_prices_are_the_very_numbers_of_the_data(formulas):
    """1.99 - 0.3 is 1.69, not 1.6900000000000002, by which a forest would tell samples."""
    r = np.random.default_rng(0)
    price, off = r.choice([1.69, 1.99, 2.18], 400), r.choice([0, 0.1, 0.3, 0.4], 400)
    table = pd.DataFrame({"price": price, "off": off, "paid": (price - off).round(2)})
    columns = Columns.learn(table).columns
    assert formulas(columns) == {"paid": "price - off"}
    z, _ = columns.encode(table)
    assert set(columns.decode(z)["paid"]) == set(table["paid"])


def test_a_row_that_breaks_a_formula_is_as_rare_as_one_row_more():
    table = sales()
    columns = Columns.learn(table).columns
    broken = table.copy()
    broken.loc[0, "total"] += 0.01
    _, usual = columns.encode(table)
    z, log_det = columns.encode(broken)
    assert float(usual[0] - log_det[0]) == pytest.approx(math.log(301))
    assert torch.equal(usual[1:], log_det[1:])
    assert columns.exceptions(broken)["total"].nonzero()[0].tolist() == [0]
    assert not columns.exceptions(table)["end"].any()
    pd.testing.assert_frame_equal(columns.decode(z), table, atol=1e-9, rtol=0)


def test_it_comes_back_from_its_config_and_without_columns_that_are_left_out(formulas):
    table = sales()
    table.insert(0, "id", [f"K-{i:05d}" for i in range(len(table))])
    columns = Columns.learn(table).columns
    assert columns.kinds[0] == "identifier"
    again = Columns.from_config(columns.to_config())
    assert [c.formula for c in again.columns] == [c.formula for c in columns.columns]
    kept = columns.kept()
    assert formulas(kept) == formulas(columns)
    assert [column.formula for column in kept.columns] != [c.formula for c in columns.columns[1:]]
    config = columns.to_config()
    config["columns"][1]["formula"]["places"] = [1]
    with pytest.raises(Exception, match="formula"):
        Columns.from_config(config)


def test_what_is_declared_or_bounded_is_modelled(formulas):
    table = sales()
    columns = Columns.learn(
        table, columns={"cents": "integer"}, bounds={"total": (0, None)}
    ).columns
    assert {"cents", "total"} <= set(columns.names)
    assert formulas(columns)["price"] == "0.01 cents"


def test_the_total_is_computed_though_a_part_has_as_many_values(formulas):
    """A part from the total could become negative."""
    r = np.random.default_rng(0)
    a, b = r.gamma(2, 5, 200), r.gamma(2, 5, 200)
    for order in ((a, b, a + b), (a + b, a, b)):
        found = find_formulas(dict(enumerate(order)), dict.fromkeys(range(3), 0.0))
        (place,) = found
        assert np.array_equal(order[place], a + b)
        assert found[place].coefficients == (1.0, 1.0)


def test_of_families_the_size_is_computed_though_it_has_fewer_values_than_its_parts():
    """Geissler's families: by the remainder there were samples of -11 girls."""
    size = np.repeat(np.arange(1, 13), np.arange(2, 14))
    boys = np.concatenate([np.arange(n + 1) for n in range(1, 13)])
    frame = pd.DataFrame({"boys": boys, "girls": size - boys, "size": size})
    columns = Columns.learn(frame).columns
    assert [c.formula is not None for c in columns.columns] == [False, False, True]


@pytest.mark.parametrize("levels", [2, 3, 6, 50])
def test_few_values_and_many_columns_are_no_formulas(levels, formulas):
    for seed in range(40):
        r = np.random.default_rng(seed)
        n, p = int(r.integers(20, 300)), int(r.integers(2, 40))
        columns = dict(enumerate(r.integers(0, levels, (p, n)).astype(float)))
        columns = {j: x for j, x in columns.items() if np.ptp(x)}
        assert find_formulas(columns, dict.fromkeys(columns, 1.0)) == {}


def test_nearly_linear_is_not_linear(formulas):
    r = np.random.default_rng(0)
    x = r.normal(size=500)
    near = x + 1e-4 * r.normal(size=500)
    once = 2 * x
    once[17] += 1e-3
    steps = dict.fromkeys(range(3), 0.0)
    assert find_formulas({0: x, 1: near, 2: once}, steps) == {}


def test_more_columns_than_rows_are_searched_as_far_as_rows_allow(formulas):
    r = np.random.default_rng(0)
    x = r.normal(size=(60, 40))
    columns = dict(enumerate(x)) | {60: x[3] + 1}
    found = find_formulas(columns, dict.fromkeys(columns, 0.0))
    assert set(found) <= {3, 60}


def test_votes_that_float32_holds_exactly_are_not_of_its_precision():
    # a total of millions that three rows get wrong by two was altered by one in all rows
    r = np.random.default_rng(0)
    votes = pd.DataFrame(np.exp(r.normal(9, 2, (200, 3))).astype(int), columns=["a", "b", "c"])
    votes["cast"] = votes.sum(axis=1)
    assert votes["cast"].max() > 1e6
    (found,) = filter(None, (c.formula for c in Columns.learn(votes).columns.columns))
    assert (found.coefficients, found.intercept) == ((1.0,) * 3, 0.0)
    assert found.tolerance < 0.6
    votes.loc[[10, 20, 30], "cast"] += [2, -2, 2]
    assert not any(c.formula for c in Columns.learn(votes).columns.columns)


def test_models_of_files_keep_and_explain_them(tmp_path):
    table = sales(120)[["price", "fee", "total"]]
    table.to_csv(tmp_path / "sales.csv", index=False)
    model = TableFlow(steps=3, random_state=0).fit(pd.read_csv(tmp_path / "sales.csv"))
    drawn = model.sample(200, random_state=0)
    assert (drawn.total == (drawn.price + drawn.fee).round(2)).all()
    wrong = table[:3].copy()
    wrong.loc[1, "total"] += 5
    assert model.score_samples(wrong)[1] < model.score_samples(table[:3])[1] - 4
    reasons = model.explain(wrong)
    found = reasons[(reasons["row"] == 1) & (reasons["column"] == "total")].iloc[0]
    assert found["expected"] == pytest.approx(table["total"][1])
    assert found["gain"] == pytest.approx(math.log(121))
    assert (reasons[reasons["row"] != 1].query("column == 'total'")["gain"] == 0).all()
