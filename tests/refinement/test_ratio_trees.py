"""The ratio by trees: right where it is known, the same after a round trip, as scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingClassifier

from pushforward.refinement.ratio_network import network_of
from pushforward.refinement.ratio_trees import TreeRatio


def numbers(x):
    return x.double().numpy()


@pytest.fixture
def sides(generator):
    """Three categories with shares .6, .3, .1 and a third each, beside a number that is noise."""
    kinds = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), 3000, True, generator=generator)
    others = torch.randint(3, (6000,), generator=generator)
    return tuple(
        torch.stack([k.float(), torch.randn(len(k), generator=generator)], dim=1)
        for k in (kinds, others)
    )


def test_the_logit_is_the_log_ratio(sides):
    ratio = TreeRatio.fit(*sides, numbers, seed=0)
    logit = ratio(sides[1])
    for kind, share in enumerate((0.6, 0.3, 0.1)):
        of_kind = logit[sides[1][:, 0] == kind]
        assert float(of_kind.mean()) == pytest.approx(np.log(3 * share), abs=0.25)


def test_the_trees_are_those_of_scikit_learn(sides, monkeypatch):
    kept = []
    fit = GradientBoostingClassifier.fit

    def watched(self, X, y, **options):
        kept.append(fit(self, X, y, **options))
        return kept[0]

    monkeypatch.setattr(GradientBoostingClassifier, "fit", watched)
    ratio = TreeRatio.fit(*sides, numbers, seed=0)
    expected = kept[0].decision_function(numbers(sides[0]))
    np.testing.assert_allclose(ratio(sides[0].double()).numpy(), expected, atol=1e-10)


def test_a_round_trip_gives_the_same_logits(sides):
    ratio = TreeRatio.fit(*sides, numbers, seed=0)
    again = network_of(ratio.to_config())
    again.load_state_dict(ratio.state_dict())
    again.numbers = numbers
    assert torch.equal(again(sides[1]), ratio(sides[1]))


def test_a_budget_ends_learning_with_the_trees_there_are(sides):
    whole, hurried = (TreeRatio.fit(*sides, numbers, seed=0, minutes=m) for m in (None, 1e-9))
    assert len(hurried.feature) == 1 < len(whole.feature)
    assert hurried(sides[1]).isfinite().all()
