"""What layers see."""

import pytest
import torch
from torch import nn

from pushforward.networks import Critic, layer_inputs


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "spectral"])
@pytest.mark.parametrize("block", ["conv", "residual"])
def test_the_last_layer_makes_the_logit_of_the_features(norm, block):
    critic = Critic((1, 8, 8), (3, 5), norm=norm, block=block).eval()
    x = torch.randn(4, 1, 8, 8)
    with layer_inputs(critic) as seen:
        logit = critic(x)
    assert seen[0] is x
    last = [m for m in critic.modules() if isinstance(m, nn.Linear)][-1]
    torch.testing.assert_close(last(seen[-1]).flatten(), logit)


def test_nothing_is_left_behind():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    with layer_inputs(net) as seen:
        net(torch.zeros(1, 2))
    net(torch.zeros(1, 2))
    assert len(seen) == 2
    with pytest.raises(RuntimeError, match="shapes"), layer_inputs(net):
        net(torch.zeros(1, 5))
    assert not any(m._forward_pre_hooks for m in net.modules())


def test_features_have_slopes_of_slopes():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x = torch.randn(4, 2, requires_grad=True)
    with layer_inputs(net) as seen:
        net(x)
    (slope,) = torch.autograd.grad(seen[-1].sum(), x, create_graph=True)
    assert torch.autograd.grad(slope.square().sum(), net[0].weight)[0].abs().sum() > 0
