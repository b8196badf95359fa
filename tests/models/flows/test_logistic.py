import pytest
import torch

from pushforward.models.flows.logistic import (
    logistic_log_prob,
    logistic_to_normal,
    normal_to_logistic,
)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 3e-6), (torch.float64, 1e-14)])
def test_the_maps_are_inverse_far_into_the_tails(dtype, tolerance):
    far = torch.logspace(-8, 30, 500, dtype=dtype)
    z = torch.cat(
        [-far, torch.zeros(1, dtype=dtype), torch.linspace(-50, 50, 999, dtype=dtype), far]
    )
    eps = logistic_to_normal(z)
    assert eps.isfinite().all()
    error = (normal_to_logistic(eps) - z).abs() / (1 + z.abs())
    assert error.max() < tolerance


def test_the_map_carries_the_density():
    z = torch.linspace(-40, 40, 101, dtype=torch.float64, requires_grad=True)
    eps = logistic_to_normal(z)
    (slope,) = torch.autograd.grad(eps.sum(), z)
    normal = torch.distributions.Normal(0.0, 1.0).log_prob(eps)
    torch.testing.assert_close(normal + slope.log(), logistic_log_prob(z[:, None]))
