"""A mixture of densities: shares of one, samples by share, gradients, states."""

import pytest
import torch

from pushforward.transport import Component, MixtureDensity, SlicedDensity, density_from_state
from pushforward.transport.numerics import normal_log_prob


def gaussian(mean, scale=1.0, d=2):
    at = torch.full((d,), float(mean)).double()
    return SlicedDensity.assemble([Component(0.0, at, scale * torch.eye(d).double(), [])])


@pytest.fixture
def mixture():
    return MixtureDensity([gaussian(0), gaussian(8)], torch.tensor([0.75, 0.25]).log())


def test_it_is_the_weighted_sum(mixture, generator):
    x = 5 * torch.randn(200, 2, generator=generator, dtype=torch.float64)
    parts = torch.stack([normal_log_prob(x, 1), normal_log_prob(x - 8, 1)], dim=1).exp()
    expected = parts @ torch.tensor([0.75, 0.25]).double()
    assert torch.allclose(mixture.log_prob(x).exp(), expected)
    assert mixture.dimension == 2
    assert mixture.log_prob(x[:0]).shape == (0,)


def test_shares_are_normalised():
    unscaled = MixtureDensity(
        [gaussian(0), gaussian(8)], torch.tensor([3.0, 1.0]).double().log() + 50
    )
    assert unscaled.log_share.exp().tolist() == pytest.approx([0.75, 0.25])


def test_samples_come_by_share(mixture, generator):
    x = mixture.sample(20_000, generator)
    share = float((x.mean(1) > 4).double().mean())
    assert share == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 20_000) ** 0.5)
    assert float(x[x.mean(1) < 4].std()) == pytest.approx(1, abs=0.02)
    assert mixture.sample(1, generator).shape == (1, 2)


def test_a_member_that_knows_nothing_of_a_row_does_not_matter():
    narrow = MixtureDensity([gaussian(0, 1e-3), gaussian(0, 10.0)], torch.zeros(2))
    x = torch.full((1, 2), 1e3).double()
    assert torch.isfinite(narrow.log_prob(x)).all()


def test_its_gradient_is_that_of_finite_differences(mixture):
    x = torch.tensor([[0.5, 1.0], [7.0, 3.9]]).double().requires_grad_(True)
    (gradient,) = torch.autograd.grad(mixture.log_prob(x).sum(), x)
    for j in range(2):
        step = torch.zeros(2).double()
        step[j] = 1e-6
        rise = (mixture.log_prob(x + step) - mixture.log_prob(x - step)).detach() / 2e-6
        assert torch.allclose(gradient[:, j], rise, atol=1e-5)


def test_it_comes_back_from_its_state_mixtures_of_mixtures_too(mixture, generator):
    x = torch.randn(20, 2, generator=generator, dtype=torch.float64)
    nested = MixtureDensity([mixture, gaussian(3)], torch.zeros(2))
    for one in (mixture, nested):
        again = density_from_state(dict(one.state_dict()))
        assert torch.equal(again.log_prob(x), one.log_prob(x))


def test_what_is_no_mixture_is_refused(mixture):
    state = dict(mixture.state_dict())
    three = gaussian(0, d=3).state_dict(prefix="members.1.")
    for wrong in (
        state | {"log_share": torch.zeros(0)},
        state | three,
    ):
        with pytest.raises(ValueError, match="mixture"):
            density_from_state(dict(wrong))
    with pytest.raises(KeyError):
        density_from_state(state | {"log_share": torch.zeros(3).log_softmax(0)})


def test_a_state_gives_the_same_bits_of_shares(rng):
    # normalised once more they would be others, on some processors
    for _ in range(20):
        shares = torch.from_numpy(rng.dirichlet([1.0] * 7)).log()
        state = MixtureDensity([gaussian(i) for i in range(7)], shares).state_dict()
        assert torch.equal(density_from_state(state).state_dict()["log_share"], state["log_share"])


@pytest.mark.parametrize("shares", [[0.0, 0.0], [float("nan"), 0.0], [0.0, float("-inf")]])
def test_a_state_whose_shares_are_none_is_refused(mixture, shares):
    state = {**mixture.state_dict(), "log_share": torch.tensor(shares).double()}
    with pytest.raises(ValueError, match="no shares"):
        density_from_state(state)
