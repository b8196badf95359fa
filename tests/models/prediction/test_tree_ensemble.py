"""Trees as tensors say what scikit-learn's trees say."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor

from pushforward.models.prediction.tree_ensemble import TreeEnsemble


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(np.sin(2 * x[:, 0]) + x[:, 1].astype(float))


def test_randomised_trees_are_those_of_scikit_learn(rows):
    x, y = rows
    ours = TreeEnsemble.randomised(x, y, count=7, leaf=3, seed=1)
    theirs = ExtraTreesRegressor(7, min_samples_leaf=3, max_features=0.5, random_state=1)
    expected = theirs.fit(x.numpy(), y.numpy()).predict(x.numpy())
    np.testing.assert_allclose(ours(x)[:, 0].numpy(), expected, atol=1e-12)


def test_boosted_trees_and_their_stages_are_those_of_scikit_learn(rows):
    x, y = rows
    ours = TreeEnsemble.boosted(x, y, count=20, rate=0.1, seed=1)
    theirs = GradientBoostingRegressor(
        n_estimators=20, learning_rate=0.1, max_depth=4, subsample=0.5, min_samples_leaf=3,
        random_state=1,
    ).fit(x.numpy(), y.numpy())  # fmt: skip
    stages = np.stack([*theirs.staged_predict(x.numpy())])
    np.testing.assert_allclose(ours(x)[:, 0].numpy(), stages[-1], atol=1e-12)
    found = ours.staged(x, (5, 20))[..., 0].numpy()
    np.testing.assert_allclose(found, stages[[4, 19]], atol=1e-12)
    np.testing.assert_allclose(ours.first(5)(x)[:, 0].numpy(), stages[4], atol=1e-12)


def test_several_outputs(rows):
    x, y = rows
    both = TreeEnsemble.randomised(x, torch.stack([y, -2 * y], 1), count=5, leaf=2, seed=0)
    found = both(x)
    np.testing.assert_allclose(found[:, 1], -2 * found[:, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("left", lambda t: t.fill_(0)),
        ("feature", lambda t: t.fill_(4)),
        ("right", lambda t: t.add_(10**6)),
        ("threshold", lambda t: t.fill_(float("nan"))),
        ("value", lambda t: t.fill_(float("inf"))),
        ("roots", lambda t: t.fill_(1)),
    ],
)
def test_what_are_no_trees_is_refused(rows, name, change):
    state = TreeEnsemble.randomised(*rows, count=2, leaf=5, seed=0).state_dict()
    state = {key: value.clone() for key, value in state.items()}
    TreeEnsemble.from_state(state, 4)
    change(state[name])
    with pytest.raises(ValueError, match="trees of a regression"):
        TreeEnsemble.from_state(state, 4)
