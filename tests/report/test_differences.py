"""The page shows which pairs are broken and marks the cells that give rows away."""

import re

import numpy as np
import pandas as pd
import pytest

from pushforward.report import page

CITIES = {"Rome": "Italy", "Milan": "Italy", "Paris": "France", "Bern": "Switzerland"}


def table(n, seed):
    rng = np.random.default_rng(seed)
    city = rng.choice(list(CITIES), n)
    return pd.DataFrame(
        {"city": city, "country": [CITIES[c] for c in city], "count": rng.poisson(3, n)}
    )


def section(html):
    begin = html.index('<section id="differences">')
    return html[begin : html.index("</section>", begin)]


@pytest.fixture(scope="module")
def shown():
    real, broken = table(400, 1), table(400, 2)
    broken["country"] = broken["country"].sample(frac=1, random_state=0).to_numpy()
    models = {"torn": broken, "fresh": table(400, 3)}
    return section(page(models, real, measures=["broken_dependence", "two_sample"]).html)


def test_the_broken_pair_stands_beside_the_real_one(shown):
    torn, fresh = shown.split("Pairs broken most: fresh")
    assert 'alt="country against city: real rows"' in torn
    assert 'alt="country against city: sampled rows"' in torn
    assert re.search(r"9\d %|100 % of the dependence lost", torn)
    assert "impossible rows" in torn
    assert "None loses a tenth" in fresh
    assert "against" not in fresh


def test_wrong_cells_are_marked_and_others_are_not(shown):
    torn, fresh = shown.split("Sampled rows that are recognised: fresh")
    rows = torn[torn.index("Sampled rows that are recognised: torn") :]
    lines = re.findall(r"<tr><td.*?</tr>", rows)
    assert len(lines) >= 2
    places = {*CITIES, *CITIES.values()}
    assert all(places & set(re.findall(r"<mark>(.*?)</mark>", line)) for line in lines)
    for city, country in re.findall(r"(Rome|Milan|Paris|Bern).*?(Italy|France|Switz\w+)", rows):
        assert CITIES[city] != country
    assert "None: the forest does not tell" in fresh


def test_parts_whose_measure_was_not_taken_are_left_out():
    real, fresh = table(60, 1), table(60, 2)
    html = page(fresh, real, measures=["broken_dependence"]).html
    assert "Pairs broken most" in section(html)
    assert "give rows away" not in html
    assert 'id="differences"' not in page(fresh, real, measures=["column_fidelity"]).html
