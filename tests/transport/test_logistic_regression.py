"""The regression keeps the dependence of its basis; its basis is what it says."""

import numpy as np
import pytest
import torch

from pushforward.transport.logistic_regression import Basis, Logits, few_levels


def test_the_basis_of_levels_is_indicators_and_of_numbers_a_bent_line():
    levels = Basis.fit(torch.tensor([1, 2, 2, 3]), 3)
    assert levels(torch.tensor([2.0, 9.0])).tolist() == [[0, 1, 0], [0, 0, 0]]
    number = Basis.fit(torch.arange(101).double())
    assert number.count == 6
    z = number(torch.tensor([50.0]))
    assert float(z[0, 0]) == pytest.approx(0)
    assert (z[0, 1:] > 0).tolist() == [True, True, False, False, False]
    spiked = Basis.fit(torch.arange(101).double(), atoms=torch.tensor([[-0.5, 0.5]]))
    assert spiked(torch.tensor([0.0, 0.5, 50.0]))[:, -1].tolist() == [1, 0, 0]
    assert spiked.count == 7
    assert few_levels(8, False) == 8
    assert few_levels(9, False) is None
    assert few_levels(300, True) == 300
    with pytest.raises(ValueError, match="basis"):
        Basis.from_state(dict(number.state_dict()) | {"scale": torch.zeros(2)})


def test_the_expectation_of_the_basis_with_each_value_is_that_of_the_rows():
    r = np.random.default_rng(0)
    level = torch.from_numpy(r.integers(1, 5, 1000))
    value = torch.from_numpy((r.random(1000) < 0.2 * level.numpy()).astype(int) * 2)
    basis = Basis.fit(level, 4)(level)
    base = torch.tensor([0.4, 0.01, 0.58, 0.01]).double()
    base = base / base.sum()
    weak, strong = Logits.path(basis, value, base, (0.01, 1000.0), 0)
    rows = torch.nn.functional.one_hot(value, 4).double()
    joint = basis.double().T @ rows / 1000
    room = base[[0, 2]].sum()
    fitted = basis.double().T @ strong.probability(basis) / 1000
    assert torch.allclose(fitted[:, [0, 2]] / room, joint[:, [0, 2]], atol=1e-3)
    shrunk = basis.double().T @ weak.probability(basis) / 1000
    assert float((shrunk / room - joint)[:, [0, 2]].abs().max()) > 0.01
    assert torch.allclose(strong.probability(basis)[:, 1], base[1].expand(1000))


def test_many_ordered_values_are_tilted_so_that_their_scores_go_with_the_basis():
    r = np.random.default_rng(0)
    x = r.normal(size=(150, 2))
    number = 10 * (0.5 * x[:, 0] - 0.3 * x[:, 1]) + 8 * r.normal(size=150)
    value = torch.from_numpy(number - number.min()).round().long() + 1
    base = torch.bincount(value, minlength=int(value.max()) + 2).double() + 0.1
    base /= base.sum()
    basis = torch.from_numpy(x).float()
    weak, strong = Logits.path(basis, value, base, (1e-4, 1000.0), 0, tilted=True)
    assert strong.weight.shape == (2, 2)  # no value is heavy
    p = strong.probability(basis)
    assert torch.allclose(p.sum(1), torch.ones(150).double())
    assert (p > 0).all()
    # where the likelihood is highest scores and basis go together as in the rows
    assert torch.allclose((base[:, None] * strong.scores).sum(0), torch.zeros(2).double())
    fitted = (p @ strong.scores).T @ basis.double() / 150
    joint = strong.scores[value].T @ basis.double() / 150
    assert torch.allclose(fitted, joint, atol=0.02)
    assert abs(float(joint[0, 0])) > 0.3
    # hardly any weight: the margin
    assert torch.allclose(weak.probability(basis), base.expand_as(p), atol=3e-3)
    again = Logits.from_state(dict(strong.state_dict()))
    assert again.probability(basis).equal(p)
    assert again.log_prob(basis, value).allclose(p.gather(1, value[:, None])[:, 0].log())
    with pytest.raises(ValueError, match="weights of another shape"):
        Logits.from_state(dict(strong.state_dict()) | {"scores": strong.scores[:, :1]})


