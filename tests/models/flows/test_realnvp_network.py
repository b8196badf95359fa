import pytest
import torch
from torch.func import jacrev

from pushforward.errors import DataError, NotFittedError, ParameterError, UnsupportedError
from pushforward.models.flows.coupling_flow import normal_log_prob
from pushforward.models.flows.realnvp_network import RealNVPNetwork, RealNVPVectorNetwork

CASES = {
    "one channel": (RealNVPNetwork, (1, 4, 4), {"scales": 2, "width": 3, "blocks": 1}),
    "three channels": (RealNVPNetwork, (3, 4, 2), {"scales": 2, "width": 3, "blocks": 2}),
    "one scale": (RealNVPNetwork, (2, 3, 5), {"scales": 1, "width": 3, "blocks": 1}),
    "table": (RealNVPVectorNetwork, (5,), {"couplings": 4, "width": 6, "blocks": 1}),
    "one column": (RealNVPVectorNetwork, (1,), {"couplings": 3, "width": 6, "blocks": 1}),
}


def _rows(shape, n=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, *shape, generator=generator, dtype=torch.float64)
    return 1.7 * x + 0.4 * x.square() - 0.3


def _network(case, initialised=True):
    kind, shape, sizes = CASES[case]
    network = kind(shape, **sizes).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter += 0.3 * noise
    if initialised:
        network.initialise(_rows(shape, 64))
    return network


