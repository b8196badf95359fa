"""Glow: exact densities, exact inverses, equal gradients, explicit initialisation."""

import math

import pytest
import torch
from torch import Tensor

from pushforward.errors import DataError, NotFittedError, ParameterError
from pushforward.models.flows.glow_network import GlowNetwork

EXACT = torch.float64


def images(n, shape, seed=0, dtype=EXACT):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, *shape, generator=generator, dtype=dtype) - 0.5


def network(shape=(2, 4, 8), *, levels=2, steps=3, width=5, dtype=EXACT, deviation=0.05, **more):
    """A network whose every parameter is random: at its start Glow's couplings do nothing."""
    built = GlowNetwork(shape, levels=levels, steps=steps, width=width, **more).to(dtype)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in built.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=dtype)
            parameter.add_(deviation * noise)
    built.initialise(images(32, shape, seed=2, dtype=dtype))
    return built


def gradients(built, x, memory, y=None) -> list[Tensor]:
    built.memory = memory
    x = x.clone().requires_grad_()
    wanted = [p for p in built.parameters() if p.requires_grad]
    shares = built.log_prob(x, y, per_level=True)
    weights = torch.linspace(0.5, 2, shares.numel(), dtype=x.dtype).view(shares.shape)
    return list(torch.autograd.grad((shares * weights).sum(), [x, *wanted], allow_unused=True))


def difference(one, other):
    """Largest difference relative to the largest entry of each tensor."""
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a is not None]
    return max(((a - b).abs().max() / b.abs().max().clamp_min(1e-30)).item() for a, b in pairs)


KINDS = [
    {"coupling": "affine", "permutation": "lu"},
    {"coupling": "affine", "permutation": "direct", "gate_floor": 0.4},
    {"coupling": "additive", "permutation": "shuffle"},
    {"coupling": "additive", "permutation": "reverse", "learn_top": False},
    {"coupling": "affine", "permutation": "lu", "gate_floor": 0.1, "classes": 3},
    {"shape": (1, 8, 4), "levels": 1},
    {"shape": (3, 12, 4), "levels": 2},
    {"shape": (5, 2, 2), "levels": 1, "steps": 2},
]


@pytest.mark.parametrize("kind", KINDS)
def test_density_is_that_of_the_jacobian(kind):
    built = network(**kind)
    x = images(2, built.shape)
    y = torch.tensor([2, 0]) if built.classes else None

    def latent(flat):
        eps = built.encode(flat.view(1, *built.shape), None if y is None else y[:1])
        return torch.cat([part.flatten() for part in eps])

    z = latent(x[0].flatten())
    jacobian = torch.autograd.functional.jacobian(latent, x[0].flatten())
    normal = -0.5 * (z.square().sum() + len(z) * math.log(2 * math.pi))
    expected = normal + torch.linalg.slogdet(jacobian)[1]
    assert abs(built.log_prob(x, y)[0] - expected) < 1e-10


@pytest.mark.parametrize("kind", KINDS)
def test_decode_inverts_encode_and_frozen_equals_unfrozen(kind):
    built = network(**kind)
    x = images(3, built.shape)
    y = torch.tensor([2, 0, 1]) if built.classes else None
    eps = built.encode(x, y)
    assert [tuple(part.shape[1:]) for part in eps] == built.latent_shapes
    assert (built.decode(eps, y) - x).abs().max() < 1e-12
    frozen = built.freeze()
    for ours, theirs in zip(frozen.encode(x, y), eps, strict=True):
        assert (ours - theirs).abs().max() < 1e-12
    drawn = built.sample_latent(3, 1.0, torch.Generator().manual_seed(0))
    assert difference([frozen.decode(drawn, y)], [built.decode(drawn, y)]) < 1e-12
    with torch.no_grad():
        assert abs(frozen.smallest_gate(x) - built.folded().smallest_gate(x)) < 1e-12
        # what is frozen does not follow the weights
        next(iter(built.parameters())).add_(1)
    assert (frozen.decode(eps, y) - x).abs().max() < 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_do_not_depend_on_what_is_kept(kind):
    built = network(**kind)
    x = images(3, built.shape)
    y = torch.tensor([2, 0, 1]) if built.classes else None
    stored = gradients(built, x, "store", y)
    assert difference(gradients(built, x, "checkpoint", y), stored) == 0
    assert difference(gradients(built, x, "reversible", y), stored) < 1e-12


def test_levels_add_up_and_per_level_has_their_number():
    built = network()
    x = images(3, built.shape)
    shares = built.log_prob(x, per_level=True)
    assert shares.shape == (3, 2)
    torch.testing.assert_close(shares.sum(1), built.log_prob(x))


