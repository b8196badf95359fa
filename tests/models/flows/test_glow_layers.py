"""The small parts of Glow: squeeze, 1x1 convolutions, priors."""

import pytest
import torch

from pushforward.models.flows.channel_mixing import PERMUTATIONS, InvertibleConvolutions
from pushforward.models.flows.glow_priors import SplitPrior, TopPrior, normal_log_prob
from pushforward.models.flows.squeeze import squeeze, unsqueeze


def test_squeeze_orders_channels_as_published_and_is_undone():
    x = torch.arange(2 * 4 * 6 * 3).view(2, 4, 6, 3)
    z = squeeze(x)
    assert z.shape == (2, 2, 3, 12)
    for c, dy, dx in [(0, 0, 1), (1, 1, 0), (2, 1, 1)]:
        assert torch.equal(z[..., 4 * c + 2 * dy + dx], x[:, dy::2, dx::2, c])
    assert torch.equal(unsqueeze(z), x)


@pytest.mark.parametrize("kind", PERMUTATIONS)
def test_mixing_begins_orthogonal_and_knows_its_determinant(kind):
    mix = InvertibleConvolutions(3, 6, kind, torch.Generator().manual_seed(0))
    matrices, log_det = mix()
    one = torch.eye(6, dtype=torch.float64).expand(3, 6, 6)
    torch.testing.assert_close(matrices @ matrices.mT, one, rtol=0, atol=1e-6)
    with torch.no_grad():
        for parameter in mix.parameters():
            parameter.add_(0.2)
    matrices, log_det = mix()
    torch.testing.assert_close(log_det, torch.linalg.slogdet(matrices)[1])
    trained = kind in ("lu", "direct")
    assert bool((log_det.abs() > 1e-3).any()) == trained


def test_reverse_turns_the_channels_around_and_shuffles_differ():
    generator = torch.Generator().manual_seed(0)
    (matrix, *_), _ = InvertibleConvolutions(1, 4, "reverse", generator)()
    assert (matrix @ torch.arange(4.0).double()).tolist() == [3, 2, 1, 0]
    matrices, _ = InvertibleConvolutions(4, 16, "shuffle", generator)()
    assert not torch.equal(matrices[0], matrices[1])


def test_split_prior_depends_on_the_half_that_stays():
    prior = SplitPrior(2)
    z1 = torch.randn(3, 4, 4, 2)
    mean, logs = prior(z1)
    assert mean.abs().max() == 0
    assert logs.abs().max() == 0
    with torch.no_grad():
        prior.weight.normal_()
        prior.border.normal_()
    mean, logs = prior(z1)
    assert mean.shape == logs.shape == z1.shape
    assert (mean[0] - mean[1]).abs().max() > 0.1
    _, logs = prior(1e6 * z1)
    assert logs.abs().max() <= 6


def test_top_prior_tells_corners_edges_and_inside_apart():
    prior = TopPrior(2, True, None)
    with torch.no_grad():
        prior.border.normal_()
    mean, logs = prior(4, 5, torch.zeros(()))
    assert mean.shape == logs.shape == (1, 4, 5, 2)
    assert torch.equal(mean[0, 1, 1], mean[0, 2, 3])
    assert not torch.equal(mean[0, 0, 0], mean[0, 1, 1])
    assert not torch.equal(mean[0, 0, 1], mean[0, 0, 0])
    unlearned, _ = TopPrior(2, False, None)(4, 5, torch.zeros(()))
    assert unlearned.abs().max() == 0


def test_normal_log_prob_is_that_of_torch():
    z, mean, logs = torch.randn(3, 4, 2, 2), torch.randn(2, 2), torch.randn(2, 2)
    expected = torch.distributions.Normal(mean, logs.exp()).log_prob(z).sum((1, 2, 3))
    torch.testing.assert_close(normal_log_prob(z, mean, logs), expected)
