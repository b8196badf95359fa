"""The learned ratio: right where it is known, repeatable, and no trace left behind."""

import pytest
import torch

from pushforward.errors import DataError
from pushforward.refinement import fit_ratio
from pushforward.refinement.logistic_refit import fit_last_layer


@pytest.fixture(scope="module")
def learned(grid):
    draw = torch.Generator().manual_seed(0)
    return fit_ratio(grid.real(3000, draw), grid.generated(3000, draw), steps=600)


def test_fine_structure_in_the_plane_is_learned(learned, grid):
    """A network of raw coordinates stays at AUC 0.5 here."""
    draw = torch.Generator().manual_seed(1)
    real, generated = learned(grid.real(2000, draw)), learned(grid.generated(2000, draw))
    above = (real[:, None] > generated).float().mean()
    assert float(above) > 0.8


def test_the_network_is_frozen_and_in_evaluation_mode(learned):
    assert not learned.training
    assert not any(parameter.requires_grad for parameter in learned.parameters())


def test_it_repeats_inside_no_grad_and_leaves_the_global_stream_alone(generator):
    x = torch.randn(2, 100, 1, generator=generator)
    state = torch.get_rng_state()
    one = fit_ratio(x[0] + 1, x[1], steps=20, random_state=3)
    with torch.no_grad():
        two = fit_ratio(x[0] + 1, x[1], steps=20, random_state=3)
    other = fit_ratio(x[0] + 1, x[1], steps=20, random_state=4)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one(x[0]), two(x[0]))
    assert not torch.equal(one(x[0]), other(x[0]))


def test_scales_and_unequal_numbers_of_rows_do_not_matter(generator):
    x = torch.randn(2, 3000, 8, generator=generator)
    offset = 1e3 * torch.arange(8)
    logit = fit_ratio(
        (1e3 * (x[0] + 0.5) + offset)[:900], 1e3 * x[1] + offset, steps=200
    )  # 3 real rows to 10
    middle = 1e3 * torch.full((1, 8), 0.25) + offset
    assert abs(float(logit(middle))) < 0.7  # log(10 / 3) is 1.2


def test_what_cannot_be_is_named():
    rows = torch.zeros(30, 2)
    with pytest.raises(DataError, match="at least 20"):
        fit_ratio(rows[:10], rows)
    with pytest.raises(DataError, match="same width"):
        fit_ratio(rows, rows[:, :1])
    with pytest.raises(DataError, match="not finite"):
        fit_ratio(rows, rows + float("nan"))


def test_a_settled_ratio_gives_far_modes_their_mass(generator):
    """Steps on batches leave that to chance: the last layer is fitted to the end."""
    share, off = torch.tensor([0.1, 0.2, 0.3, 0.4]), torch.tensor([0.4, 0.3, 0.2, 0.1])
    places = torch.tensor([[0.0, 0.0], [0.0, 3.0], [3.0, 0.0], [3.0, 3.0]])

    def rows(shares, n):
        kind = torch.multinomial(shares, n, replacement=True, generator=generator)
        return places[kind] + 0.1 * torch.randn(n, 2, generator=generator), kind

    (real, kind), (generated, other) = rows(share, 4000), rows(off, 4000)
    ratio = fit_ratio(real, generated, steps=60, penalty=0.0, batch_size=64)
    fit_last_layer(ratio, real, generated)
    weight = ratio(generated).exp()
    found = torch.zeros(4).index_add_(0, other, weight) / weight.sum()
    wanted = torch.bincount(kind, minlength=4) / len(kind)
    assert float((found - wanted).abs().max()) < 0.01