@pytest.mark.parametrize("case", CASES)
def test_the_density_is_that_of_the_jacobian(case):
    network = _network(case)
    x = _rows(network.shape, 2)
    for row in x:
        jacobian = jacrev(lambda v: network.encode(v[None])[0].flatten())(row)
        log_det = torch.linalg.slogdet(jacobian.reshape(row.numel(), -1)).logabsdet
        expected = normal_log_prob(network.encode(row[None])[0]) + log_det
        torch.testing.assert_close(network.log_prob(row[None]), expected, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_in_training_the_density_is_that_of_the_batch_moments(case):
    """With the moments of the batch kept, both ways are one; afterwards they have moved."""
    network = _network(case)
    x = _rows(network.shape, seed=5)
    assert not torch.allclose(network.training_log_prob(x), network.log_prob(x))
    network.initialise(x)
    kept = network.log_prob(x)
    torch.testing.assert_close(network.training_log_prob(x), kept)
    torch.testing.assert_close(network.log_prob(x), kept)


@pytest.mark.parametrize("case", CASES)
def test_round_trips_close(case):
    network = _network(case)
    x = _rows(network.shape, seed=3)
    (eps,) = network.encode(x)
    assert eps.shape == x.shape
    torch.testing.assert_close(network.decode([eps]), x, rtol=1e-9, atol=1e-9)
    z = network.sample_latent(6, 0.7, torch.Generator().manual_seed(0))
    torch.testing.assert_close(network.encode(network.decode(z))[0], z[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", [c for c in CASES if c != "one column"])
def test_gradients_reach_every_parameter(case):
    network = _network(case)
    (network.penalty() - network.training_log_prob(_rows(network.shape)).mean()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"no gradient reaches {name}"
        assert parameter.grad.isfinite().all(), f"the gradient of {name} is not finite"
        assert parameter.grad.abs().max() > 0, f"the gradient of {name} is zero"


@pytest.mark.parametrize("case", ["three channels", "table"])
def test_a_row_scores_the_same_alone_and_in_a_batch(case):
    network = _network(case)
    x = _rows(network.shape)
    torch.testing.assert_close(network.log_prob(x[3:4]), network.log_prob(x)[3:4])
    torch.testing.assert_close(network.encode(x[3:4])[0], network.encode(x)[0][3:4])


@pytest.mark.parametrize("case", ["one channel", "table"])
def test_the_state_carries_moments_and_flag(case):
    network, other = _network(case), _network(case, initialised=False)
    x = _rows(network.shape)
    for call in (
        other.log_prob,
        other.encode,
        other.training_log_prob,
        lambda v: other.decode([v]),
    ):
        with pytest.raises(NotFittedError, match="initialise"):
            call(x)
    blank = {key: value.clone() for key, value in other.state_dict().items()}
    other.load_state_dict(network.state_dict())
    assert torch.equal(other.log_prob(x), network.log_prob(x))
    other.load_state_dict(blank)
    with pytest.raises(NotFittedError):
        other.log_prob(x)


def test_scoring_never_changes_the_network():
    network = _network("one channel")
    before = {key: value.clone() for key, value in network.state_dict().items()}
    x = _rows(network.shape, 1)
    network.decode(network.encode(x))
    network.log_prob(x)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_levels_sum_to_the_whole_and_are_as_many_as_scales():
    network = _network("three channels")
    x = _rows(network.shape)
    levels = network.log_prob(x, per_level=True)
    assert levels.shape == (len(x), 2)
    torch.testing.assert_close(levels.sum(1), network.log_prob(x))


@pytest.mark.parametrize(("shape", "scales", "largest"), [((1, 7, 8), 2, 1), ((3, 28, 28), 4, 3)])
def test_too_many_scales_name_the_largest(shape, scales, largest):
    with pytest.raises(ParameterError, match=f"at most {largest}"):
        RealNVPNetwork(shape, scales=scales, width=2, blocks=1)
    RealNVPNetwork(shape, scales=largest, width=2, blocks=1)


@pytest.mark.parametrize("name", ["scales", "width", "blocks"])
def test_numbers_below_one_are_named(name):
    with pytest.raises(ParameterError, match=name):
        RealNVPNetwork((1, 8, 8), **{"scales": 1, "width": 2, "blocks": 1, name: 0})


def test_constant_channels_stay_finite():
    network = RealNVPNetwork((2, 8, 8), scales=3, width=4, blocks=1)
    x = torch.randn(8, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    x[:, 0] = -2.5
    network.initialise(x)
    assert network.training_log_prob(x).isfinite().all()
    assert network.log_prob(x).isfinite().all()
    assert network.decode(network.sample_latent(8))[0].isfinite().all()


@pytest.mark.parametrize("d", [1, 2])
def test_the_density_of_a_table_integrates_to_one(d):
    network = RealNVPVectorNetwork((d,), couplings=4, width=8, blocks=1).double()
    network.initialise(_rows((d,), 200))
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(30):
        optimizer.zero_grad()
        (-network.training_log_prob(_rows((d,), 200)).mean()).backward()
        optimizer.step()
    side = torch.linspace(-15, 25, 4001 if d == 1 else 401, dtype=torch.float64)
    grid = torch.cartesian_prod(*[side] * d).reshape(-1, d)
    with torch.no_grad():
        mass = network.log_prob(grid).exp().sum() * (side[1] - side[0]) ** d
    assert abs(mass - 1) < 0.02


@pytest.mark.parametrize("case", ["one channel", "table"])
def test_what_cannot_be_used_is_refused(case):
    network = _network(case)
    x = _rows(network.shape)
    for wrong in (x[:, :0], x.long(), x[..., None]):
        with pytest.raises(DataError, match="expected floating point of shape"):
            network.log_prob(wrong)
    for few in (x[:1], x * torch.nan):
        with pytest.raises(DataError, match="at least two rows of finite values"):
            network.initialise(few)
    with pytest.raises(DataError, match="expected one"):
        network.decode([x, x])
    with pytest.raises(UnsupportedError, match="labels"):
        network.log_prob(x, torch.zeros(len(x)))


def test_the_seed_makes_the_weights_and_torchs_own_state_is_left_alone():
    before = torch.get_rng_state()
    nets = [RealNVPNetwork((1, 4, 4), 2, 3, 1, seed=s) for s in (1, 1, 2)]
    assert torch.equal(before, torch.get_rng_state())
    first, same, other = (torch.cat([p.flatten() for p in net.parameters()]) for net in nets)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_the_penalty_is_that_of_magnitudes_and_rescalings():
    network = _network("one scale")
    named = dict(network.named_parameters())
    squares = sum(
        p.square().sum() for n, p in named.items() if n.endswith(("magnitude", "rescaling"))
    )
    torch.testing.assert_close(network.penalty(), 5e-5 * squares)
