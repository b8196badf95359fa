"""The calibrated logit, and its way into a folder and back."""

import torch

from pushforward.refinement.calibration import Calibration
from pushforward.refinement.logit import Logit
from pushforward.refinement.ratio_network import RatioNetwork


def critic(x):
    return x.sum(dim=1, keepdim=True)


def line(intercept, slope):
    values = torch.tensor([intercept, slope], dtype=torch.float64)
    return Calibration("platt", torch.empty(0), values)


def test_a_logit_is_the_line_of_the_sum_of_its_parts():
    x = torch.randn(6, 3, dtype=torch.float64)
    network = torch.nn.Flatten(0)
    logit = Logit("residual", line(1.0, 2.0), critic, 0.5, -3.0, lambda x: network(x[:, :1]))
    expected = 1 + 2 * (0.5 * x.sum(dim=1) - 3 + x[:, 0])
    assert torch.allclose(logit(x), expected)
    assert torch.allclose(logit.raw(x), (expected - 1) / 2)


def test_a_round_trip_gives_the_same_logits(generator):
    network = RatioNetwork(torch.zeros(3), torch.ones(3), width=4, generator=generator)
    logit = Logit("residual", line(0.3, 0.7), critic, 0.5, -3.0, network, others="a model")
    again = Logit.from_config(
        logit.to_config(), logit.tensors(), critic, "a model", torch.device("cpu")
    )
    x = torch.randn(50, 3, generator=generator)
    assert torch.equal(again(x), logit(x))
    assert again.others == "a model"
    assert not any(p.requires_grad for p in again.network.parameters())


def test_a_logit_that_was_learned_directly_has_no_critic():
    logit = Logit("direct", line(0.0, 1.0), network=RatioNetwork(torch.zeros(1), torch.ones(1)))
    again = Logit.from_config(
        logit.to_config(), logit.tensors(), critic, None, torch.device("cpu")
    )
    assert again.frozen is None
