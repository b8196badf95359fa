"""Budgets of SIG: of the whole fit, with what is learned beside the layers.

By a clock of its own, on which only what is named in ``clock`` takes time.
"""

import time
from typing import ClassVar

import numpy as np
import pytest

import pushforward
from pushforward import SIG
from pushforward.models.sliced import fit_budget, patch_loop, sig
from pushforward.models.sliced.patch_growth import LikelihoodGrowth, PictureGrowth
from pushforward.storage import checkpoint
from pushforward.transport.patches import PatchFlow

LAYER = 6.0  # seconds
QUICK = {"search_steps": 1, "knots": 8, "device": "cpu", "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    found = pushforward.open_images("digits")
    return found.images[:240], found.labels[:240]


@pytest.fixture
def clock(monkeypatch):
    """A clock on which only what is named here takes time, and how long each of it took."""

    class Clock:
        now = 0.0
        spent: ClassVar[dict] = {}
        process_time = staticmethod(time.process_time)

        @classmethod
        def monotonic(cls):
            return cls.now

    def slow(owner, name, seconds):
        work = getattr(owner, name)

        def slowly(self, *args, **options):
            took = seconds(self) if callable(seconds) else seconds
            Clock.now += took
            Clock.spent[name] = Clock.spent.get(name, 0) + took
            return work(self, *args, **options)

        monkeypatch.setattr(owner, name, slowly)

    Clock.spent = {}
    for module in (fit_budget, sig, checkpoint):
        monkeypatch.setattr(module, "time", Clock)
    slow(PictureGrowth, "make", LAYER)
    slow(LikelihoodGrowth, "make", LAYER)
    slow(PictureGrowth, "measures", 1.5)
    slow(PatchFlow, "whole_latent", 3)
    slow(PatchFlow, "density_map", lambda flow: 0.5 * len(flow.layers))
    slow(SIG, "_growth", 5)  # reading the images
    return Clock


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("goal", ["pictures", "likelihood"])
def test_the_whole_fit_takes_the_minutes(goal, conditional, digits, clock):
    X, y = digits
    told = []
    model = SIG(goal=goal, conditional=conditional, minutes=3, **QUICK)
    model.fit(X, y, report=lambda text, share: told.append((clock.now, text, share)))
    assert clock.now == pytest.approx(180, abs=LAYER)
    of_judging = "whole_latent" if goal == "pictures" else "density_map"
    assert clock.spent[of_judging] > (25 if conditional else 2)
    assert model.stopped_ == "out of time"
    assert model.held_out_scores_.shape == (12,)
    times, texts, shares = zip(*told, strict=True)
    assert any(text.startswith("judging held-out images") for text in texts)
    assert shares[-1] == 1.0
    # a line says which part of the time is gone
    assert np.allclose(shares[:-1], np.minimum(0.99, np.array(times[:-1]) / 180), atol=0.05)


def test_a_record_is_of_the_layers_of_its_stage_and_none_of_the_next(digits, clock, monkeypatch):
    measures, measured = PictureGrowth.measures, []

    def noted(self):
        measured.append(clock.spent["make"] / LAYER)
        return measures(self)

    monkeypatch.setattr(PictureGrowth, "measures", noted)
    model = SIG(layers=2, **QUICK).fit(digits[0])
    steps = [record["step"] for record in model.history_]
    assert steps == measured == [2, 4, 6, 8, 10, 12, 14]
    assert model.history_[0]["seconds"] == 5 + 2 * LAYER  # reading is of the fit
    assert model.stopped_ == "built the whole schedule"


def test_what_came_before_an_interruption_counts(digits, clock, tmp_path, monkeypatch):
    keep = patch_loop._keep

    def dies(kept, count, number, layer):
        keep(kept, count, number, layer)
        kept.write()
        if count == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(patch_loop, "_keep", dies)
        with pytest.raises(KeyboardInterrupt):
            SIG(minutes=3, **QUICK).fit(digits[0], folder=tmp_path)
    assert clock.now > 20
    SIG(minutes=3, **QUICK).fit(digits[0], folder=tmp_path)
    assert clock.now == pytest.approx(180, abs=LAYER)
