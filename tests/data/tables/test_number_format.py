"""Numbers that people write as text."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from pushforward.data import Columns
from pushforward.data.tables.number_format import NumberFormat
from pushforward.errors import DataError


def text(*cells):
    return np.array(cells, dtype=object)


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (text("$1,234.50", "$7.25", "$0.10"), [1234.5, 7.25, 0.1]),
        (text("1 234,5", "12,2"), [1234.5, 12.2]),
        (text("1.234,50", "3,25"), [1234.5, 3.25]),
        (text("1'234.5", "3.2"), [1234.5, 3.2]),
        (text("12%", "3%", "-55%"), [12, 3, -55]),
        (text("(3.2)", "4.1"), [-3.2, 4.1]),
        (text("-$7.50", "$5.00"), [-7.5, 5]),
        (text("7,5 €", "5,0 €"), [7.5, 5]),
        (text("USD 5.00", "USD 1,000.00"), [5, 1000]),
        (text("1,234", "12", "1,000,000"), [1234, 12, 1000000]),
        (text("0,5", "1,25"), [0.5, 1.25]),
        (text("12.5", "-13.25", "9.0"), [12.5, -13.25, 9]),
        (text("\u221212.5", "3.5"), [-12.5, 3.5]),
    ],
)
def test_read_and_written_back(cells, numbers):
    how = NumberFormat.learn(cells)
    np.testing.assert_allclose(how.parse(cells), numbers)
    np.testing.assert_allclose(how.parse(how.write(np.array(numbers))), numbers)


def test_written_as_they_were():
    for cells in (text("$1,234.50", "-$7.25"), text("(3.2)", "4.1"), text("1.234,5", "3,2")):
        how = NumberFormat.learn(cells)
        assert how.write(how.parse(cells)).tolist() == cells.tolist()
    assert NumberFormat.learn(text("1e3", "2.5e-4", "7")).parse(text("1e3"))[0] == 1000


@pytest.mark.parametrize(
    "cells",
    [
        text("02139", "10001", "90210"),
        text("90210", "10001", "60614"),
        text("1", "2", "1"),
        text(*(str(10**24 + i) for i in range(60))),
        text("a", "b", "3"),
        text("PAL0708", "PAL0809", "PAL0910"),
        text("KK-08", "KK-12", "09-12"),
        text("CN0100100000000", "CN0501300000000"),
        text("1.2.3", "1.2.4"),
        text("2024-01-31", "2024-02-01"),
        text("yes", "no"),
        text("?", "-", ""),
    ],
)
def test_codes_and_words_are_no_numbers(cells):
    assert NumberFormat.learn(cells) is None


@pytest.mark.parametrize("word", ["?", "-", "n/a", "missing", "NULL", "  "])
def test_a_word_for_missing_makes_no_category(word):
    r = np.random.default_rng(0)
    cells = r.integers(40, 230, 400).astype(str).astype(object)
    cells[::70] = word
    frame = pd.DataFrame({"horsepower": cells, "x": r.normal(size=400)})
    with pytest.raises(DataError, match=r"missing values .* column 'horsepower': 6"):
        Columns.learn(frame)
    learned = Columns.learn(frame, missing="drop")
    assert learned.columns.kinds[0] == "integer"
    assert int(learned.kept.sum()) == 394
    entry = learned.columns.describe()[0]
    assert entry["missing"] == 6 / 400
    assert "6 cells are no numbers" in entry["note"]
    back = learned.columns.decode(learned.columns.encode(learned.X)[0])
    assert back["horsepower"].tolist() == learned.X["horsepower"].tolist()


def test_a_column_of_prices_comes_back_as_prices():
    r = np.random.default_rng(0)
    prices = [f"${x:,.2f}" for x in r.lognormal(6, 1, 300)]
    frame = pd.DataFrame({"price": prices, "x": r.normal(size=300)})
    columns = Columns.learn(frame).columns
    assert columns.kinds[0] == "continuous"
    assert columns.decode(columns.encode(frame)[0])["price"].tolist() == prices
    drawn = columns.decode(torch.randn(200, 2, generator=torch.manual_seed(0)))["price"]
    assert drawn.str.fullmatch(r"\$\d{1,3}(,\d{3})*\.\d\d").all()
    again = Columns.from_config(json.loads(json.dumps(columns.to_config())))
    assert torch.equal(again.encode(frame)[0], columns.encode(frame)[0])


def test_few_odd_words_are_named_and_many_make_a_category():
    r = np.random.default_rng(0)
    cells = np.round(r.normal(size=200), 2).astype(str).astype(object)
    cells[3] = "broken"
    frame = pd.DataFrame({"v": cells, "x": r.normal(size=200)})
    note = Columns.learn(frame, missing="drop").columns.describe()[0]["note"]
    assert note == "1 cell is no number ('broken') and counts as missing"
    cells[[5, 7]] = "lost"
    note = Columns.learn(frame.assign(v=cells), missing="drop").columns.describe()[0]["note"]
    assert note == "3 cells are no numbers ('broken', 'lost') and count as missing"
    cells[::5] = [f"broken {letter}" for letter in "abcdefghij" * 4]
    assert NumberFormat.learn(cells) is None


@pytest.mark.parametrize(
    ("words", "share", "numbers"),
    [
        (["Still in office"], 0.25, True),
        (["% Sales", "low", "high"], 0.2, True),
        (["Still in office"], 0.3, False),
        (["a", "b", "c", "d"], 0.2, False),
        (["30+"], 0.2, False),  # a number of a kind: no missing cell
    ],
)
def test_a_few_words_again_and_again_are_no_category_of_all_numbers(words, share, numbers):
    cells = np.array([str(k % 40 + 100.5) for k in range(200)], dtype=object)
    odd = round(200 * share)
    cells[:odd] = np.resize(words, odd)
    assert (NumberFormat.learn(cells) is not None) == numbers
    few = np.array([str(k % 4 + 0.5) for k in range(200)], dtype=object)
    few[:odd] = np.resize(words, odd)
    assert NumberFormat.learn(few) is None  # levels, one of them a word


def test_declared_numbers_with_many_odd_cells():
    cells = np.array(["1.5", "2.5", "x1", "x2"] * 20, dtype=object)
    frame = pd.DataFrame({"v": cells, "x": np.arange(80.0) ** 2})
    learned = Columns.learn(frame, columns={"v": "continuous"}, missing="drop")
    assert learned.columns.kinds[0] == "continuous"
    assert int(learned.kept.sum()) == 40


def test_money_in_millions_is_a_number_where_every_cell_says_so():
    cells = np.array([f"${k % 57 + 0.7:.1f}M" for k in range(90)] + ["n/a"], dtype=object)
    how = NumberFormat.learn(cells)
    assert (how.prefix, how.suffix, how.places) == ("$", "M", 1)
    read = how.parse(np.array(["$56.7M", "$56.7", "$56.7K", "56.7M", "n/a"], dtype=object))
    assert read[0] == 56.7
    assert np.isnan(read[1:]).all()  # another unit, or none: not said in these terms
    assert how.write(np.array([1234.56])).tolist() == ["$1234.6M"]


@pytest.mark.parametrize("unit", ["K", "M", "B"])
def test_letters_of_scales_without_money_are_no_numbers(unit):
    doors = np.array([f"{k}{unit}" for k in range(90)], dtype=object)
    assert NumberFormat.learn(doors) is None


@pytest.mark.parametrize(
    ("cells", "numbers", "suffix"),
    [
        (text("5 kg", "7 kg", "12.5 kg"), [5, 7, 12.5], " kg"),
        (text("-10°C", "3°C", "29°C"), [-10, 3, 29], "°C"),
        (text("40.0020°", "-3.1°"), [40.002, -3.1], "°"),
        (text("23.4 km/l", "18 km/l"), [23.4, 18], " km/l"),
        (text("120 m²", "80 m²"), [120, 80], " m²"),
    ],
)
def test_a_unit_that_all_numbers_have_is_written_back(cells, numbers, suffix):
    how = NumberFormat.learn(cells)
    assert how.suffix == suffix
    np.testing.assert_allclose(how.parse(cells), numbers)
    np.testing.assert_allclose(how.parse(how.write(np.array(numbers))), numbers)


def test_numbers_with_several_units_stay_text():
    for cells in (text("5 kg", "300 g", "2 kg"), text("12B", "14A", "9C"), text("1st", "2nd")):
        assert NumberFormat.learn(cells) is None
    cells = text(*(f"{i} kg" for i in range(60)), "300 g")
    assert np.isnan(NumberFormat.learn(cells).parse(cells)).tolist() == [False] * 60 + [True]


def test_an_x_is_a_level_beside_few_numbers_and_missing_beside_many():
    r = np.random.default_rng(0)
    few = pd.DataFrame({"v": np.where(np.arange(300) % 3 == 0, "x", "1"), "a": r.normal(size=300)})
    columns = Columns.learn(few).columns
    assert columns.kinds[0] == "category"
    assert "100 cells are no numbers ('x')" in columns.columns[0].note
    many = few.assign(v=[str(v) for v in r.integers(0, 500, 300)])
    many.loc[:20, "v"] = "x"
    assert Columns.learn(many, missing="drop").columns.kinds[0] == "integer"


def test_money_in_thousands_and_millions():
    cells = text(*["$617K", "$56.7M", "$4.44M", "$950", "$1.2B", "-$2M"] * 10, "-")
    how = NumberFormat.learn(cells)
    expected = [617e3, 56.7e6, 4.44e6, 950, 1.2e9, -2e6]
    np.testing.assert_array_equal(how.parse(cells), [*expected * 10, np.nan])
    assert how.write(np.array(expected)).tolist() == cells[:6].tolist()
    assert how.write(np.array([999.0, 1000, 999_999, 1.234e12])).tolist() == [
        "$999",
        "$1K",
        "$999.999K",
        "$1234B",
    ]
    assert NumberFormat.learn(text("617K", "56.7M", "4.44M")) is None


def test_formats_of_money_and_long_units_are_saved():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": [f"{v} bedrooms/unit" for v in rng.integers(1, 90, 60)],
            "gross": [f"${v:.3g}{'KM'[i % 2]}" for i, v in enumerate(rng.random(60) * 99 + 1)],
        }
    )
    columns = Columns.learn(frame).columns
    again = Columns.from_config(json.loads(json.dumps(columns.to_config())))
    back = again.decode(columns.encode(frame)[0])
    assert back["size"].tolist() == frame["size"].tolist()
    assert NumberFormat.learn(back["gross"].to_numpy(object)).scaled
