"""An interrupted refinement goes on: what it learned and searched is not done again."""

import numpy as np
import pytest
import torch

import pushforward
from pushforward.errors import ParameterError
from pushforward.refinement import RefinedModel, held_out_refit, refine
from pushforward.refinement import preparation as preparing
from pushforward.refinement.density_ratio import RatioEstimator
from pushforward.refinement.methods import DGflow
from pushforward.storage import checkpoint
from pushforward.storage.checkpoint import Checkpoint


@pytest.fixture(autouse=True)
def _eager(monkeypatch):
    """Every step is written at once."""
    monkeypatch.setattr(checkpoint, "_EVERY", 0.0)
    monkeypatch.setattr(checkpoint, "_SHARE", 1e9)


class Interrupted(BaseException):
    """What a test raises in the middle of a refinement."""


@pytest.fixture
def interrupted(monkeypatch):
    """Runs something that dies in its n-th writing, once that is done."""

    def until(run, number):
        write, left = Checkpoint.write, [number]

        def writing(self, *arguments):
            write(self, *arguments)
            left[0] -= 1
            if left[0] == 0:
                raise Interrupted

        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "write", writing)
            with pytest.raises(Interrupted):
                run()

    return until


@pytest.fixture
def work_done(monkeypatch):
    """What was learned, searched and fitted, in order, once more at each time."""
    done = []

    def counting(owner, name, word):
        function = getattr(owner, name)

        def counted(*arguments, **options):
            done.append(word)
            return function(*arguments, **options)

        monkeypatch.setattr(owner, name, counted)

    counting(RatioEstimator, "learned", "logit")
    counting(DGflow, "tune", "search")
    counting(preparing, "refit_without", "refit")
    return done


def told(model):
    """The report but for the clock."""
    said = model.report_.to_dict()
    return {key: value for key, value in said.items() if key not in ("seconds", "expected")}


def moved_rows(folder=None, **options):
    data = torch.randn(200, 2, generator=torch.Generator().manual_seed(0)) * 0.5 + 1
    return refine(lambda z: z, data, prior=2, folder=folder, **options)


def seen_table(folder=None):
    """Of a mixed table and the model that was fitted to it: a refit, margins and trees."""
    rng = np.random.default_rng(0)
    X = np.stack([rng.normal(size=200), rng.poisson(1.0, 200)], axis=1)
    model = pushforward.GIS(max_layers=1, search_steps=3, random_state=0).fit(X)
    return refine(model, X, folder=folder)


FITS = {
    "moved": lambda folder=None: moved_rows(folder, evaluations=8),
    "features": lambda folder=None: moved_rows(
        folder, features=lambda x: 2 * x, method="rejection", settings={"budget": 2.0}
    ),
    "table": seen_table,
}


@pytest.mark.parametrize("name", FITS)
def test_an_interrupted_refinement_ends_as_an_uninterrupted_one(
    name, interrupted, work_done, tmp_path
):
    whole = FITS[name]()
    steps = list(work_done)
    assert "logit" in steps
    work_done.clear()
    place = tmp_path / "work"
    interrupted(lambda: FITS[name](place), 1)
    assert len(work_done) > 0
    interrupted(lambda: FITS[name](place), 1)
    again = FITS[name](place)
    assert work_done == steps  # each of them once, over all three runs
    assert told(again) == told(whole)
    a, b = (np.asarray(m.sample(50, random_state=0)) for m in (again, whole))
    np.testing.assert_array_equal(a, b)
    assert not place.exists()


def test_another_refinement_begins_anew_and_names_what_differs(interrupted, tmp_path):
    place = tmp_path / "work"
    changes = {
        "method 'dgflow', and this one 'auto'": {"method": "auto"},
        "other logit": {"logit": lambda x: x[:, 0]},
        "another seed": {"random_state": 1},
        "evaluations 8, and this one 9": {"evaluations": 9},
    }
    options = {"method": "dgflow", "evaluations": 8, "logit": lambda x: x[:, 0] - 0.5}
    interrupted(lambda: moved_rows(place, **options), 1)
    for said, change in changes.items():
        with (
            pytest.warns(UserWarning, match=f"cannot be continued: it has {said}.*begins anew"),
            pytest.raises(Interrupted),
        ):
            interrupt_first(place, {**options, **change})


def interrupt_first(place, options):
    with pytest.MonkeyPatch.context() as patch:

        def stops(self, *arguments):
            raise Interrupted

        patch.setattr(Checkpoint, "write", stops)
        moved_rows(place, **options)


def test_without_a_seed_that_of_the_interrupted_one_is_kept(interrupted, tmp_path):
    place, options = tmp_path / "work", {"random_state": None, "method": "dgflow"}
    interrupted(lambda: moved_rows(place, **options), 1)
    (seed,) = {checkpoint.read_checkpoint(place).seed}
    work = Checkpoint(place)
    data = torch.randn(200, 2, generator=torch.Generator().manual_seed(0)) * 0.5 + 1
    identity = lambda z: z  # noqa: E731
    RefinedModel(identity, prior=2, method="dgflow", random_state=None).fit(data, folder=work)
    assert work._seed == seed
    assert place.is_dir()  # who made the checkpoint still has to save the model


def test_a_refinement_that_fails_keeps_what_it_has(interrupted, tmp_path):
    place = tmp_path / "work"
    interrupted(lambda: moved_rows(place, method="dgflow"), 1)
    with pytest.raises(ParameterError, match="method"):
        moved_rows(place, method="dgflows")
    assert place.is_dir()


def test_the_refit_without_a_class_of_ones_own_is_fitted_anew():
    class Own(pushforward.GIS):
        """Of a name that no folder may hold."""

    from pushforward.refinement.resumption import kept_refit

    x = np.random.default_rng(0).normal(size=(40, 1))
    refit = Own(max_layers=0, random_state=0).fit(x)
    work = Checkpoint()
    assert kept_refit(work, lambda: refit) is refit
    assert kept_refit(work, lambda: None) is None
    assert held_out_refit.refit_without is preparing.refit_without
