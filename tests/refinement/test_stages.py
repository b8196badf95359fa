"""Stages one after the other."""

import dataclasses

import pytest
import torch

from pushforward.errors import ParameterError, UnsupportedError
from pushforward.refinement import Prior
from pushforward.refinement.adapters import adapter_of
from pushforward.refinement.calibration import Calibration
from pushforward.refinement.logit import Logit, uncalibrated
from pushforward.refinement.methods import BudgetedRejection, DGflow
from pushforward.refinement.stages import (
    KeptStage,
    moved_pairs,
    place_of,
    space_after,
    space_for,
    stage_spaces,
)


def double(z):
    return 2 * z


@pytest.fixture
def adapter():
    return adapter_of(double, Prior.normal(3))


def line(slope=1.0):
    values = torch.tensor([0.0, slope], dtype=torch.float64)
    return Logit("given", Calibration("platt", torch.empty(0), values), lambda x: x[:, 0])


def flow(place, steps=2):
    """Each step moves the first number of a latent by 0.2, that of a row by 0.1."""
    return KeptStage(DGflow("kl", 0.1, 0.0, None, steps), line(), place)


def test_latents_are_moved_where_rows_are_wide_or_where_that_is_asked():
    narrow, wide = (adapter_of(double, Prior.normal(d)) for d in (16, 17))
    assert [place_of(a, "auto") for a in (narrow, wide)] == ["data", "latent"]
    assert place_of(narrow, "latent") == "latent"
    assert place_of(dataclasses.replace(narrow, latent_first=True), "auto") == "latent"
    without = dataclasses.replace(narrow, prior=None)
    assert place_of(without, "auto") == "data"
    with pytest.raises(UnsupportedError, match="no latents"):
        place_of(without, "latent")


def test_there_is_a_space_before_each_stage_and_one_after_the_last(adapter):
    kept = [flow("latent"), flow("data")]
    latent, data, last = stage_spaces(adapter, kept, "latent", 100)
    z, x = latent.points(5, 0), data.points(5, 0)
    assert torch.allclose(x, 2 * (z + torch.tensor([0.4, 0, 0])))
    assert torch.allclose(last.rows(5, 0), x + torch.tensor([0.2, 0, 0]))
    assert (last.draws, last.evaluations) == (1, 4)
    assert torch.equal(space_after(adapter, kept, "latent", 100).rows(5, 0), last.rows(5, 0))


def test_a_space_follows_the_stages_there_are(adapter):
    space, place = space_for(adapter, [flow("latent")], "latent", "auto", 9)
    assert place == "latent"
    space, place = space_for(adapter, [flow("latent")], "latent", "data", 9)
    assert place == "data"
    assert torch.equal(space.decode(torch.ones(1, 3)), torch.ones(1, 3))  # points are rows
    with pytest.raises(ParameterError, match="no way back"):
        space_for(adapter, [flow("data")], "data", "latent", 9)


def test_pairs_are_rows_and_where_they_are_moved_and_none_is_left_out(adapter):
    thins = KeptStage(BudgetedRejection(8.0, constants={"constant": -50.0}), line(), "data")
    kept = [flow("latent"), thins, flow("data")]
    before, after = moved_pairs(adapter, kept, "latent", 100, 20, seed=3)
    assert torch.allclose(after - before, torch.tensor([0.8 + 0.2, 0.0, 0.0]).expand(20, 3))


def test_a_logit_before_its_line_is_the_identity():
    raw = Logit("given", uncalibrated(), lambda x: x[:, 0])
    x = torch.randn(9, 2)
    assert torch.equal(raw(x), x[:, 0])