def test_decode_is_differentiable():
    built = network()
    x = images(1, built.shape)
    eps = [part.detach().requires_grad_() for part in built.encode(x)]
    weight = images(1, built.shape, seed=5)
    grads = torch.autograd.grad((built.decode(eps) * weight).sum(), eps)
    step = 1e-6
    moved = [part + step * grad for part, grad in zip(eps, grads, strict=True)]
    rise = ((built.decode(moved) - built.decode(eps)) * weight).sum() / step
    slope = sum(grad.square().sum() for grad in grads)
    torch.testing.assert_close(rise, slope, rtol=1e-4, atol=0)


# initialisation


def test_initialise_standardises_every_channel_also_after_reload():
    built = GlowNetwork((3, 8, 8), levels=1, steps=1, width=8, permutation="reverse")
    x = images(64, built.shape, dtype=torch.float32) * 3 + 1
    built.initialise(x)
    (z,) = built.encode(x)
    assert z.mean((0, 2, 3)).abs().max() < 1e-4
    # at its start the coupling only multiplies half of the channels by sigmoid(2)
    scale = z.square().mean((0, 2, 3)).sqrt()
    gate = torch.sigmoid(torch.tensor(2.0))
    torch.testing.assert_close(scale, torch.tensor([1.0] * 6 + [gate] * 6), rtol=1e-3, atol=0)


def test_actnorm_flag_survives_saving_and_one_image_does_not_initialise():
    built = network(dtype=torch.float32)
    x = images(1, built.shape, dtype=torch.float32)
    fresh = GlowNetwork((2, 4, 8), levels=2, steps=3, width=5)
    for mode in (True, False):
        fresh.train(mode)
        for call in (fresh.log_prob, fresh.encode, lambda _: fresh.freeze()):
            with pytest.raises(NotFittedError, match="initialise"):
                call(x)
    fresh.load_state_dict(built.state_dict())
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    fresh.eval()
    assert torch.equal(fresh.log_prob(x), built.log_prob(x))
    fresh.train()
    fresh.log_prob(x)
    fresh.decode(fresh.sample_latent(2, 1.0, torch.Generator().manual_seed(0)))
    for name, value in fresh.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("noise", [0, 1 / 256])
def test_constant_channels_stay_finite(noise):
    """Borders of digits are constant, but for the noise of dequantisation."""
    built = GlowNetwork((2, 8, 8), levels=2, steps=4, width=6)
    varied = images(32, built.shape, dtype=torch.float32)
    x = varied.clone()
    x[:, 1] = 0.25
    x[:, 0, :2] = -0.5
    built.initialise(x + noise * (varied + 0.5))
    other = images(8, built.shape, seed=3, dtype=torch.float32)
    for batch in (x, other, torch.zeros_like(x), torch.full_like(x, 0.5)):
        assert torch.isfinite(built.log_prob(batch)).all()
        assert (built.decode(built.encode(batch)) - batch).abs().max() < 1 / 512
    blank = GlowNetwork((2, 8, 8), levels=2, steps=4, width=6)
    blank.initialise(torch.full_like(x, 0.3))
    assert torch.isfinite(blank.log_prob(other)).all()


def test_initialise_over_two_processes_equals_the_joined_batch():
    """The sums that the processes would exchange, played back one after the other."""
    x = images(16, (3, 8, 8))
    joined = GlowNetwork((3, 8, 8), levels=2, steps=2, width=6).to(EXACT)
    joined.initialise(x)
    import threading

    barrier = threading.Barrier(2)
    shared: list[Tensor | None] = [None, None]
    halves = [GlowNetwork((3, 8, 8), levels=2, steps=2, width=6).to(EXACT) for _ in range(2)]

    def run(rank):
        def reduce(tensor):
            shared[rank] = tensor
            barrier.wait(20)
            total = shared[0] + shared[1]
            barrier.wait(20)
            return total

        rows = x[:5] if rank == 0 else x[5:]
        halves[rank].initialise(rows, reduce=reduce)

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for half in halves:
        for name, value in joined.state_dict().items():
            torch.testing.assert_close(half.state_dict()[name], value, rtol=1e-9, atol=1e-12)


def test_same_seed_same_network_and_the_global_generator_is_left_alone():
    state = torch.random.get_rng_state()
    one, other = (GlowNetwork((1, 4, 4), levels=1, steps=2, width=4, seed=3) for _ in range(2))
    third = GlowNetwork((1, 4, 4), levels=1, steps=2, width=4, seed=4)
    assert all(map(torch.equal, one.parameters(), other.parameters()))
    assert not torch.equal(one.levels[0].first, third.levels[0].first)
    assert torch.equal(torch.random.get_rng_state(), state)


# classes


