"""Methods that move: what they choose, what a point costs, and where it ends."""

from dataclasses import replace

import pytest
import torch

from pushforward.errors import ParameterError, UnsupportedError
from pushforward.refinement.budget import Budget
from pushforward.refinement.methods import DDLS, DOT, DGflow
from pushforward.refinement.methods.margins import RepeatedMargins, no_logit
from pushforward.refinement.sample_spaces import Space
from pushforward.refinement.samplers.dgflow import PUBLISHED


def test_a_step_brings_the_usual_settings_and_a_preset_the_published_ones(context):
    usual = DGflow(step=0.25).tune(context)
    assert usual.settings == {
        "divergence": "kl", "step": 0.25, "noise": 0.0, "longest": None, "steps": 25,
    }  # fmt: skip
    published = DGflow(preset="stl10", noise=0.5).tune(context)
    assert published.settings == {**PUBLISHED["stl10"], "noise": 0.5, "longest": None}
    assert published.preset is None
    with pytest.raises(ParameterError, match="preset is 'mnist'"):
        DGflow(preset="mnist")
    with pytest.raises(ParameterError, match="no step"):
        DGflow(noise=0.1).tune(context)


def test_dgflow_without_settings_searches_within_the_budget(context):
    found = DGflow().tune(context)
    assert None not in found.settings.values()
    assert "auc" not in found.settings
    short = DGflow().tune(replace(context, budget=Budget(evaluations=3)))
    assert short.steps <= 3
    assert DGflow().tune(replace(context, budget=Budget(evaluations=0.5))) is None
    assert DGflow().tune(replace(context, logit=lambda x: 0 * x[:, 0])) is None  # it is flat


@pytest.mark.parametrize(
    ("method", "logits"), [(DGflow("kl", 0.1, 0.0, None, 7), 7), (DOT(1.0, 7), 7),
                           (DDLS(0.1, 7), 8)],
)  # fmt: skip
def test_a_point_that_is_moved_costs_its_logits_and_no_draws(context, method, logits):
    space = method.apply(context.space, context.logit)
    assert (space.draws, space.evaluations) == (1, logits)
    assert method.mover(context.space, context.logit) is not None


def test_the_kl_flow_moves_all_by_eta_times_the_slope(context):
    start = context.space.points(50, 0)
    space = DGflow("kl", 0.1, 0.0, None, 4).apply(context.space, context.logit)
    assert torch.allclose(space.points(50, 0), start + 0.4, atol=1e-6)


def test_dot_has_the_slope_of_the_logit_for_its_constant(context):
    tuned = DOT().tune(replace(context, logit=lambda x: 3 * x[:, 0]))
    assert tuned.constant == pytest.approx(3.0, rel=1e-3)
    assert tuned.steps == 100
    assert DOT().tune(replace(context, budget=Budget(evaluations=12))).steps == 12
    assert DOT(2.0, 5).tune(context).settings == DOT(2.0, 5).settings


def test_langevin_wants_the_density_of_its_points_and_comes_to_the_data(context):
    tuned = DDLS(step=0.5).tune(replace(context, budget=Budget(evaluations=41)))
    assert tuned.steps == 40  # one more is for the start
    points = tuned.apply(context.space, context.logit).points(2000, 0)
    assert float(points.mean()) == pytest.approx(1.0, abs=0.1)
    unknown = Space(context.space.draw, context.space.decode)
    with pytest.raises(UnsupportedError, match="log_prob"):
        DDLS().tune(replace(context, space=unknown))


def test_margins_are_those_of_rows_that_are_not_judged(context):
    prices = torch.tensor([0.0, 5.0]).repeat(200)[:, None]
    real = replace(context.real, train=prices, validation=prices, test=prices + 1)
    method = RepeatedMargins(names=("price",)).tune(replace(context, real=real))
    assert method.settings == {"columns": "price"}
    space = method.apply(context.space, no_logit)
    assert set(space.rows(100, 0).flatten().tolist()) == {0.0, 5.0}
    assert RepeatedMargins(names=("price",)).tune(context) is None  # no value repeats
    assert no_logit(prices).tolist() == [0.0] * 400
