"""Shapes, published sizes and refusals of the builders of networks."""

from itertools import pairwise

import pytest
import torch

from pushforward.errors import ParameterError
from pushforward.nets import MLP, Critic, Generator, find_architecture, halvings


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("side", [28, 32, 48, 64])
@pytest.mark.parametrize("name", ["conv", "residual"])
def test_every_size_and_any_channels(name, side, channels):
    shape = (channels, side, side)
    found = find_architecture(name, shape, width=2)
    made = found.generator(5)(torch.randn(2, 5))
    assert made.shape == (2, *shape)
    assert made.abs().max() < 1
    for norm in ("none", "batch", "layer", "spectral"):
        assert found.critic(norm)(made).shape == (2,)
    assert found.encoder(7)(made).shape == (2, 7)


def test_128_pixels_and_sides_that_differ():
    for shape in ((3, 128, 128), (1, 32, 48)):
        found = find_architecture("conv", shape, width=2)
        assert found.critic("none")(found.generator(3)(torch.zeros(2, 3))).shape == (2,)
    assert find_architecture("conv", (3, 128, 128)).down == (64, 128, 256, 512, 512)


@pytest.mark.parametrize("side", [28, 32, 48, 64, 96, 128])
def test_the_coarsest_picture_is_4_to_8_pixels(side):
    assert 4 <= side / 2 ** halvings(side, side) <= 8


@pytest.mark.parametrize("side", [4, 30, 31, 36])
def test_sides_that_do_not_halve(side):
    with pytest.raises(ParameterError, match="resize"):
        halvings(side, side)


@pytest.mark.parametrize("side", [32, 48, 64])
def test_sn_dcgan_is_table_3(side):
    found = find_architecture("sn-dcgan", (3, side, side))
    base = side // 8
    up = [512, 256, 128, 64]
    generator = 128 * 512 * base**2 + 512 * base**2
    generator += sum(16 * a * b + b for a, b in pairwise(up))
    generator += 2 * sum(up) + 9 * 64 * 3 + 3
    assert count(found.generator(128)) == generator

    layers = [(3, 64, 3), (64, 64, 4), (64, 128, 3), (128, 128, 4)]
    layers += [(128, 256, 3), (256, 256, 4), (256, 512, 3)]
    critic = sum(a * b * k * k + b for a, b, k in layers) + 512 * base**2 + 1
    built = found.critic("spectral")
    assert count(built) == critic
    slopes = {m.negative_slope for m in built.modules() if isinstance(m, torch.nn.LeakyReLU)}
    assert slopes == {0.1}


@pytest.mark.parametrize(
    ("side", "made", "judged"),
    [(32, 4_276_739, 1_053_825), (48, None, None), (64, None, None)],
)
def test_sn_resnet_is_as_published(side, made, judged):
    found = find_architecture("sn-resnet", (3, side, side))
    with torch.device("meta"):
        generator, critic = (
            found.generator(128),
            Critic((3, side, side), found.down, strides=found.strides, block="residual"),
        )
    if made is not None:
        assert (count(generator), count(critic)) == (made, judged)
        return
    up, down = found.up, found.down
    base = 4 if side == 64 else 6
    expected = 129 * up[0] * base**2 + 2 * up[-1] + 9 * up[-1] * 3 + 3
    for a, b in pairwise(up):
        expected += 9 * a * b + b + 9 * b * b + b + a * b + b + 2 * a + 2 * b
    assert count(generator) == expected
    expected = down[-1] + 1
    for step, (a, b) in enumerate(zip((3, *down[:-1]), down, strict=True)):
        inner = b if step == 0 else a
        expected += 9 * a * inner + inner + 9 * inner * b + b + a * b + b
    assert count(critic) == expected


def test_spectral_norm_bounds_the_slope():
    critic = Critic((1, 16, 16), (4, 8), norm="spectral", slope=0.2)
    x = torch.randn(8, 1, 16, 16)
    for _ in range(20):
        critic(x)
    critic.eval()
    for layer in critic.layers:
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d):
            largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()
            assert largest == pytest.approx(1, abs=0.1)


def test_no_batch_norm_beside_pixels():
    layers = list(Critic((1, 32, 32), (4, 8, 8), norm="batch").layers)
    assert isinstance(layers[1], torch.nn.LeakyReLU)
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in layers) == 2


def test_an_image_has_its_logit_whatever_the_others_are():
    for norm in ("none", "layer", "spectral"):
        critic = Critic((1, 16, 16), (4, 8), norm=norm).eval()
        x = torch.randn(6, 1, 16, 16)
        torch.testing.assert_close(critic(x)[:2], critic(x[:2]))


def test_an_mlp():
    assert MLP(5, (8, 8))(torch.zeros(3, 5)).shape == (3,)
    assert MLP(5, (8,), head=2)(torch.zeros(3, 5)).shape == (3, 2)


@pytest.mark.parametrize(
    "build",
    [
        lambda: find_architecture("vgg", (3, 32, 32)),
        lambda: find_architecture("sn-resnet", (3, 28, 28)),
        lambda: find_architecture("sn-dcgan", (1, 28, 28)),
        lambda: Generator((1, 28, 28), 4, (8, 8, 8)),
        lambda: Generator((1, 28, 28), 4, (8, 8), norm="spectral"),
        lambda: Critic((1, 28, 28), (8, 8), norm="instance"),
    ],
)
def test_refusals_say_what_was_expected(build):
    with pytest.raises(ParameterError, match=r"Expected|Use"):
        build()
