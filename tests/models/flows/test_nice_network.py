import pytest
import torch
from torch.func import jacrev

from pushforward.errors import NotFittedError, ParameterError
from pushforward.models.flows.coupling_flow import normal_log_prob
from pushforward.models.flows.nice_network import NICENetwork
from pushforward.models.flows.nice_published import NICE_PUBLISHED

CASES = {
    "image": ((1, 3, 4), {"tile": True}),
    "colours": ((3, 2, 2), {"prior": "normal"}),
    "odd table": ((5,), {"tile": True}),
    "one column": ((1,), {}),
}


def _rows(shape, n=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, *shape, generator=generator, dtype=torch.float64)


def _network(case, initialised=True):
    shape, options = CASES[case]
    network = NICENetwork(shape, couplings=(2, 1, 1, 1), width=7, **options).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter += 0.5 * noise
    if initialised:
        network.initialise(_rows(shape))
    return network


@pytest.mark.parametrize("case", CASES)
def test_the_density_is_that_of_the_jacobian(case):
    network = _network(case)
    for row in _rows(network.shape, 2):
        jacobian = jacrev(lambda v: network.encode(v[None])[0].flatten())(row)
        log_det = torch.linalg.slogdet(jacobian.reshape(row.numel(), -1)).logabsdet
        expected = normal_log_prob(network.encode(row[None])[0]) + log_det
        torch.testing.assert_close(network.log_prob(row[None]), expected, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_round_trips_close(case):
    network = _network(case)
    x = _rows(network.shape, seed=3)
    (eps,) = network.encode(x)
    assert eps.shape == x.shape
    torch.testing.assert_close(network.decode([eps]), x)
    z = network.sample_latent(500, 2.0, torch.Generator().manual_seed(0))
    assert abs(z[0].std() - 2) < 0.15
    torch.testing.assert_close(network.encode(network.decode(z))[0], z[0])


@pytest.mark.parametrize("case", [c for c in CASES if c != "one column"])
def test_gradients_reach_every_parameter(case):
    network = _network(case)
    (-network.training_log_prob(_rows(network.shape)).mean()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"no gradient reaches {name}"
        assert parameter.grad.abs().max() > 0, f"the gradient of {name} is zero"


@pytest.mark.parametrize(("d", "prior"), [(1, "logistic"), (2, "logistic"), (2, "normal")])
def test_the_density_integrates_to_one(d, prior):
    network = NICENetwork((d,), (1, 1, 1), 6, prior).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += torch.randn(parameter.shape, dtype=torch.float64) * 0.5
    network.initialise(_rows((d,), 50))
    side = torch.linspace(-60, 60, 6001 if d == 1 else 601, dtype=torch.float64)
    grid = torch.cartesian_prod(*[side] * d).reshape(-1, d)
    with torch.no_grad():
        mass = network.log_prob(grid).exp().sum() * (side[1] - side[0]) ** d
    assert abs(mass - 1) < 0.005


def test_before_training_a_tiled_row_pairs_neighbours():
    """The first coupling moves the odd entries given the even ones."""
    network = NICENetwork((6,), (1,), 4, tile=True)
    network.initialise(_rows((6,)).float())
    with torch.no_grad():
        for parameter in network.couplings.parameters():
            parameter.zero_()
        network.couplings[0][-1].bias += 100.0
        network.log_scale.zero_()
    x = torch.zeros(1, 6)
    assert network._couple(x).tolist() == [[100, 100, 100, 0, 0, 0]]
    moved = network.decode(network.encode(x))
    assert moved.abs().max() < 1e-4


@pytest.mark.parametrize("prior", ["logistic", "normal"])
def test_initialisation_gives_latents_the_spread_of_the_prior(prior):
    network = NICENetwork((1, 4, 4), (1, 1), 8, prior)
    x = 0.03 * _rows((1, 4, 4), 400).float() + 0.5
    x[:, :, 0, 0] = 0.25  # constant
    network.initialise(x)
    z = network._to_latent(x, "kept")[0].flatten(1)
    spread = 1.0 if prior == "normal" else 1.8138
    torch.testing.assert_close(z[:, 1:].std(0), torch.full((15,), spread), rtol=0.01, atol=0)
    assert network.log_prob(x).isfinite().all()
    assert network.training_log_prob(x).isfinite().all()


def test_the_state_carries_the_flag():
    network, other = _network("image"), _network("image", initialised=False)
    x = _rows(network.shape)
    with pytest.raises(NotFittedError, match="initialise"):
        other.log_prob(x)
    other.load_state_dict(network.state_dict())
    assert torch.equal(other.log_prob(x), network.log_prob(x))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"couplings": ()}, "number of couplings"),
        ({"couplings": (1, 0)}, r"couplings\[1\]"),
        ({"width": 0}, "width"),
        ({"prior": "cauchy"}, "cauchy"),
    ],
)
def test_wrong_parameters_are_named(wrong, named):
    with pytest.raises(ParameterError, match=named):
        NICENetwork((1, 4, 4), **{"couplings": (1, 1), "width": 4, **wrong})


def test_the_seed_makes_the_weights_and_torchs_own_state_is_left_alone():
    before = torch.get_rng_state()
    nets = [NICENetwork((4,), (1, 1), 5, seed=s) for s in (1, 1, 2)]
    assert torch.equal(before, torch.get_rng_state())
    first, same, other = (torch.cat([p.flatten() for p in net.parameters()]) for net in nets)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    weights = nets[0].couplings[0][0].weight
    assert weights.abs().max() <= 0.01
    assert weights.std() > 0.003


@pytest.mark.parametrize("name", NICE_PUBLISHED)
def test_published_configurations_are_arguments_of_the_network(name):
    published = NICE_PUBLISHED[name]["network"]
    network = NICENetwork((1, 4, 4), **{**published, "width": 3})
    assert [len(net) for net in network.couplings] == [2 * h + 1 for h in published["couplings"]]
