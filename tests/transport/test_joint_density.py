"""A joint density of smooth and discrete coordinates is one density: samples follow it."""

import pytest
import torch

from pushforward.models.sliced.structure import wide_gaussian
from pushforward.transport import DiscreteChain, JointDensity, MixtureDensity, density_from_state

from .test_discrete_chain import PLACES, rows


@pytest.fixture(scope="module")
def joint():
    table = rows(600)
    smooth = wide_gaussian(table.coordinates(torch.tensor([True, False, False, False])))
    return JointDensity(smooth, DiscreteChain.fit(table, PLACES, 0))


def test_it_is_the_product_of_its_factors(joint):
    x = rows(50, seed=1).x
    expected = joint.smooth.log_prob(x[:, :1]) + joint.chain.log_prob(x)
    # a slice and a copy of a column are summed in other orders on some processors
    torch.testing.assert_close(joint.log_prob(x), expected, rtol=1e-13, atol=0)
    assert joint.dimension == 4


def test_the_mean_density_of_samples_is_the_entropy_that_they_show(joint):
    sample = joint.sample(40_000, torch.Generator().manual_seed(0))
    assert sample.shape == (40_000, 4)
    assert torch.isfinite(joint.log_prob(sample)).all()
    # E_p f / p over a box is its volume: here the box of cells and numbers that all samples see
    box = (sample[:, 0].abs() < 3) & (sample[:, 1:].floor() == torch.tensor([0, 2, 1])).all(1)
    volume = (box / joint.log_prob(sample).exp()).mean()
    assert float(volume) == pytest.approx(6.0, rel=0.2)


def test_without_smooth_coordinates():
    table = rows(200).coordinates(torch.tensor([False, True, True, True]))
    joint = JointDensity(None, DiscreteChain.fit(table, torch.arange(3), 0))
    sample = joint.sample(100, torch.Generator().manual_seed(0))
    assert sample.shape == (100, 3)
    assert torch.equal(joint.log_prob(sample), joint.chain.log_prob(sample))
    again = density_from_state(dict(joint.state_dict()))
    assert torch.equal(again.log_prob(sample), joint.log_prob(sample))


def test_it_comes_back_from_its_state(joint):
    again = density_from_state(dict(joint.state_dict()))
    x = rows(50, seed=1).x
    assert isinstance(again, JointDensity)
    assert torch.equal(again.log_prob(x), joint.log_prob(x))
    a, b = (d.sample(50, torch.Generator().manual_seed(0)) for d in (again, joint))
    assert torch.equal(a, b)


def test_smooth_coordinates_that_are_others_are_refused(joint):
    state = dict(joint.state_dict())
    other = wide_gaussian(rows(200).coordinates(torch.tensor([True, True, False, False])))
    lacking = {k: v for k, v in state.items() if not k.startswith("smooth.")}
    for wrong in (lacking, lacking | other.state_dict(prefix="smooth.")):
        with pytest.raises(ValueError, match="smooth coordinates"):
            density_from_state(dict(wrong))


def test_a_joint_density_is_a_member_like_any_other(joint):
    mixture = MixtureDensity([joint, wide_gaussian(rows(200))], torch.zeros(2))
    x = rows(20, seed=2).x
    again = density_from_state(dict(mixture.state_dict()))
    assert torch.equal(again.log_prob(x), mixture.log_prob(x))
