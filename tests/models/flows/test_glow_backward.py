"""The hand-written gradient of a level against autograd of the textbook composition."""

import pytest
import torch
from torch.nn import functional

from pushforward.models.flows.edge_convolution import border_table, convolve
from pushforward.models.flows.glow_backward import MEMORY
from pushforward.models.flows.glow_level import GlowLevel
from pushforward.models.flows.glow_step import Coupling

EXACT = torch.float64


def level(affine, floor, channels=6, steps=3, width=5):
    generator = torch.Generator().manual_seed(0)
    built = GlowLevel(channels, steps, width, Coupling(affine, floor), "lu", generator).to(EXACT)
    with torch.no_grad():
        for parameter in built.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=EXACT)
            parameter.add_(0.1 * noise)
    return built


def edge_conv(x, weight, border):
    """A 3x3 convolution with the edge channel written out: x (n, c, h, w), padded by hand."""
    n, _, h, w = x.shape
    inside = functional.pad(torch.zeros(n, 1, h, w, dtype=x.dtype), (1, 1, 1, 1), value=1.0)
    padded = torch.cat([functional.pad(x, (1, 1, 1, 1)), inside], 1)
    filters = torch.cat([weight.unflatten(1, (3, 3)).permute(0, 3, 1, 2)], 1)
    edge = border[:9].T.reshape(-1, 1, 3, 3)
    return functional.conv2d(padded, torch.cat([filters, edge], 1), border[9])


def textbook(built, x):
    """Each step in the order and the words of the published code, on (n, c, h, w)."""
    matrices, log_dets = built.mixing()
    area, total = x.shape[2] * x.shape[3], 0.0
    for k in range(len(matrices)):
        scale = torch.exp(3 * built.actnorm_logs[k])
        x = (x + built.actnorm_bias[k][:, None, None]) * scale[:, None, None]
        x = torch.einsum("ij,njhw->nihw", matrices[k], x)
        total = total + area * (3 * built.actnorm_logs[k].sum() + log_dets[k])
        z1, z2 = x.chunk(2, 1)
        h = edge_conv(z1, built.first[k], built.first_border[k])
        h = torch.relu(h * torch.exp(3 * built.first_logs[k])[:, None, None])
        h = torch.einsum("nihw,ij->njhw", h, built.second[k, :-1])
        h = h + built.second[k, -1][:, None, None]
        h = torch.relu(h * torch.exp(3 * built.second_logs[k])[:, None, None])
        h = edge_conv(h, built.last[k], built.last_border[k])
        h = h * torch.exp(3 * built.last_logs[k])[:, None, None]
        if built.coupling.affine:
            shift, rate = h[:, 0::2], h[:, 1::2]
            floor = built.coupling.floor
            gate = floor + (1 - floor) * torch.sigmoid(rate + 2)
            z2 = (z2 + shift) * gate
            total = total + gate.log().sum((1, 2, 3))
        else:
            z2 = z2 + h
        x = torch.cat([z1, z2], 1)
    return x, total


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize(("affine", "floor"), [(True, 0.0), (True, 0.3), (False, 0.0)])
def test_value_and_gradients_are_those_of_the_textbook(memory, affine, floor):
    built = level(affine, floor)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 6, 4, 5, generator=generator, dtype=EXACT, requires_grad=True)
    weight = torch.randn(3, 6, 4, 5, generator=generator, dtype=EXACT)
    weights = torch.tensor([0.5, 2.0, 1.0], dtype=EXACT)
    inputs = [x, *built.parameters()]

    y, log_det = built(x.permute(0, 2, 3, 1), memory, EXACT)
    y = y.permute(0, 3, 1, 2)
    expected, expected_log_det = textbook(built, x)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(log_det, expected_log_det.expand(3), rtol=1e-12, atol=1e-12)

    ours = torch.autograd.grad((y * weight).sum() + (log_det * weights).sum(), inputs)
    loss = (expected * weight).sum() + (expected_log_det * weights).sum()
    theirs = torch.autograd.grad(loss, inputs)
    for one, other in zip(ours, theirs, strict=True):
        assert (one - other).abs().max() <= 1e-12 * max(1.0, other.abs().max().item())


def test_a_saturated_gate_has_a_finite_density():
    rule = Coupling(True, 0.0)
    rate = torch.tensor([-500.0, 0.0, 500.0])
    assert torch.isfinite(rule.log_gate(rate)).all()
    assert torch.isfinite(rule.log_gate_slope(rate)).all()
    bounded = Coupling(True, 0.3)
    assert bounded.gate(rate).min() >= 0.3
    assert bounded.log_gate_slope(rate)[0] == 0


def test_convolution_knows_the_border():
    """A filter that sees the edge channel alone counts the neighbours outside."""
    x = torch.zeros(1, 3, 4, 2)
    weight = torch.zeros(1, 9, 2)
    table = border_table(3, 4, x)
    seen = convolve(x, weight, table[..., :9] @ torch.ones(9, 1))
    expected = torch.tensor([[5.0, 3, 3, 5], [3, 0, 0, 3], [5, 3, 3, 5]])
    assert torch.equal(seen[0, ..., 0], expected)
