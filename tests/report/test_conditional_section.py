"""A page shows what models say of the other columns where some cells are given."""

import numpy as np
import pandas as pd
import pytest

import pushforward
from pushforward.errors import UnsupportedError
from pushforward.report import page


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    age = rng.integers(20, 70, 400)
    frame = pd.DataFrame(
        {
            "age": age,
            "income": (1000.0 * age + rng.normal(0, 2000, 400)).round(1),
            "home": np.where(age + rng.normal(0, 4, 400) > 45, "own", "rent"),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 400), "D"),
        }
    )
    return pushforward.GIS(max_layers=0, whiten=True, random_state=0).fit(frame), frame


def section(html):
    begin = html.index('id="given"')
    return html[begin : html.index("</section>", begin)]


def test_open_columns_are_small_multiples_with_their_intervals(people):
    model, frame = people
    more = {"measures": ["column_fidelity"], "n": 200}
    made = page({"GIS": model, "rows": frame}, frame, given={"age": 30, "home": ["rent"]}, **more)
    shown = section(made.html)
    assert "Given age = 30 and home = rent" in shown
    assert shown.count("<img") >= 3  # income, since, and home, of which a list is given
    median = float(
        shown.split("income of GIS where the cells are given: median ")[1].split(",")[0]
    )
    assert median == pytest.approx(30_000, abs=4000)
    assert "rent 100" in shown
    assert "% from 2020-" in shown
    assert 'id="given"' not in page(model, frame, **more).html


def test_what_takes_no_conditions_is_refused(people):
    _, frame = people
    with pytest.raises(UnsupportedError, match="takes conditions"):
        page({"rows": frame}, frame, given={"age": 30}, measures=["column_fidelity"])
