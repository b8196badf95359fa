"""Margins: point masses come back, the order of rows stays, numbers are spelled as in the data."""

import numpy as np
import pandas as pd
import pytest
import torch

import pushforward
from pushforward.estimators.capabilities import Capabilities
from pushforward.refinement import refine
from pushforward.refinement.repeated_values import Margins, repeated_values, with_nearest_values


@pytest.fixture(scope="module")
def fares():
    """Prices that repeat, and none at all for the crew."""
    rng = np.random.default_rng(0)
    kind = np.array(["crew", "third", "first"])[rng.choice(3, 900, p=[0.4, 0.4, 0.2])]
    prices = {"crew": [0.0], "third": [7.25, 7.9, 8.05], "first": [26.55, 52.0]}
    fare = np.array([rng.choice(prices[k]) for k in kind])
    return pd.DataFrame({"kind": kind, "fare": fare, "weight": rng.normal(70, 10, 900)})


def test_margins_are_those_of_the_data_and_order_stays(generator):
    draw = torch.randn(2000, 3, generator=generator)
    real = torch.stack([draw[:, 0].round(), draw[:, 1], (draw[:, 2] > 0).float()], dim=1)
    made = torch.randn(4000, 3, generator=generator) * 3 + 1
    margins = Margins.learn(real, made)
    assert margins.coordinates == (0, 2)
    moved = Margins.from_config(margins.to_config())(made)
    assert torch.equal(moved[:, 1], made[:, 1])
    for j in margins.coordinates:
        values, counts = real[:, j].unique(return_counts=True)
        shares = (moved[:, j, None] == values).double().mean(dim=0)
        torch.testing.assert_close(
            shares, counts / len(real), atol=2e-3, rtol=0, check_dtype=False
        )
        assert (moved[made[:, j].argsort(), j].diff() >= 0).all()
    assert Margins.learn(draw, made) is None


def test_numbers_are_spelled_as_in_the_data(fares):
    known = repeated_values(fares)
    assert {*known} == {"fare"}
    rough = fares.assign(fare=fares["fare"].astype(np.float32).astype(np.float64) + 1e-9)
    pd.testing.assert_frame_equal(with_nearest_values(rough, known), fares)
    other = fares.assign(fare=fares["fare"] + 0.01)
    pd.testing.assert_frame_equal(with_nearest_values(other, known), other)
    array = np.round(np.random.default_rng(0).normal(size=(50, 2)), 1)
    assert np.array_equal(with_nearest_values(array + 1e-9, repeated_values(array)), array)
    pl = pytest.importorskip("polars")
    assert (
        with_nearest_values(pl.from_pandas(rough), known)["fare"].to_list()
        == fares["fare"].to_list()
    )


def test_a_mixed_table_is_refined_by_margins_and_trees(fares, tmp_path):
    columns = {"fare": "continuous"}  # of which a density makes numbers that nobody paid
    base = pushforward.GIS(max_layers=1, search_steps=3, columns=columns, random_state=0)
    refined = refine(base.fit(fares), fares)
    report = refined.report_
    assert [stage.name for stage in report.stages if stage.kept] == ["margins", "rejection"]
    assert "margins of data (columns fare)" in str(report)
    sample = refined.sample(900, random_state=1)
    assert set(sample["fare"]) <= set(fares["fare"])
    judged = pushforward.evaluate(sample, fares, measures=["two_sample"])
    assert judged["two_sample_auroc"].value == pytest.approx(report.after.value, abs=0.08)
    assert report.after.value < 0.7 < report.before.value
    again = pushforward.load(refined.save(tmp_path / "refined"))
    pd.testing.assert_frame_equal(
        again.sample(50, random_state=2), refined.sample(50, random_state=2)
    )
    weighed, weight = refined.weighted_sample(200, random_state=0)
    assert set(weighed["fare"]) <= set(fares["fare"])
    assert weight.sum() == pytest.approx(1)
    before, after = refined.before_after(40, random_state=0)
    assert not set(before["fare"]) <= set(fares["fare"])
    assert set(after["fare"]) <= set(fares["fare"])
    assert pushforward.refinement.collapse(refined, fares) == []


def test_prices_that_are_found_to_repeat_need_no_margins(fares):
    base = pushforward.GIS(max_layers=1, search_steps=3, random_state=0).fit(fares)
    refined = refine(base, fares)
    assert [stage.name for stage in refined.report_.stages] == ["rejection"]
    assert refined.report_.helped
    assert set(refined.sample(300, random_state=1)["fare"]) <= set(fares["fare"])


def test_a_density_that_has_no_samples_of_coordinates_is_refined_by_what_the_model_draws(fares):
    base = pushforward.GIS(max_layers=1, search_steps=3, random_state=0).fit(fares)
    rows = base.sample(4000, random_state=3)

    class Bootstrap:
        def capabilities(self):
            return Capabilities("table", base.columns_, methods=frozenset({"sample"}))

        def sample(self, n_samples=1, random_state=None):
            return rows.sample(n_samples, replace=True, random_state=random_state)

    refined = refine(Bootstrap(), fares, method="rejection")
    assert refined.sample(20, random_state=0).shape == (20, 3)
    assert refined.report_.stages[0].name == "rejection"


def test_rows_far_out_do_not_end_learning(generator):
    """A sample at 1e20 made the gradient infinite: it counts as one at thirty deviations."""
    from pushforward.refinement import fit_ratio

    real, made = torch.randn(400, 2, generator=generator), torch.randn(400, 2, generator=generator)
    made[0] = 1e20
    ratio = fit_ratio(real, made + 1, steps=20)
    assert ratio(made).isfinite().all()
