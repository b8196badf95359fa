"""All methods beside each other: each as if it stood there alone."""

import numpy as np
import pytest

import pushforward
from pushforward.errors import DataError
from pushforward.refinement import compare_methods, comparison, density_ratio
from pushforward.refinement.comparison import PAPER
from pushforward.refinement.density_ratio import RatioEstimator
from pushforward.refinement.methods import DOT, METHODS

NAMES = ["dot", "ddls"]


@pytest.fixture(autouse=True, scope="module")
def _quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "_TIMED", 20)
        patch.setattr(density_ratio, "_STEPS", 20)
        patch.setattr(density_ratio, "_STEPS_THAT_WEIGH", 20)
        yield


@pytest.fixture(scope="module")
def gan():
    """A GAN whose critic has seen next to nothing, so that methods learn networks, and rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    model = pushforward.TableGAN(width=4, depth=1, batch_size=16, steps=2, random_state=0)
    return model.fit(X), X


@pytest.fixture(scope="module")
def all_lines(gan):
    return compared(gan, NAMES)


def compared(gan, names):
    """What is random of the lines of a comparison, by method, after the generator and auto."""
    lines = compare_methods(*gan, methods=names, evaluations=6)
    assert [line.method for line in lines] == ["generator", "auto", *names]
    return {
        line.method: (line.auc and line.auc.value, line.draws, line.evaluations, line.reason)
        for line in lines
    }


def test_leaving_a_method_out_changes_no_other(gan, all_lines, monkeypatch):
    numbers, learned = [], RatioEstimator.learned

    def noted(self, *arguments, **options):
        numbers.append(options["number"])
        return learned(self, *arguments, **options)

    monkeypatch.setattr(RatioEstimator, "learned", noted)
    alone = compared(gan, ["ddls"])
    assert alone == {key: all_lines[key] for key in alone}
    assert numbers[-1] > comparison._APART  # it has learned something, with a number of its own


def test_a_method_that_fails_after_it_has_learned_changes_no_other(gan, all_lines, monkeypatch):
    calls, tune = [], DOT.tune

    def fails_by_its_own_network(self, context):
        calls.append(1)
        if len(calls) == 2:
            raise DataError("no constant")
        return tune(self, context)

    monkeypatch.setattr(DOT, "tune", fails_by_its_own_network)
    found = compared(gan, NAMES)
    assert found["dot"][-1] == "no constant"
    assert all_lines["dot"][-1] == ""
    assert {**found, "dot": 0} == {**all_lines, "dot": 0}


def test_no_two_methods_share_random_numbers(all_lines):
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Counted:
        learned: int = 3

    names = [*METHODS, PAPER]
    numbers = sorted(comparison._begun(Counted(), name).learned for name in names)
    assert min(np.diff(numbers)) > 100
    assert numbers[0] >= comparison._APART
