"""Budgets of the choice: less is tried and fitted, and some rows are always held out."""

import time

import numpy as np
import pandas as pd
import pytest
import torch

import pushforward
from pushforward.models.sliced import (
    discrete_coordinates,
    layer_growth,
    selection,
    stacking,
    structure,
    structure_search,
)
from pushforward.models.sliced.layer_growth import Layering
from pushforward.models.sliced.selection import select
from pushforward.transport import Rows, mixture


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    town = rng.choice(["a", "b", "c"], 400, p=[0.5, 0.3, 0.2])
    children = rng.poisson(np.where(town == "a", 3, 1))
    age = rng.normal(40, 10, 400) + 3 * children
    return pd.DataFrame({"town": town, "children": children, "age": age, "pay": age**2})


def test_no_time_is_time_enough_for_rows_that_are_held_out(people, all_fits):
    began = time.monotonic()
    model = pushforward.AutoDensity(minutes=1e-4, random_state=0).fit(people)
    assert time.monotonic() - began < 20  # all of it takes longer, on any machine
    told = model.account()
    assert "no time for a fit to all rows: this one saw 360 of 400" in told
    assert "time for 1 of 10 folds: 40 of 400 rows were held out" in told
    assert np.isfinite(model.score_samples(people)).all()
    assert np.isfinite(model.held_out_)
    assert sum(trial["weight"] for trial in model.trials_) == pytest.approx(1)
    assert set(model.sample(50, random_state=0)["town"]) <= {"a", "b", "c"}


def test_folds_are_as_many_as_there_is_time_for(monkeypatch, few_fits):
    """By a clock of its own, on which every fit takes ten seconds and nothing else any."""
    clock = [0.0]
    steps = []

    class Clock:
        monotonic = staticmethod(lambda: clock[0])
        process_time = staticmethod(time.process_time)

    fit = stacking.StackFitter.fit

    def slowly(self, rows, members, step, deadline):
        steps.append((step, len(rows)))
        density = fit(self, rows, members, step, deadline)
        clock[0] += 10
        return density

    sliced = (selection, stacking, structure_search, discrete_coordinates, structure, layer_growth)
    for module in (*sliced, mixture):
        monkeypatch.setattr(module, "time", Clock)
    monkeypatch.setattr(stacking.StackFitter, "fit", slowly)
    folds = "pushforward.models.sliced.selection._FOLDS"
    monkeypatch.setattr(folds, few_fits[folds])
    monkeypatch.setattr(structure_search, "_MOST_COMPONENTS", 2)  # how much is tried is no matter
    x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)).double()
    x[:, 0] += 5.0 * (x[:, 1] > 0)  # which no Gaussian is

    def chosen(minutes):
        steps.clear()
        clock[0] = 0.0
        found = select(
            Rows.continuous(x), seed=0, minutes=minutes, report=lambda text, share: None,
            layering=Layering(2, step=0.8, search_steps=4, knots=16),
        )  # fmt: skip
        return found, [name for name, _ in steps]

    names = ["fold 0", "all", "fold 1", "fold 2", "fold 3", "fold 4"]
    whole, tried = chosen(None)
    assert tried == names
    assert len(whole.scores) == 500
    some, tried = chosen(41 / 60)
    assert tried == names[:4]
    assert len(some.scores) == 300
    assert torch.equal(some.scores, whole.scores[:300])
    assert torch.equal(some.density.log_prob(x), whole.density.log_prob(x))
    least, tried = chosen(9 / 60)
    assert tried == names[:1]
    assert len(least.scores) == 100
    assert not torch.equal(least.density.log_prob(x), whole.density.log_prob(x))
