"""Trees mixed with a regression: probabilities sum to one, are drawn, and keep weak dependence."""

import numpy as np
import pytest
import torch

from pushforward.transport.conditional import Conditional
from pushforward.transport.logistic_regression import Basis


def inputs(x):
    """Numbers (n, F) as what trees and regressions look at."""
    x = torch.as_tensor(x)
    return x.float(), torch.cat([Basis.fit(column)(column) for column in x.T], dim=1)


def fit(x, value, size=3, ordered=False, **options):
    base = torch.bincount(value, minlength=size).double() + 0.1
    order = torch.randperm(len(value), generator=torch.Generator().manual_seed(0))
    count = len(value) // 3
    return Conditional.fit(
        *inputs(x), value, base / base.sum(),
        ordered=ordered, split=(order[count:], order[:count]), seed=0, **options,
    )  # fmt: skip


def weak(n, seed=0):
    """Two values whose log odds are a sum of ten small terms: numbers (n, 10), values (n,)."""
    r = np.random.default_rng(seed)
    x = r.normal(size=(n, 10))
    p = 1 / (1 + np.exp(-0.35 * x.sum(1)))
    return torch.from_numpy(x), torch.from_numpy((r.random(n) < p).astype(int))


def step(n, seed=0):
    """A value that a product of signs decides, which no regression sees."""
    r = np.random.default_rng(seed)
    x = r.normal(size=(n, 2))
    return torch.from_numpy(x), torch.from_numpy((x.prod(1) > 0).astype(int))


@pytest.fixture(scope="module")
def mixed():
    x, value = weak(800)
    return fit(x, value, size=4)


def probabilities(model, x):
    return torch.stack(
        [
            model.log_prob(*inputs(x), torch.full((len(x),), v)).exp()
            for v in range(len(model.trees.base))
        ],
        dim=1,
    )


def test_probabilities_sum_to_one_and_values_never_seen_have_some(mixed):
    p = probabilities(mixed, weak(200, seed=1)[0])
    assert torch.allclose(p.sum(1), torch.ones(200).double(), atol=1e-12)
    assert (p > 0).all()


def test_what_is_drawn_has_the_probability_that_is_said(mixed):
    features, basis = (part[:6] for part in inputs(weak(50, seed=3)[0]))
    p = torch.stack(
        [mixed.log_prob(features, basis, torch.full((6,), v)).exp() for v in range(4)], dim=1
    )
    n = 20_000
    both = (part.repeat_interleave(n, 0) for part in (features, basis))
    drawn = mixed.sample(*both, torch.Generator().manual_seed(0)).view(6, n)
    for i in range(6):
        share = torch.bincount(drawn[i], minlength=4).double() / n
        assert float((share - p[i]).abs().max()) < 4.5 * 0.5 / n**0.5


def test_weak_dependence_on_many_columns_is_kept_in_samples():
    x, value = weak(1000)
    model = fit(x, value)
    assert float(model.share) < 0.5
    fresh = weak(20_000, seed=1)[0]
    drawn = model.sample(*inputs(fresh), torch.Generator().manual_seed(0)).double()
    slope = np.corrcoef(fresh.sum(1), drawn)[0, 1]
    true = np.corrcoef(fresh.sum(1), weak(20_000, seed=1)[1])[0, 1]
    assert slope > 0.9 * true


def test_few_rows_of_many_ordered_values_keep_what_they_depend_on():
    # an index in steps, of countries: trees of some dozen rows have a tenth of this dependence
    r = np.random.default_rng(1)
    x = r.normal(size=(140, 5))
    number = 10 * (x.sum(1) / 5**0.5 + r.normal(size=140))
    value = torch.from_numpy(number).round().long().clamp(-30, 30) + 31
    model = fit(x, value, 63, ordered=True)
    drawn = model.sample(*inputs(x), torch.Generator().manual_seed(0))
    real, sampled = (np.corrcoef(x.sum(1), column)[0, 1] for column in (value, drawn))
    assert real > 0.65
    assert sampled > 0.5


def test_trees_have_what_no_regression_sees():
    x, value = step(1500)
    model = fit(x, value)
    assert float(model.share) > 0.5
    fresh, truth = step(500, seed=1)
    assert float(model.log_prob(*inputs(fresh), truth).mean()) > -0.35


def test_noise_teaches_nothing():
    r = np.random.default_rng(0)
    model = fit(r.normal(size=(400, 5)), torch.from_numpy(r.integers(0, 3, 400)))
    value = torch.from_numpy(r.integers(0, 3, 2000))
    gain = model.log_prob(*inputs(r.normal(size=(2000, 5))), value).mean()
    assert float(gain) > float(np.log(1 / 3)) - 0.02


def test_few_rows_have_the_margin_and_quick_ones_are_like_the_others():
    x, value = weak(800)
    few = fit(x[:4], value[:4])
    assert torch.equal(few.log_prob(*inputs(x[:4]), value[:4]), few.trees.base[value[:4]].log())
    assert torch.allclose(
        probabilities(fit(x, value, quick=True), x[:20]).sum(1).float(), torch.ones(20)
    )


def test_it_comes_back_from_its_state_and_a_torn_one_is_refused(mixed):
    x, value = weak(100, seed=2)
    state = dict(mixed.state_dict())
    again = Conditional.from_state(state)
    assert torch.equal(again.log_prob(*inputs(x), value), mixed.log_prob(*inputs(x), value))
    for part, broken in (
        ("share", torch.tensor(1.5)),
        ("logits.weight", state["logits.weight"][:1]),
        ("logits.seen", state["logits.seen"].flip(0)),
        ("logits.bias", state["logits.bias"] * torch.nan),
        ("logits.base", torch.ones(3).double() / 3),
    ):
        with pytest.raises(ValueError, match=r"mixture|regression"):
            Conditional.from_state(state | {part: broken})
