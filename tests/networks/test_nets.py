"""Shapes, published sizes and refusals of the builders of networks."""

from itertools import pairwise

import pytest
import torch

from pushforward.errors import ParameterError
from pushforward.networks import MLP, Autoencoder, Critic, Generator, find_architecture, halvings
from pushforward.networks.resnet import CriticBlock, GeneratorBlock
from pushforward.networks.resnext import ResNeXtBlock


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("side", [28, 32, 48, 64])
@pytest.mark.parametrize("name", ["conv", "residual", "r3gan"])
def test_every_size_and_any_channels(name, side, channels):
    shape = (channels, side, side)
    found = find_architecture(name, shape, width=2)
    made = found.generator(5)(torch.randn(2, 5))
    assert made.shape == (2, *shape)
    assert made.abs().max() < 1
    for norm in ("none",) if name == "r3gan" else ("none", "batch", "layer", "spectral"):
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


def layers_of(network):
    """Kind, channels in and out, kernel and stride of each layer with weights."""
    found = []
    for m in network.modules():
        if isinstance(m, torch.nn.Linear):
            found.append(("dense", m.in_features, m.out_features))
        elif isinstance(m, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            kind = "conv" if isinstance(m, torch.nn.Conv2d) else "deconv"
            found.append((kind, m.in_channels, m.out_channels, *m.kernel_size, *m.stride))
    return found


def conv(inputs, outputs, kernel, stride):
    return ("conv", inputs, outputs, kernel, kernel, stride, stride)


def test_sn_dcgan_layer_by_layer():
    # compare_gan's network of that name widens one layer earlier: 64, 128, 128, 256, 256, 512
    found = find_architecture("sn-dcgan", (3, 32, 32))
    critic = found.critic("spectral")
    assert layers_of(critic) == [
        *(conv(3, 64, 3, 1), conv(64, 64, 4, 2), conv(64, 128, 3, 1), conv(128, 128, 4, 2)),
        *(conv(128, 256, 3, 1), conv(256, 256, 4, 2), conv(256, 512, 3, 1)),
        ("dense", 512 * 4 * 4, 1),
    ]
    assert count(critic) == 2_935_873
    generator = found.generator(128)
    up = [("deconv", a, b, 4, 4, 2, 2) for a, b in ((512, 256), (256, 128), (128, 64))]
    assert layers_of(generator) == [("dense", 128, 4 * 4 * 512), *up, conv(64, 3, 3, 1)]
    normed = [m.num_features for m in generator.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert normed == [512, 256, 128, 64]
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in critic.modules())


@pytest.mark.parametrize(
    ("side", "coarse", "up", "down"),
    [
        (32, 256, [256, 256, 256], [(128, 2), (128, 2), (128, 1), (128, 1)]),
        (48, 512, [256, 128, 64], [(64, 2), (128, 2), (256, 2), (512, 2), (1024, 1)]),
        (64, 1024, [512, 256, 128, 64], [(64, 2), (128, 2), (256, 2), (512, 2), (1024, 2)]),
    ],
)
def test_sn_resnet_block_by_block(side, coarse, up, down):
    found = find_architecture("sn-resnet", (3, side, side))
    with torch.device("meta"):
        generator, critic = found.generator(128), found.critic("none")
    assert generator.coarse == (coarse, side >> len(up), side >> len(up))
    made = [m for m in generator.modules() if isinstance(m, GeneratorBlock)]
    assert [m.conv2.out_channels for m in made] == up
    judged = [m for m in critic.modules() if isinstance(m, CriticBlock)]
    assert [(m.conv2.out_channels, m.stride) for m in judged] == down
    # only the first sees pixels: no rectifier before it, its hidden layer as wide as the output
    assert [m.first for m in judged] == [True, *[False] * (len(down) - 1)]
    assert judged[0].conv1.out_channels == down[0][0]
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in critic.modules())
    # equal strides and widths: no map beside the block
    same = [isinstance(m.shortcut, torch.nn.Identity) for m in judged]
    assert same == [side == 32 and stride == 1 for _, stride in down]


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


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "spectral"])
def test_a_deep_critic_is_the_encoder_and_a_layer(norm):
    x, net = torch.randn(4, 1, 16, 16), find_architecture("conv", (1, 16, 16), 2)
    critic = net.deep_critic(norm, 7)
    body, _, last = critic.eval()
    assert body(x).shape == (4, 7)
    (weight,) = (m for m in last.modules() if isinstance(m, torch.nn.Linear))
    expected = torch.nn.functional.leaky_relu(body(x), 0.2) @ weight.weight[0] + weight.bias
    torch.testing.assert_close(critic(x), expected)
    if norm == "spectral":  # of all weights
        assert weight.weight.norm().item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", ["conv", "residual", "r3gan"])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_autoencoder(name, channels):
    x = torch.randn(4, channels, 28, 28)
    built = find_architecture(name, (channels, 28, 28), width=2).autoencoder(5, "none")
    assert isinstance(built, Autoencoder)
    assert built.encoder(x).shape == (4, 5)
    torch.testing.assert_close(built(x), built.decoder(built.encoder(x)))
    assert built(x).shape == x.shape


def test_an_mlp():
    deep = MLP(5, (8, 8), norm="batch")
    assert sum(isinstance(m, torch.nn.BatchNorm1d) for m in deep.modules()) == 2
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


def test_r3gan_begins_as_the_identity_between_its_sizes():
    nets = find_architecture("r3gan", (1, 28, 28), width=32)
    make, judge = nets.generator(8), nets.critic("none")
    z, x = torch.randn(64, 8), torch.rand(64, 1, 28, 28) * 2 - 1
    blocks = [m for net in (make, judge) for m in net.modules() if isinstance(m, ResNeXtBlock)]
    assert [b.conv2.groups for b in blocks] == [4, 2, 2, 4]
    made, said = make(z), judge(x)
    assert made.abs().max() <= 1
    assert 0.1 < made.std() < 0.5  # neither grey nor saturated
    assert 0.05 < said.std() < 5
    for block in blocks:  # at first they add nothing, whatever their first layers are
        torch.nn.init.normal_(block.conv1.weight)
    torch.testing.assert_close(make(z), made)
    torch.testing.assert_close(judge(x), said)
    # but learn from the first step: the last layer of each has a slope
    (make(z).sum() + judge(x).square().sum()).backward()
    assert all(block.conv3.weight.grad.abs().sum() > 0 for block in blocks)
    with pytest.raises(ParameterError, match="'none'"):
        nets.critic("batch")
