"""Columns that are products, ratios, powers or logarithms of others."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from pushforward import AutoDensity
from pushforward.data import Columns
from pushforward.data.tables.column_formula import ColumnFormula
from pushforward.data.tables.power_formula import find_powers
from pushforward.errors import DataError, ModelFileError


def sales(n=300, seed=0):
    r = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "amount": 0.0,
            "price": r.gamma(2, 10, n).round(2) + 0.5,
            "number": r.poisson(3, n),
            "weight": r.normal(170, 30, n).round(),
            "height": r.normal(68, 3, n).round(1),
            "wage": r.lognormal(2, 0.5, n).round(2) + 0.01,
            "exper": r.integers(0, 40, n),
        }
    )
    table["amount"] = (table.price * table.number).round(2)
    table["bmi"] = (703 * table.weight / table.height**2).round(1)
    table["lwage"] = np.log(table.wage).astype(np.float32)
    table["tens"] = np.log10(table.price).round(4)
    table["expersq"] = table.exper**2
    table["lexper"] = np.log1p(table.exper).round(5)
    return table


def test_products_ratios_squares_and_logarithms_are_computed(formulas):
    columns = Columns.learn(sales()).columns
    assert formulas(columns) == {
        "amount": "price number",
        "bmi": "703 weight / height^2",
        "lwage": "log(wage)",
        "tens": "log10(price)",
        "expersq": "exper^2",
        "lexper": "log(1 + exper)",
    }
    assert columns.names == ("price", "number", "weight", "height", "wage", "exper")
    assert columns.describe()[0]["why"] == "price number in all rows: computed from it"


def test_samples_follow_them_in_the_decimals_and_types_of_the_data():
    table = sales()
    columns = Columns.learn(table).columns
    z = torch.randn(500, 6, generator=torch.manual_seed(0), dtype=torch.float64)
    made = columns.decode(z)
    assert (made.dtypes == table.dtypes).all()
    assert (made.amount == (made.price * made.number).round(2)).all()
    assert (made.expersq == made.exper**2).all()
    assert (made.lexper == np.log1p(made.exper).round(5)).all()
    assert (abs(made.bmi - 703 * made.weight / made.height**2) <= 0.05001).all()
    assert np.allclose(made.lwage, np.log(made.wage), atol=1e-5)
    assert (abs(made.tens - np.log10(made.price)) <= 0.0000501).all()


def test_three_factors_and_a_rate():
    r = np.random.default_rng(1)
    a, b, c = r.lognormal(size=(3, 400))
    columns = {0: a * b / c * 0.01, 1: a, 2: b, 3: c}
    found = find_powers(columns, dict.fromkeys(columns, 0.0))
    ((place, formula),) = found.items()
    assert np.allclose(formula.compute(columns), columns[place], rtol=1e-9)
    assert len(formula.places) == 3


def test_the_column_that_is_rounded_to_the_others_is_computed():
    """From a rounded ratio weights would come out that do not round to it."""
    r = np.random.default_rng(2)
    weight, height = r.normal(170, 30, 300).round(), r.normal(68, 3, 300).round(1)
    for order in (("bmi", "weight", "height"), ("weight", "height", "bmi")):
        own = {"weight": weight, "height": height, "bmi": (703 * weight / height**2).round(1)}
        columns = {j: own[name] for j, name in enumerate(order)}
        steps = {j: {"weight": 1.0}.get(name, 0.1) for j, name in enumerate(order)}
        assert [order[j] for j in find_powers(columns, steps)] == ["bmi"]


def test_what_is_rounded_is_not_computed_from_what_is_not(formulas):
    """Of a bill by the day, in all digits, and days samples would have whole bills of no day."""
    r = np.random.default_rng(6)
    days, power, gas = r.integers(26, 36, 300), r.poisson(800, 300), r.gamma(2, 40, 300).round(2)
    table = pd.DataFrame({"days": days, "kwh": power, "kwhpday": power / days, "gas": gas})
    table["gaspday"] = gas / days
    columns = Columns.learn(table).columns
    assert formulas(columns) == {"kwhpday": "kwh / days", "gaspday": "gas / days"}
    z = torch.randn(200, 3, generator=torch.manual_seed(0), dtype=torch.float64)
    assert not any(broken.any() for broken in columns.exceptions(columns.decode(z)).values())


def test_a_whole_number_that_has_to_be_computed_from_fractions_may_be_rounded(formulas):
    r = np.random.default_rng(7)
    number = r.integers(1, 400, 300)
    table = pd.DataFrame({"number": number, "square": 2.0 * np.sqrt(number)})
    columns = Columns.learn(table, columns={"square": "continuous"}).columns
    assert formulas(columns) == {"number": "0.25 square^2"}
    z = torch.randn(200, 1, generator=torch.manual_seed(0), dtype=torch.float64)
    assert not columns.exceptions(columns.decode(z))["number"].any()


def test_products_are_found_in_the_rows_that_have_all_of_their_columns(formulas):
    table = sales(600)[["price", "number", "amount", "weight", "height", "bmi"]].astype(float)
    r = np.random.default_rng(8)
    columns = Columns.learn(table.mask(r.random(table.shape) < 0.3), missing="model").columns
    assert formulas(columns) == {"amount": "price number", "bmi": "703 weight / height^2"}


def test_the_logarithm_of_a_product_is_a_sum_of_logarithms():
    r = np.random.default_rng(9)
    people, crimes = r.integers(20_000, 900_000, 200), r.integers(500, 90_000, 200)
    table = pd.DataFrame({"people": people, "crimes": crimes, "rate": 1000 * crimes / people})
    table["lrate"] = np.log(table.rate)
    columns = Columns.learn(table).columns
    assert columns.names == ("people", "crimes")
    made = columns.decode(torch.randn(50, 2, generator=torch.manual_seed(0), dtype=torch.float64))
    assert np.allclose(made.lrate, np.log(made.rate), rtol=0, atol=1e-9)


def test_a_formula_of_rows_that_have_both_fills_in_what_one_lacks(formulas):
    table = sales()
    r = np.random.default_rng(3)
    holes = table[["price", "number", "amount", "wage", "lwage"]].astype(float)
    holes = holes.mask(r.random(holes.shape) < 0.02)
    columns = Columns.learn(holes, missing="model").columns
    assert formulas(columns) == {"amount": "price number", "lwage": "log(wage)"}
    z, _, known = columns.encode_known(holes)
    found = columns.values(z)
    there = known.numpy()[:, columns.names.index("wage")]
    assert (there == (holes.wage.notna() | holes.lwage.notna())).all()
    assert np.allclose(found["wage"][there], table.wage[there], rtol=0, atol=1e-9)


def test_what_a_product_of_zero_was_made_of_is_not_known():
    table = sales()
    columns = Columns.learn(table).columns
    row = table[table.number == 0][:1].drop(columns=["price", "tens"])
    _, _, known = columns.encode_known(row)
    assert not bool(known[0, columns.names.index("price")])
    assert bool(known[0, columns.names.index("number")])


def test_open_factors_of_a_known_product_are_made_to_give_it():
    table = sales()
    columns = Columns.learn(table).columns
    given = pd.DataFrame({"amount": [120.0, 60.0], "lwage": [2.0, 2.0]})
    z, _, _ = columns.encode_known(given)
    made = columns.fill(given, z, np.arange(2))
    assert list(made.amount) == [120.0, 60.0]
    assert np.allclose(made.price * made.number, made.amount, rtol=0.3)  # numbers are whole
    assert np.allclose(np.log(made.wage), 2.0, atol=1e-3)


def test_a_share_of_nothing_is_an_end_of_the_data(formulas):
    formula = ColumnFormula((1, 2), (1.0, -1.0), 1.0, 1e-9, "product")
    assert np.isinf(formula.compute({1: np.ones(1), 2: np.zeros(1)})).all()
    r = np.random.default_rng(4)
    part, whole = r.integers(0, 20, 300), r.integers(1, 4, 300)
    table = pd.DataFrame({"share": (part / whole).round(2), "part": part, "whole": whole})
    columns = Columns.learn(table).columns
    assert formulas(columns) == {"share": "part / whole"}
    made = columns.fill(
        pd.DataFrame({"part": [3], "whole": [0]}), torch.zeros(1, 2), np.zeros(1, int)
    )
    assert np.isfinite(made.share).all()


def test_a_product_beyond_all_integers_leaves_its_factors():
    columns = Columns.learn(sales()).columns
    given = pd.DataFrame({"amount": [1e300, 120.0]})
    z, _, _ = columns.encode_known(given)
    made = columns.fill(given, z, np.arange(2))
    assert (made.number.abs() < 2**53).all()
    assert made.price[1] * made.number[1] == pytest.approx(120, rel=0.3)


@pytest.mark.parametrize("levels", [2, 3, 6, 50, None])
def test_chance_is_no_formula(levels):
    for seed in range(25):
        r = np.random.default_rng(seed)
        n, p = int(r.integers(20, 300)), int(r.integers(2, 25))
        if levels is None:
            columns = dict(enumerate(r.lognormal(size=(p, n)).round(1)))
        else:
            columns = dict(enumerate(r.integers(0, levels, (p, n)).astype(float)))
        columns = {j: x for j, x in columns.items() if np.ptp(x)}
        step = 0.1 if levels is None else 1.0
        assert find_powers(columns, dict.fromkeys(columns, step)) == {}


def test_nearly_is_not_all_rows():
    r = np.random.default_rng(0)
    x = r.lognormal(size=500)
    once = x**2
    once[17] *= 1.001
    near = np.log(x) + 1e-5 * r.normal(size=500)
    assert find_powers({0: x, 1: once, 2: near}, dict.fromkeys(range(3), 0.0)) == {}


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e15])
def test_numbers_of_any_size_are_searched_without_a_warning(size):
    r = np.random.default_rng(0)
    x, y = r.lognormal(size=(2, 100)) * size
    x[:3] = 0.0
    y[3:6] = np.nan
    columns = {0: x, 1: y, 2: np.where(r.random(100) < 0.5, size, -size), 3: r.normal(size=100)}
    assert find_powers(columns, dict.fromkeys(columns, 0.0)) == {}


def test_a_square_of_both_signs_is_not_computed():
    """It says of no square of which number it is."""
    x = np.random.default_rng(0).normal(size=300)
    assert find_powers({0: x, 1: x**2}, {0: 0.0, 1: 0.0}) == {}


def test_what_is_declared_is_modelled():
    columns = Columns.learn(sales(), bounds={"amount": (0, None), "bmi": (10, 60)}).columns
    assert {"amount", "bmi"} <= set(columns.names)


@pytest.mark.parametrize(
    "formula",
    [
        ColumnFormula((0, 1), (1.0, -1.0), 2.0, 1e-9, "product"),
        ColumnFormula((0, 1), (2.0, 1.0), -0.5, 1e-9, "product"),
        ColumnFormula((0, 1), (0.5, 3.0), 1.0, 1e-9, "product"),
        ColumnFormula((0, 1), (2.0, -0.3), 1.0, 1e-9, "logarithm"),
        ColumnFormula((0, 1), (2.0, -0.3), 1.0, 1e-9, "log1p"),
        ColumnFormula((0, 1), (2.0, -0.3), 1.0, 1e-9),
    ],
)
def test_each_term_is_found_from_the_others_and_the_whole(formula):
    r = np.random.default_rng(5)
    values = {0: r.lognormal(size=50), 1: r.lognormal(size=50)}
    whole = formula.compute(values)
    for k in (0, 1):
        others = {j: x for j, x in values.items() if j != k}
        assert np.allclose(formula.solve(k, whole, others), values[k], rtol=1e-9)


def test_it_comes_back_from_its_config_which_is_checked():
    columns = Columns.learn(sales()).columns
    again = Columns.from_config(columns.to_config())
    assert [c.formula for c in again.columns] == [c.formula for c in columns.columns]
    for part, value in (
        ("form", "sine"), ("form", 1), ("coefficients", [0.0, 1.0]), ("intercept", 0.0)
    ):  # fmt: skip
        config = columns.to_config()
        config["columns"][0]["formula"][part] = value
        with pytest.raises(ModelFileError, match="formula"):
            Columns.from_config(config)


def test_a_model_answers_by_them():
    table = sales(200)[["wage", "lwage", "exper", "expersq"]]
    model = AutoDensity(minutes=0.1, random_state=0).fit(table)
    drawn = model.sample(200, random_state=0)
    assert np.allclose(np.log(drawn.wage), drawn.lwage, atol=1e-5)
    assert (drawn.exper**2 == drawn.expersq).all()
    wrong = table[:2].copy()
    wrong.loc[1, "expersq"] += 1
    change = model.score_samples(wrong) - model.score_samples(table[:2])
    assert change == pytest.approx([0, -math.log(201)])
    filled = model.impute(pd.DataFrame({"lwage": [2.0], "expersq": [49]}))
    assert filled.exper[0] == 7
    assert filled.wage[0] == pytest.approx(math.exp(2), abs=0.01)
    for label in ("lwage", "wage"):
        with pytest.raises(DataError, match=f"column '{label}': got 'much'"):
            model.given({"lwage": 2.0, label: "much"})
    asked = model.given({"lwage": 2.0}).sample(5, random_state=0)
    assert np.allclose(asked.wage, math.exp(2), atol=0.01)
