"""How a density ratio is learned: on which scale, by which random numbers, by what."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pushforward.errors import ParameterError
from pushforward.refinement import density_ratio, ratio_trees
from pushforward.refinement.acceptance_test import RealRows
from pushforward.refinement.density_ratio import FeatureRatio, OtherCritic, RatioEstimator
from pushforward.refinement.ratio_trees import TreeRatio
from pushforward.refinement.sample_spaces import Space


@pytest.fixture(autouse=True)
def _shorter(monkeypatch):
    """Networks that learn next to nothing: what they are given is what counts here."""
    monkeypatch.setattr(density_ratio, "_STEPS", 20)
    monkeypatch.setattr(ratio_trees, "_TREES", 5)


@pytest.fixture
def normal():
    return Space(lambda n, generator: torch.randn(n, 1, generator=generator), lambda z: z)


@pytest.fixture
def estimator(generator):
    """Of N(1, 1) over the samples of N(0, 1), whose logit is x - 1/2."""
    rows = torch.randn(1000, 1, generator=generator) + 1
    return RatioEstimator(RealRows.split(rows, lambda x: x.numpy(), 0))


def test_a_logit_that_is_there_is_brought_on_the_scale_of_the_samples(estimator, normal):
    logit = estimator.calibrated("given", lambda x: 10 * x[:, 0] + 7, normal)
    intercept, slope = logit.line.values.tolist()
    assert slope == pytest.approx(0.1, rel=0.25)
    assert 7 * slope + intercept == pytest.approx(-0.5, abs=0.25)
    assert logit.kind == "given"
    assert logit.to_config()["network"] is None


def test_each_logit_of_a_refinement_has_random_numbers_of_its_own(estimator, normal):
    one, again, two = (estimator.learned(normal, moves=True, number=k) for k in (1, 1, 2))
    x = torch.linspace(-2, 3, 20)[:, None]
    assert torch.equal(one(x), again(x))
    assert not torch.equal(one(x), two(x))


def test_mixed_rows_are_weighed_by_trees_and_moved_by_networks(estimator, normal):
    mixed = replace(estimator, numbers=lambda rows: rows.numpy().astype(np.float64))
    assert isinstance(mixed.learned(normal, moves=False).network, TreeRatio)
    assert not isinstance(mixed.learned(normal, moves=True).network, TreeRatio)
    assert mixed.seconds(torch.zeros(9, 1), moves=False) == pytest.approx(
        2e-3 * len(estimator.real.train)
    )


def test_features_stand_in_the_place_of_rows(normal, generator):
    rows = torch.randn(600, 20, generator=generator)
    wide = Space(lambda n, generator: torch.randn(n, 20, generator=generator), lambda z: z)
    plain = RatioEstimator(RealRows.split(rows, lambda x: x.numpy(), 0))
    by_features = replace(plain, features=lambda x: x[:, :2])
    assert (plain.narrow, by_features.narrow) == (False, True)
    network = by_features.learned(wide, moves=True).network
    assert isinstance(network, FeatureRatio)
    x = torch.randn(5, 20, generator=generator)
    changed = torch.cat([x[:, :2], x[:, 2:] + 1], dim=1)
    assert torch.equal(network(x), network(changed))


def test_a_corrected_ratio_is_learned_from_samples_of_the_other_model(estimator, normal):
    asked = []

    def draw(n, seed):
        asked.append(n)
        return torch.full((n, 1), 2.0) + 0.1 * normal.rows(n, seed)

    other = OtherCritic(lambda x: 0 * x[:, 0], draw, "the model")
    logit = replace(estimator, ratio="corrected", other=other).learned(normal, moves=True)
    assert asked == [550]  # as many as real rows that are learned from
    assert logit.others == "the model"
    at_samples, away = logit.network(torch.tensor([[2.0], [-2.0]])).tolist()
    assert at_samples > away


def test_a_ratio_and_a_critic_come_together(estimator):
    other = OtherCritic(lambda x: x[:, 0], lambda n, seed: torch.zeros(n, 1))
    for options in ({"ratio": "residual"}, {"other": other}):
        with pytest.raises(ParameterError, match="both or neither"):
            replace(estimator, **options)
    with pytest.raises(ParameterError, match="logistic"):
        replace(estimator, ratio="logistic")


@pytest.mark.parametrize("ratio", ["direct", "corrected", "residual"])
def test_what_was_learned_comes_back_from_its_values(ratio, estimator, normal):
    if ratio != "direct":
        other = OtherCritic(lambda x: 2 * x[:, 0], lambda n, seed: normal.rows(n, seed), "it")
        estimator = replace(estimator, ratio=ratio, other=other)
    x = torch.linspace(-2, 3, 20)[:, None]
    for by in (estimator, replace(estimator, features=lambda x: x + 1)):
        logit = by.learned(normal, moves=True)
        plain = by.without_features(logit)
        back = by.restored(plain.to_config(), plain.tensors())
        assert torch.equal(back(x), logit(x))
        assert (back.kind, back.others) == (logit.kind, logit.others)
    critic = estimator.calibrated("critic", lambda x: x[:, 0] ** 3, normal)
    back = estimator.restored(critic.to_config(), critic.tensors(), critic.frozen)
    assert torch.equal(back(x), critic(x))
    assert back.others is None
