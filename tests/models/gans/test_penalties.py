"""Gradient penalties on critics whose slope is known, and their own gradients."""

import pytest
import torch

from pushforward.models.gans.penalties import gradient_penalty, squared_gradient_norm


@pytest.mark.parametrize("shape", [(6, 3), (6, 2, 4, 4)])
def test_the_penalty_of_a_linear_critic_is_that_of_its_slope(shape, generator):
    a, b = (torch.randn(shape, generator=generator) for _ in range(2))
    weight = torch.randn(shape[1:], generator=generator)
    share = torch.rand(6, generator=generator)

    def critic(x):
        return (x * weight).flatten(1).sum(1)

    expected = (weight.norm() - 1) ** 2
    assert gradient_penalty(critic, a, b, share).item() == pytest.approx(expected.item(), rel=1e-5)


def test_each_row_is_looked_at_where_its_share_says():
    a, b = torch.zeros(2, 1), torch.full((2, 1), 4.0)

    def critic(x):
        return x.square().sum(1)  # of slope 2 x

    found = gradient_penalty(critic, a, b, torch.tensor([0.25, 0.75]))
    assert found.item() == pytest.approx(((2 - 1) ** 2 + (6 - 1) ** 2) / 2)


def test_penalties_move_the_critic_and_not_the_rows():
    weight = torch.tensor([3.0, 4.0], requires_grad=True)
    a = torch.ones(5, 2, requires_grad=True)
    gradient_penalty(lambda x: x @ weight, a, a + 1, torch.full((5,), 0.5)).backward()
    assert torch.allclose(weight.grad, 2 * (5 - 1) * weight.detach() / 5)
    assert a.grad is None
    x = torch.ones(5, 2, requires_grad=True)
    weight.grad = None
    squared_gradient_norm(x @ weight, x).backward()
    assert torch.allclose(weight.grad, 2 * weight.detach())
