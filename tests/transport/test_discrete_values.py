"""Cells as values: every cell of the line has one, and densities of cells sum to one."""

import math

import pytest
import torch

from pushforward.transport.discrete_values import Cells


def coordinate(cells, origin=-1.5, width=0.25):
    """A coordinate whose rows lie in the middles of cells: (n,), with origin and width."""
    k = torch.tensor(cells).double()
    place = torch.tensor(origin).double(), torch.tensor(width).double()
    return place[0] + (k + 0.5) * place[1], *place


def fitted(cells, listed=False):
    return Cells.fit(*coordinate(cells), torch.tensor(listed))


TABLES = [([3, 3, 4, 7, 7, 7], False), ([3, 3, 4, 7, 12, 12], True), ([5], False), ([5], True)]


@pytest.mark.parametrize(("cells", "listed"), TABLES)
def test_densities_of_all_cells_sum_to_one(cells, listed):
    one = fitted(cells, listed)
    x, origin, width = coordinate(cells)
    p = one.margin(one.encode(x)[0])
    assert p.shape == (len(one),)
    assert (p > 0).all()
    assert float(p.sum()) == pytest.approx(1)
    every = origin + (torch.arange(-60, 80).double() + 0.5) * width
    value, log_det = one.encode(every)
    total = (p[value].log() + log_det).exp().sum() * width
    assert float(total) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("cells", "listed"), TABLES)
def test_points_that_values_stand_for_have_the_density_of_their_cells(cells, listed):
    one = fitted(cells, listed)
    _, origin, width = coordinate(cells)
    generator = torch.Generator().manual_seed(0)
    n = 40_000
    value = torch.randint(len(one), (n,), generator=generator)
    x = one.decode(value, generator)
    again, log_det = one.encode(x)
    assert torch.equal(again, value)
    cell = ((x - origin) / width).floor().long()
    for k in cell.unique().tolist():
        mine = cell == k
        expected = float(log_det[mine][0].exp() * width) / len(one)
        share = float(mine.double().mean())
        assert share == pytest.approx(expected, abs=4.5 * math.sqrt(expected / n))
    within = (x - origin) / width - cell
    assert float(within.mean()) == pytest.approx(0.5, abs=0.01)


def test_cells_between_those_of_a_list_belong_to_the_nearer():
    one = fitted([0, 3, 8], listed=True)
    x, _, width = coordinate(list(range(9)))
    value, log_det = one.encode(x)
    assert value.tolist() == [1, 1, 2, 2, 2, 2, 3, 3, 3]
    assert (log_det + width.log()).exp().tolist() == pytest.approx(
        [1 / 2] * 2 + [1 / 4] * 4 + [1 / 3] * 3
    )


def test_beyond_all_seen_the_probability_halves_from_cell_to_cell():
    one = fitted([2, 5])
    x, _, width = coordinate([1, 0, -1, 6, 7])
    value, log_det = one.encode(x)
    assert value.tolist() == [0, 0, 0, 5, 5]
    assert (log_det + width.log()).exp().tolist() == pytest.approx(
        [1 / 2, 1 / 4, 1 / 8, 1 / 2, 1 / 4]
    )
    assert one.inside(value).tolist() == [1, 1, 1, 4, 4]
    far, log_det = one.encode(torch.tensor([-1e300, 1e300]).double())
    assert far.tolist() == [0, 5]
    assert torch.isfinite(log_det).all()


def test_probabilities_are_the_shares_of_rows():
    cells = [0] * 700 + [1] * 200 + [3] * 100
    one = fitted(cells)
    p = one.margin(one.encode(coordinate(cells)[0])[0])
    assert p.tolist() == pytest.approx([0, 0.7, 0.2, 0, 0.1, 0], abs=2e-3)


def test_it_comes_back_from_its_state():
    one = fitted([3, 5, 9], listed=True)
    again = Cells.from_state(dict(one.state_dict()))
    x = torch.linspace(-4, 4, 333).double()
    for a, b in zip(one.encode(x), again.encode(x), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("seen", torch.tensor([5, 3])),
        ("seen", torch.tensor([3, 3])),
        ("seen", torch.zeros(0, dtype=torch.long)),
        ("seen", torch.tensor([0.0, 1.0])),
        ("seen", torch.tensor([-(2**62), 2**62])),
        ("width", torch.tensor(0.0)),
        ("width", torch.tensor(-1.0)),
        ("width", torch.tensor(math.nan)),
        ("width", torch.ones(2)),
        ("origin", torch.tensor(math.inf)),
    ],
)
def test_a_torn_state_is_refused(part, value):
    state = dict(fitted([3, 5]).state_dict()) | {part: value}
    with pytest.raises(ValueError, match="do not rise"):
        Cells.from_state(state)
