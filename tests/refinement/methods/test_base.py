"""Methods: their settings, and what they may look at."""

import time
from dataclasses import FrozenInstanceError, fields

import pytest
import torch

from pushforward.errors import DataError, ModelFileError, ParameterError
from pushforward.refinement.budget import Budget
from pushforward.refinement.methods import (
    DOT,
    METHODS,
    Context,
    DGflow,
    MetropolisHastings,
    current_settings,
    method_from_config,
)


@pytest.mark.parametrize(
    ("method", "settings", "text"),
    [
        ("dot", {"sphere": 1}, "True or False"),
        ("dot", {"learning_rate": True}, "finite number"),
        ("dot", {"high": float("inf")}, "finite number"),
        ("ddls", {"steps": 2.5}, "whole number"),
        ("dgflow", {"divergence": 3}, "a name or None"),
        ("mh", {"pool": 3}, r"no setting 'pool'. Expected some of length"),
        ("mh", {"constants": {}}, "no setting 'constants'"),
    ],
)
def test_settings_are_checked_by_name_and_kind(method, settings, text):
    with pytest.raises(ParameterError, match=text):
        METHODS[method].with_settings(settings)


def test_a_whole_number_is_a_number():
    assert DOT.with_settings({"constant": 2, "high": 1}).settings["high"] == 1


def test_settings_are_listed_in_order_without_what_only_tuning_uses():
    method = DGflow("kl", 0.1, 0.0, 1.0, 5, preset="cifar10")
    assert [*method.settings] == ["divergence", "step", "noise", "longest", "steps"]
    assert [*MetropolisHastings(constants={"starts": [0.0]}).settings] == ["length"]


def test_a_method_is_not_changed_by_its_tuning(context):
    before = MetropolisHastings()
    tuned = before.tune(context)
    assert (before.length, before.constants) == (None, {})
    assert tuned.length == 100
    assert len(tuned.constants["starts"]) == 80  # of all real rows that choose
    with pytest.raises(FrozenInstanceError):
        tuned.length = 3


@pytest.mark.parametrize("name", METHODS)
def test_a_tuned_method_comes_back_from_a_folder(name, context):
    tuned = METHODS[name].with_settings({"step": 0.1} if name == "dgflow" else {}).tune(context)
    again = method_from_config(name, tuned.settings, tuned.constants)
    spaces = [method.apply(context.space, context.logit) for method in (tuned, again)]
    assert again == tuned
    assert torch.equal(spaces[0].points(5, 1), spaces[1].points(5, 1))


def test_what_a_folder_has_no_method_for_is_refused():
    with pytest.raises(ModelFileError, match="magic"):
        method_from_config("magic", {}, {})
    with pytest.raises(ModelFileError, match="does not have"):
        method_from_config("mh", {"width": 3}, {})


def test_old_words_of_settings_still_work():
    with pytest.warns(FutureWarning, match="learning_rate"):
        assert current_settings("dot", {"rate": 0.1}) == {"learning_rate": 0.1}
    assert current_settings("mh", None) == {}


def test_every_method_has_a_name_papers_and_settings_of_its_own():
    assert [*METHODS] == [method.name for method in METHODS.values()]
    assert all(method.papers for method in METHODS.values())
    assert {name for name, method in METHODS.items() if method.moves} == {"dgflow", "dot", "ddls"}
    for method in METHODS.values():
        assert {f.name for f in fields(method)} > {"constants"}


def test_samples_whose_logit_is_not_finite_give_no_constants(context):
    bad = Context(context.space, lambda x: x[:, 0].log(), context.real, 0)
    with pytest.raises(DataError, match="not finite"):
        _ = bad.pool


def test_time_is_foreseen_for_samples_that_are_yet_to_be_judged(context):
    budget = Budget(minutes=1.0, started=time.monotonic())
    given = Context(context.space, context.logit, context.real, 0, budget, samples=100, testing=10)
    assert not given.out_of_time(0.1)  # 1.3 * 100 * 0.1 + 10 = 23 s
    assert given.out_of_time(0.5)
