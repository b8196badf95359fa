"""Conditional probabilities of trees: sum to one, are what is drawn, and are near the truth."""

import numpy as np
import pytest
import torch

from pushforward.transport.conditional_trees import ConditionalTrees


def made(n, seed=0, values=3):
    """A value that depends on a number and a flag: features (n, 3), values (n,), P (n, V)."""
    r = np.random.default_rng(seed)
    x = np.column_stack([r.normal(size=n), r.integers(0, 2, n), r.normal(size=n)])
    first = np.where(x[:, 0] > 0.3, 0.9, 0.2)
    p = np.full((n, values), 0.0)
    p[:, 0] = first
    p[:, 1] = (1 - first) * np.where(x[:, 1] > 0, 0.8, 0.1)
    p[:, 2] = 1 - p[:, 0] - p[:, 1]
    value = (p.cumsum(1) < r.random(n)[:, None]).sum(1).clip(0, values - 1)
    return torch.from_numpy(x).float(), torch.from_numpy(value), torch.from_numpy(p)


def fit(features, value, size=5, ordered=False, leaf=20, strength=3.0):
    base = torch.bincount(value, minlength=size).double() + 0.1
    return ConditionalTrees.fit(
        features, value, base / base.sum(),
        ordered=ordered, leaf=leaf, strength=strength, count=12, seed=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trees():
    return fit(*made(1500)[:2])


def probabilities(trees, features):
    columns = [
        trees.log_prob(features, torch.full((len(features),), v)).exp()
        for v in range(len(trees.base))
    ]
    return torch.stack(columns, dim=1)


def test_probabilities_sum_to_one_and_none_is_zero(trees):
    p = probabilities(trees, made(200, seed=1)[0])
    assert torch.allclose(p.sum(1), torch.ones(200).double(), atol=1e-12)
    assert (p > 0).all()


def test_a_few_rows_have_the_probabilities_of_many():
    # many are looked up in a table of all nodes, a few are counted in the nodes they meet
    features, value, _ = made(1500)
    trees = fit(features, value, leaf=2)
    few = torch.cat([trees.log_prob(features[i : i + 2], value[i : i + 2]) for i in (0, 2, 4)])
    assert trees._table is None
    many = trees.log_prob(features, value)
    assert trees._table is not None
    assert torch.allclose(few, many[:6], rtol=0, atol=1e-14)
    node = torch.arange(len(trees.feature)).repeat_interleave(5)
    each = torch.arange(5).repeat(len(trees.feature))
    counted = trees._of_nodes(node, each, trees.strength[None])
    assert torch.equal(counted.view(-1, 5), trees._table)


def test_rows_on_a_threshold_go_left_as_in_training():
    # thresholds have digits beyond those of features, some of which round them up
    grid = torch.linspace(-1, 1, 401)[:, None] / 3
    value = (torch.arange(401) % 3 == 0).long()
    trees = fit(grid, value, size=2, leaf=1, strength=0.01)
    asked = trees.threshold[trees.feature >= 0]
    rows = torch.cat([asked.float(), asked.float().nextafter(torch.tensor(-9.0))])[:, None]
    rows = rows.sort(0).values
    node = trees.roots.repeat_interleave(len(rows))
    x = rows[:, 0].repeat(len(trees.roots)).double()
    while bool((trees.feature[node] >= 0).any()):
        below = torch.where(x <= trees.threshold[node], trees.left[node], trees.right[node])
        node = torch.where(trees.feature[node] >= 0, below, node)
    assert torch.equal(trees._ways.leaves(rows), node)


def test_probabilities_are_near_the_truth(trees):
    features, value, truth = made(4000, seed=2)
    ours = trees.log_prob(features, value).mean()
    best = truth.gather(1, value[:, None]).log().mean()
    margin = trees.base[value].log().mean()
    assert float(best - ours) < 0.08
    assert float(ours - margin) > 0.2


def test_what_is_drawn_has_the_probability_that_is_said(trees):
    features = made(6, seed=3)[0]
    p = probabilities(trees, features)
    n = 20_000
    generator = torch.Generator().manual_seed(0)
    drawn = trees.sample(features.repeat_interleave(n, 0), generator).view(6, n)
    for i in range(6):
        share = torch.bincount(drawn[i], minlength=5).double() / n
        assert float((share - p[i]).abs().max()) < 4.5 * 0.5 / n**0.5


def test_far_out_features_have_probabilities_too(trees):
    features = torch.tensor([[1e30, 0.0, 0.0], [-1e38, 1e38, 3e38], [torch.inf, 0.0, 0.0]])
    p = probabilities(trees, features)
    assert torch.allclose(p.sum(1), torch.ones(3).double())


def test_without_features_it_is_the_margin():
    value = torch.tensor([0, 0, 1, 2] * 10)
    none = fit(torch.zeros(40, 0), value)
    assert torch.equal(none.log_prob(torch.zeros(5, 0), torch.arange(5)), none.base.log())
    drawn = none.sample(torch.zeros(4000, 0), torch.Generator().manual_seed(0))
    assert float((drawn == 0).double().mean()) == pytest.approx(float(none.base[0]), abs=0.04)


def test_held_out_rows_prefer_smooth_trees_of_noise_and_rough_ones_of_a_rule():
    r = np.random.default_rng(0)
    x = torch.from_numpy(r.normal(size=(600, 3))).float()
    noise, rule = torch.from_numpy(r.integers(0, 2, 600)), (x[:, 0] > 0).long()
    order = torch.randperm(600, generator=torch.Generator().manual_seed(0))
    p = [
        ConditionalTrees.held_out(
            x, value, torch.tensor([0.5, 0.5]).double(),
            ordered=False, leaves=(20, 2), strengths=(0.1, 100.0),
            split=(order[200:], order[:200]), count=3, seed=0,
        )
        for value in (noise, rule)
    ]  # fmt: skip
    assert p[0].shape == (2, 2, 200)
    best = [divmod(int(q.log().mean(2).argmax()), 2) for q in p]
    assert best[0] == (0, 1)
    assert best[1][1] == 0


def test_ordered_values_of_a_number_follow_it():
    r = np.random.default_rng(0)
    x = r.random(2000)
    value = torch.from_numpy(r.poisson(60 * x))
    features = torch.from_numpy(x[:, None]).float()
    trees = fit(features, value, size=int(value.max()) + 2, ordered=True)
    generator = torch.Generator().manual_seed(0)
    drawn = trees.sample(features, generator).double()
    assert np.corrcoef(drawn.numpy(), 60 * x)[0, 1] > 0.9


def test_more_categories_than_splits_tell_apart_are_drawn_all_the_same():
    r = np.random.default_rng(0)
    value = torch.from_numpy(np.minimum(r.integers(0, 600, 3000), r.integers(0, 600, 3000)))
    features = torch.from_numpy(r.normal(size=(3000, 1))).float()
    trees = fit(features, value, size=602)
    drawn = trees.sample(features.repeat(3, 1), torch.Generator().manual_seed(0))
    share = float((value > 300).double().mean())
    assert float((drawn > 300).double().mean()) == pytest.approx(share, abs=0.03)
    assert torch.isfinite(trees.log_prob(features, value)).all()


def test_a_seed_gives_the_same_bits_and_a_state_gives_the_same_trees(trees):
    features, value, _ = made(1500)
    again = fit(features, value)
    restored = ConditionalTrees.from_state(dict(trees.state_dict()))
    for other in (again, restored):
        assert torch.equal(other.log_prob(features, value), trees.log_prob(features, value))
        a, b = (t.sample(features, torch.Generator().manual_seed(0)) for t in (other, trees))
        assert torch.equal(a, b)


def _at(place, number):
    def change(v):
        v = v.clone()
        v[place] = number
        return v

    return change


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("left", _at(0, 0)),  # a node below itself: a way down without end
        ("right", _at(0, 10**9)),
        ("left", _at(0, 2)),  # a node with two parents
        ("roots", _at(0, -1)),
        ("roots", _at(0, 10**9)),
        ("roots", _at(0, 1)),
        ("start", _at(0, -1)),
        ("stop", _at(0, 10**9)),
        ("held", _at(0, 99)),
        ("held", _at(0, -1)),
        ("held", lambda v: v.double()),
        ("base", _at(0, 0.0)),
        ("base", lambda v: 2 * v),
        ("strength", lambda v: -v),
        ("strength", lambda v: 0 * v),
        ("strength", lambda v: v[None]),
        ("threshold", lambda v: v[:-1]),
        ("threshold", _at(0, torch.nan)),
        ("feature", lambda v: v[:-1]),
    ],
)
def test_what_is_no_tree_is_refused(part, change, trees):
    state = dict(trees.state_dict())
    state[part] = change(state[part])
    with pytest.raises(ValueError, match="not trees"):
        ConditionalTrees.from_state(state)