def test_a_wide_range_of_values_is_tilted_by_classes_and_a_heavy_one_is_its_own():
    # incomes of which a third are zero
    r = np.random.default_rng(0)
    x = r.normal(size=(400, 1))
    income = np.round(900 + 300 * (0.8 * x[:, 0] + 0.6 * r.normal(size=400))).clip(1, 1999)
    value = torch.from_numpy(np.where(r.random(400) < 1 / 3, 0, income)).long()
    base = torch.bincount(value, minlength=2001).double() + 1e-3
    base /= base.sum()
    basis = Basis.fit(torch.from_numpy(x[:, 0]))(torch.from_numpy(x[:, 0]))
    (model,) = Logits.path(basis, value, base, (100.0,), 0, tilted=True)
    assert model.seen[0] == 0
    assert len(model.seen) < 400
    p = model.probability(basis)
    assert torch.allclose(p.sum(1), torch.ones(400).double())
    assert model.log_prob(basis, value).allclose(p.gather(1, value[:, None])[:, 0].log())
    drawn = model.sample(basis.repeat(50, 1), torch.Generator().manual_seed(0)).view(50, 400)
    count = torch.stack([(drawn == v).double().mean(0) for v in (0, int(value[5]))])
    assert torch.allclose(count, p[:, [0, int(value[5])]].T, atol=5 * (0.25 / 50) ** 0.5)
    assert float(drawn.double().mean()) == pytest.approx(
        float((p * torch.arange(2001)).sum(1).mean()), rel=0.02
    )
    there = value > 0
    drawn, many = drawn.double(), torch.from_numpy(x[:, 0]).expand(50, 400)
    both = drawn > 0
    real = np.corrcoef(x[there.numpy(), 0], value[there])[0, 1]
    assert np.corrcoef(many[both], drawn[both])[0, 1] == pytest.approx(real, abs=0.05)
    again = Logits.from_state(dict(model.state_dict()))
    assert again.probability(basis).equal(p)
    with pytest.raises(ValueError, match="weights of another shape"):
        Logits.from_state(dict(model.state_dict()) | {"seen": model.seen - 1})


def test_a_column_of_names_that_hardly_repeat_is_fitted_without_a_warning(recwarn):
    value = torch.arange(30).clamp_max(24)  # 25 names in 30 rows
    basis = torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
    (fitted,) = Logits.path(basis, value, torch.full((25,), 1 / 25).double(), [1.0], 0)
    assert not recwarn.list
    assert len(fitted.seen) == 25


def test_a_value_of_a_single_row_among_many_is_seen():
    value = torch.zeros(12_000, dtype=torch.long)
    value[777] = 2
    basis = torch.randn(12_000, 2, generator=torch.Generator().manual_seed(0))
    for quick in (False, True):
        (fitted,) = Logits.path(
            basis, value, torch.full((3,), 1 / 3).double(), [1.0], 0, quick=quick
        )
        assert fitted.seen.tolist() == [0, 2]
        assert float(fitted.probability(basis[:1])[0, 0]) > 0.6


def test_a_basis_of_more_functions_than_rows_ascends_to_the_same_optimum():
    generator = torch.Generator().manual_seed(0)
    basis = torch.randn(60, 90, generator=generator).round(decimals=2)
    basis[:, 45:] = 2 * basis[:, :45]  # of which half are multiples of others
    value = torch.randint(3, (60,), generator=generator)
    base = torch.full((3,), 1 / 3).double()
    (fitted,) = Logits.path(basis, value, base, [0.5], 0)
    weight, bias = fitted.weight.clone().requires_grad_(), fitted.bias.clone().requires_grad_()
    log_p = (basis.double() @ weight.T + bias).log_softmax(1)
    value_of = -log_p.gather(1, value[:, None]).sum() + (weight**2).sum()
    value_of.backward()
    assert torch.allclose(weight[:, 45:], 2 * weight[:, :45])
    # a Newton step along one coordinate gains no more than what the ascent leaves
    curvature = 2 + (0.25 * basis.double() ** 2).sum(0)
    assert float((weight.grad**2 / curvature).max()) < 60 * 1e-2
    assert float(bias.grad.abs().max()) < 1
