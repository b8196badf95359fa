"""The refit: a density that has seen the rows is judged as on rows that it has not."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import pushforward
from pushforward.refinement import compare_methods, refine
from pushforward.refinement.held_out_refit import is_fitted_on, refit_without


def people(n, seed):
    """Categories that hang together, a number that hangs on them, and one that is noise."""
    rng = np.random.default_rng(seed)
    town = rng.choice(["a", "b", "c", "d"], n, p=[0.4, 0.3, 0.2, 0.1])
    owns = rng.random(n) < np.where(town == "a", 0.8, 0.2)
    rooms = rng.poisson(np.where(owns, 5, 2)) + 1
    age = rng.normal(40, 10, n) + 5 * owns
    return pd.DataFrame({"town": town, "owns": owns, "rooms": rooms, "age": age})


class Memory(pushforward.GIS):
    """A density that samples rows of its fit, a year older or younger."""

    def fit(self, X, y=None, sample_weight=None, **options):
        super().fit(X)
        self.rows = X.reset_index(drop=True)
        return self

    def sample(self, n_samples=1, random_state=None):
        drawn = self.rows.sample(n_samples, replace=True, random_state=random_state)
        rng = np.random.default_rng(random_state)
        return drawn.assign(age=drawn["age"] + rng.normal(size=n_samples))


class Unhurried(pushforward.GIS):
    """A density that does not watch the clock."""

    def __init__(self, *, random_state=None):
        super().__init__(max_layers=1, search_steps=3, random_state=random_state)


@pytest.fixture(scope="module")
def fitted():
    rows = people(400, 0)
    return pushforward.GIS(max_layers=2, search_steps=3, random_state=0).fit(rows), rows


def test_the_rows_of_a_fit_are_known_in_any_order_and_from_a_folder(fitted, tmp_path):
    model, rows = fitted
    again = pushforward.load(model.save(tmp_path / "model"))
    for one in (model, again):
        assert is_fitted_on(one, rows)
        assert is_fitted_on(one, rows.sample(frac=1, random_state=1))
        assert not is_fitted_on(one, rows.iloc[1:])
        assert not is_fitted_on(one, people(400, 1))
    assert not is_fitted_on(object(), rows)
    weighed = pushforward.GIS(max_layers=1, random_state=0)
    weighed.fit(rows, sample_weight=np.linspace(0.5, 1.5, len(rows)))
    assert not is_fitted_on(weighed, rows)  # a refit would not have the weights


def test_the_refit_is_fitted_without_the_rows_that_judge(fitted):
    _, rows = fitted
    model = Memory(max_layers=1, search_steps=3, random_state=0).fit(rows)
    held_out = np.arange(len(rows)) < 100
    refit = refit_without(model, rows, held_out, None)
    assert refit.rows.equals(rows.iloc[100:].reset_index(drop=True))
    assert len(model.rows) == len(rows)
    for own, left, minutes in ((None, 0.5, 0.5), (0.1, 0.5, 0.1), (0.5, 0.1, 0.1)):
        hurried = clone(model).set_params(minutes=own).fit(rows.head(50))
        assert refit_without(hurried, rows, held_out, left).minutes == minutes
    assert refit_without(Unhurried(random_state=0).fit(rows), rows, held_out, 0.1) is None


def test_a_density_that_knows_its_rows_by_heart_is_judged_by_its_refit(fitted):
    """Rows that it repeats say nothing of its samples beside rows that are new."""
    _, rows = fitted
    model = Memory(max_layers=1, search_steps=3, random_state=0).fit(rows)
    refined = refine(model, rows)
    report = refined.report_
    assert any("a refit of it" in note for note in report.notes)
    areas = [
        pushforward.evaluate(
            model.sample(400, random_state=k), people(400, 50 + k), measures=["two_sample"]
        )["two_sample_auroc"].value
        for k in range(3)
    ]
    assert report.before.value == pytest.approx(np.mean(areas), abs=0.06)
    (unadjusted, _) = compare_methods(model, rows, methods=[])
    assert abs(unadjusted.auc.value - np.mean(areas)) > 0.1


def test_rows_that_are_new_need_no_refit(fitted):
    model, _ = fitted
    notes = refine(model, people(400, 3)).report_.notes
    assert not any("refit" in note for note in notes)


def test_a_flow_with_latents_is_judged_by_its_refit_too(fitted, monkeypatch):
    """By what the refit samples, not by the latents of the flow that has seen the rows."""
    _, rows = fitted
    model = pushforward.TableFlow(couplings=2, width=8, steps=150, random_state=0).fit(rows)

    class Elsewhere:
        def sample(self, n_samples=1, random_state=None):
            return model.sample(n_samples, random_state).assign(age=1000.0)

    monkeypatch.setattr(
        "pushforward.refinement.preparation.refit_without", lambda *arguments: Elsewhere()
    )
    refined = refine(model, rows, method="rejection", random_state=0)
    assert refined.report_.before.value > 0.99
    assert any("refit" in note for note in refined.report_.notes)
    assert set(refined.sample(20, random_state=0)["town"]) <= {"a", "b", "c", "d"}
