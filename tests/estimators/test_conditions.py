"""Conditions from their text: values, ranges, and what is refused."""

import math

import numpy as np
import pandas as pd
import pytest

from pushforward.data import Columns
from pushforward.errors import DataError
from pushforward.estimators.conditions import read_condition


@pytest.fixture(scope="module")
def columns():
    rng = np.random.default_rng(0)
    n = 80
    frame = pd.DataFrame(
        {
            "age": rng.integers(17, 90, n),
            "size": rng.normal(size=n),
            "income": np.where(np.arange(n) % 3, " <=50K", " >50K"),
            "day": pd.date_range("2024-01-01", periods=n).astype(str),
            "fresh": np.arange(n) % 2 == 0,
        }
    )
    return Columns.learn(frame).columns


def read(columns, label, text):
    return read_condition(text, columns.columns[columns.labels.index(label)], label)


@pytest.mark.parametrize(
    ("label", "text", "expected"),
    [
        ("age", "40", 40),
        ("age", " 40..60 ", (40, 60)),
        ("age", "40 ..", (40, None)),
        ("age", "..60", (None, 60)),
        ("age", "> 40", (41, None)),
        ("age", ">= 40", (40, None)),
        ("age", "<40", (None, 39)),
        ("size", "-1.5e-1", -0.15),
        ("size", "> 0.5", (math.nextafter(0.5, 1), None)),
        ("size", "<=0.5", (None, 0.5)),
        ("size", "-1..-.5", (-1.0, -0.5)),
        ("income", " >50K", " >50K"),
        ("income", ">50k", " >50K"),
        ("day", "2024-01-05..2024-02-01", ("2024-01-05", "2024-02-01")),
        ("day", ">= 2024-02-01", ("2024-02-01", None)),
        ("fresh", "true", True),
    ],
)
def test_what_a_text_means(columns, label, text, expected):
    found = read(columns, label, text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("label", "text", "said"),
    [
        ("age", "old", "column 'age': got 'old'. Expected a finite number"),
        ("age", "40..old", "got 'old'"),
        ("age", "..", "Expected a finite number"),
        ("size", "inf", "finite"),
        ("day", "> 2024-02-01", "Expected >= of dates"),
    ],
)
def test_what_is_no_condition(columns, label, text, said):
    with pytest.raises(DataError, match=said):
        read(columns, label, text)
