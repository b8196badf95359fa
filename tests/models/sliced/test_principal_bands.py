"""Energies of latents by octave of principal axes."""

import pytest
import torch

from pushforward.models.sliced.principal_bands import PrincipalBands


@pytest.fixture(scope="module")
def bands():
    return PrincipalBands.of(torch.eye(7), torch.randn(500, 7, generator=torch.manual_seed(0)))


def test_axes_after_the_last_whole_octave_do_not_count(bands):
    assert bands.usual.shape == (2, 3)  # 1, 1 and 2 axes; 3 are left over
    quiet, loud = torch.zeros(1, 7), torch.zeros(1, 7)
    loud[:, 4:] = 9.0
    assert torch.equal(bands.maps(loud), bands.maps(quiet))


@pytest.mark.parametrize("axis", range(4))
def test_what_is_in_excess_counts_where_it_is(bands, axis):
    loud = torch.full((1, 7), 0.1)
    loud[:, axis] = 9.0
    told = bands.maps(loud)[0]
    assert told[axis] < -1.0
    assert told[axis] < 0.9 * told.sum()


def test_less_than_usual_is_no_reason_to_forgive_too_much(bands):
    alone, with_little = torch.ones(1, 7), torch.ones(1, 7)
    alone[:, 0] = with_little[:, 0] = 5.0
    with_little[:, 1:] = 0.01
    assert bands.maps(with_little).sum() >= bands.maps(alone).sum() - 1e-6
    assert bands.maps(with_little)[0, 0] == bands.maps(alone)[0, 0]


def test_scores_are_the_sums_of_maps():
    generator = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(12, 12, generator=generator, dtype=torch.float64)).Q
    bands = PrincipalBands.of(axes, torch.randn(50, 12, generator=generator).double())
    new = 3 * torch.randn(20, 12, generator=generator).double()
    assert torch.allclose(bands.scores(new), bands.maps(new).sum(1))
    assert (bands.scores(new) < 0).any()
