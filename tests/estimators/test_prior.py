"""Priors of latents."""

import torch

from pushforward.estimators.prior import Prior


def test_the_sphere():
    z = Prior.sphere(16).sample(4000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(z.square().sum(1), torch.full((4000,), 16.0))
    assert z.mean(0).abs().max() < 0.1
    assert (torch.cov(z.T) - torch.eye(16)).abs().max() < 0.15
