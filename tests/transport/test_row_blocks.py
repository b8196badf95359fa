"""Points in blocks of rows: what is known of all of them, and who holds which."""

from dataclasses import dataclass

import pytest
import torch

from pushforward.transport import gaussianising_splines, max_sliced_directions
from pushforward.transport.directions import shared_directions
from pushforward.transport.numerics import weighted_mean
from pushforward.transport.row_blocks import Division, RowBlocks, exactly_summed


@dataclass
class Place:
    """A place among processes, whose messages are not sent."""

    rank: int
    count: int


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("n", [8, 9, 20])
def test_every_row_is_in_one_block_of_one_process(n, count):
    places = [
        place
        for rank in range(count)
        for place in Division(n, size=4, group=Place(rank, count)).places()
    ]
    assert [i for place in places for i in range(n)[place]] == list(range(n))


def test_one_block_is_not_shared():
    for rank in range(3):
        division = Division(5, size=8, group=Place(rank, 3))
        assert division.group is None
        assert division.places() == [slice(0, 5)]
    assert Division(0).places() == [slice(0, 0)]


@pytest.mark.parametrize("weighted", [False, True])
def test_means_and_columns_are_those_of_all_rows(weighted, generator):
    x = torch.randn(3, 50, generator=generator)
    weight = torch.rand(50, generator=generator).double() if weighted else None
    points = RowBlocks.of(x, weight, size=16)
    assert [block.shape for block in points.blocks] == [(3, 16)] * 3 + [(3, 2)]
    sums = [points.sums(i, *block.double()) for i, block in enumerate(points.blocks)]
    found = points.means(sums, 3)
    assert found == pytest.approx([weighted_mean(row, weight) for row in x], abs=1e-15)
    few = torch.tensor([49, 0, 17, 0, 33])
    assert torch.equal(points.columns(few), x[:, few])
    assert torch.equal(points.columns(None), x)


def test_sums_of_rounded_numbers_are_the_same_in_any_order(generator):
    values = torch.rand(10_000, generator=generator, dtype=torch.float64).pow(9) / 10_000
    rounded = exactly_summed(values.clone())
    assert float((rounded - values).abs().max()) <= 2**-53
    orders = [torch.randperm(10_000, generator=generator) for _ in range(20)]
    assert len({float(values[order].cumsum(0)[-1]) for order in orders}) > 1
    assert len({float(rounded[order].cumsum(0)[-1]) for order in orders}) == 1


@pytest.mark.parametrize("weighted", [False, True])
def test_splines_of_blocks_are_those_of_all_rows(weighted, generator):
    p = torch.randn(2, 900, generator=generator).double().exp()
    weight = torch.rand(900, generator=generator).double() if weighted else None
    whole = gaussianising_splines(p, weight=weight)
    blocks = gaussianising_splines(RowBlocks.of(p, weight, size=200))
    for name in ("x", "y", "slope"):
        torch.testing.assert_close(
            getattr(blocks, name), getattr(whole, name), rtol=1e-9, atol=1e-9
        )


def test_directions_of_blocks_are_those_of_all_rows(monkeypatch):
    x = torch.randn(4, 600, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[0] += 2 * x[1].abs()
    whole = max_sliced_directions(x, 2, torch.Generator().manual_seed(1), rows=300)
    points = RowBlocks.of(x, size=128)
    for shared in (1, 10**9):  # numbers from which on directions are summed one by one
        monkeypatch.setattr("pushforward.transport.directions._SHARED", shared)
        found = shared_directions(points, 2, torch.Generator().manual_seed(1), rows=300)
        torch.testing.assert_close(found, whole, rtol=1e-6, atol=1e-6)