def test_classes_change_the_density_and_unknown_ones_are_averaged():
    built = network(classes=3)
    x = images(4, built.shape)
    each = torch.stack([built.log_prob(x, torch.full((4,), k)) for k in range(3)])
    assert (each[0] - each[1]).abs().min() > 1e-6
    torch.testing.assert_close(built.log_prob(x), each.logsumexp(0) - math.log(3))
    with pytest.raises(ParameterError, match="class"):
        built.encode(x)


def test_label_logits_learn_from_the_label_loss():
    built = network(classes=3)
    x, y = images(4, built.shape), torch.tensor([0, 1, 2, 0])
    log_prob, logits = built.log_prob_and_label_logits(x, y)
    torch.testing.assert_close(log_prob, built.log_prob(x, y))
    torch.testing.assert_close(logits, built.label_logits(x))
    torch.nn.functional.cross_entropy(logits, y).backward()
    assert built.classifier.grad.abs().max() > 0
    assert built.levels[0].first.grad.abs().max() > 0
    with pytest.raises(ParameterError, match="classes"):
        network().label_logits(x)


# what is refused


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"levels": 3}, "levels=2"),
        ({"shape": (1, 7, 8)}, "even"),
        ({"levels": 0}, "levels"),
        ({"coupling": "spline"}, "affine, additive"),
        ({"permutation": "qr"}, "shuffle"),
        ({"memory": "none"}, "reversible"),
        ({"gate_floor": 1.0}, "gate_floor"),
    ],
)
def test_wrong_parameters_are_named(changes, match):
    arguments = {"shape": (1, 28, 28), "levels": 2, "steps": 1, "width": 4, **changes}
    with pytest.raises(ParameterError, match=match):
        GlowNetwork(arguments.pop("shape"), **arguments)


def test_wrong_images_are_named():
    built = network()
    with pytest.raises(DataError, match="shape"):
        built.log_prob(images(2, (2, 8, 8)))
    with pytest.raises(DataError, match="finite"):
        built.initialise(torch.full((4, 2, 4, 8), math.nan))


# numerics


def trained(steps=60, **more):
    """A small network after training on smooth images, in float32."""
    built = GlowNetwork((3, 8, 8), levels=2, steps=6, width=24, memory="reversible", **more)
    generator = torch.Generator().manual_seed(0)

    def batch(n):
        coarse = torch.rand(n, 3, 3, 3, generator=generator)
        smooth = torch.nn.functional.interpolate(coarse, size=8, mode="bilinear")
        grey = (smooth * 256).floor()
        return grey, (grey + torch.rand(grey.shape, generator=generator)) / 256 - 0.5

    built.initialise(batch(128)[1])
    optimiser = torch.optim.Adamax(built.parameters(), lr=3e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        (-built.log_prob(batch(32)[1]).mean()).backward()
        optimiser.step()
    return built, batch(200)[0]


def test_after_training_every_pixel_comes_back_and_samples_are_finite():
    built, grey = trained(gate_floor=0.4)
    built.eval()
    x = (grey + 0.5) / 256 - 0.5
    frozen = built.freeze()
    back = ((frozen.decode(frozen.encode(x)) + 0.5) * 256).floor()
    assert torch.equal(back, grey)
    eps = built.sample_latent(500, 1.0, torch.Generator().manual_seed(0))
    assert torch.isfinite(frozen.decode(eps)).all()
    found = built.diagnose(x)
    assert 0.4 <= found["smallest_gate"] < 1
    assert 1 <= found["condition_number"] < 100
    # the gradient of the reversed network is as good as that of the stored one
    stored, reversed_ = (gradients(built, x[:32], memory) for memory in ("store", "reversible"))
    assert difference(reversed_, stored) < 1e-3


def test_half_precision_is_confined_to_the_coupling_networks():
    built = network((3, 8, 8), width=16, dtype=torch.float32, coupling_dtype=torch.bfloat16)
    x = images(8, built.shape, dtype=torch.float32)
    stored = gradients(built, x, "store")
    coarse = built.log_prob(x)
    built.eval()
    exact = built.log_prob(x)
    assert coarse.dtype == torch.float32
    assert not torch.equal(coarse, exact)
    assert ((coarse - exact).abs() / x[0].numel()).max() < 0.02
    assert (built.decode(built.encode(x)) - x).abs().max() < 1e-5
    pairs = list(zip(gradients(built, x, "store"), stored, strict=True))
    error = torch.cat([(exact - half).flatten() for exact, half in pairs]).norm()
    assert error < 0.1 * torch.cat([exact.flatten() for exact, _ in pairs]).norm()


def test_temperature_scales_the_latent():
    built = network()
    one, half = (
        built.sample_latent(3, temperature, torch.Generator().manual_seed(0))
        for temperature in (1.0, 0.5)
    )
    for full, scaled in zip(one, half, strict=True):
        torch.testing.assert_close(scaled, full / 2)
