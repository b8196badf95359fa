"""Weight normalisation: rows of unit length, or of a learned one, with their gradients."""

import pytest
import torch
import torch.nn.functional as F

from pushforward.models.flows.residual_network import WeightNormLayer


@pytest.mark.parametrize("kernel", [None, 3])
@pytest.mark.parametrize("magnitude", [True, False])
def test_weights_are_scaled_directions_and_so_are_their_gradients(kernel, magnitude, generator):
    layer = WeightNormLayer(2, 3, kernel, generator, magnitude=magnitude, bias=False).double()
    shape = (4, 2) if kernel is None else (4, 2, 5, 5)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    parameters = list(layer.parameters())

    def by_formula(*parameters):
        direction, *length = parameters
        weight = F.normalize(direction.flatten(1), dim=1).view_as(direction)
        if length:
            weight = weight * length[0].view(-1, *(1,) * (weight.ndim - 1))
        return F.linear(x, weight) if kernel is None else F.conv2d(x, weight, padding=1)

    torch.testing.assert_close(layer(x), by_formula(*parameters))
    slope = torch.randn(layer(x).shape, generator=generator, dtype=torch.float64)
    ours = torch.autograd.grad((layer(x) * slope).sum(), parameters)
    theirs = torch.autograd.grad((by_formula(*parameters) * slope).sum(), parameters)
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other)


def test_a_direction_of_nothing_gives_nothing():
    layer = WeightNormLayer(2, 3, None, torch.Generator().manual_seed(0))
    with torch.no_grad():
        layer.direction[1] = 0
    y = layer(torch.ones(4, 2))
    y.sum().backward()
    assert y.isfinite().all()
    assert (y[:, 1] == 0).all()
    assert layer.direction.grad.isfinite().all()
