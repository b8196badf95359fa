"""The growth of one flow by several processes: the bits of one."""

import time
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

import pushforward
from pushforward import devices
from pushforward.data import draw_rows
from pushforward.models.sliced.layer_growth import Layering, grow
from pushforward.storage import checkpoint
from pushforward.storage.checkpoint import Checkpoint
from pushforward.training import Processes
from pushforward.transport import directions
from pushforward.transport.row_blocks import Division, RowBlocks

CPU = torch.device("cpu")
ROWS, HELD_OUT, BLOCK = 700, 150, 96  # 8 blocks and 2, the last of each not whole


@pytest.fixture(autouse=True)
def blocks(monkeypatch):
    """Small blocks, shared searches, every layer written; in copies of this process too."""
    small = replace(devices.sizes_of(CPU), layer_rows=BLOCK)
    monkeypatch.setattr(devices, "_OF_A_PROCESSOR", small)
    monkeypatch.setattr(directions, "_SHARED", 1)
    monkeypatch.setattr(checkpoint, "_EVERY", 0.0)
    monkeypatch.setattr(checkpoint, "_SHARE", 1e9)


def points(weighted):
    """Bent points and held-out ones, with weights or without."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(5, ROWS + HELD_OUT, generator=g, dtype=torch.float64)
    x[0] += 0.7 * x[1] ** 2
    weight = torch.rand(ROWS + HELD_OUT, generator=g).double() if weighted else None
    sizes = [ROWS, HELD_OUT]
    weights = [None, None] if weight is None else weight.split(sizes)
    return zip(x.split(sizes, 1), weights, strict=True)


class Interrupted(Exception):
    """What a test raises in the middle of a growth."""


def grown(out, weighted=False, folder=None, stop=None, seconds=None):
    """Grow four layers with all processes there are; write what was found, by rank."""
    group = Processes()
    both = [
        RowBlocks.made(
            lambda place, x=x: x[:, place].contiguous(),
            Division(x.shape[1], weight, size=BLOCK, group=group),
        )
        for x, weight in points(weighted)
    ]
    work = Checkpoint(folder, writes=group.first)
    work.open({"of": "this test"}, 0)

    def on_layer(count, _):
        if count == stop:
            raise Interrupted

    found = grow(
        *both,
        Layering(3, step=0.3, search_rows=300, search_steps=8),
        generator=torch.Generator().manual_seed(1),
        max_layers=4,
        patience=9,
        deadline=np.inf if seconds is None else time.monotonic() + seconds[group.rank],
        checkpoint=work,
        on_layer=on_layer,
    )
    torch.save([*map(tensors, found.layers), found.history, found.reason], f"{out}-{group.rank}")
    return 0


def tensors(layer):
    return [layer.directions, layer.splines.x, layer.splines.y, layer.splines.slope]


def of_rank(out, rank=0):
    """What a process wrote."""
    return torch.load(f"{out}-{rank}", weights_only=True)


def assert_same(found, expected):
    assert found[-2:] == expected[-2:]
    assert len(found) == len(expected)
    for ours, theirs in zip(found[:-2], expected[:-2], strict=True):
        assert all(map(torch.equal, ours, theirs))


@pytest.mark.parametrize(("weighted", "count"), [(False, 2), (True, 4)])
def test_all_processes_make_the_layers_of_one(weighted, count, processes, tmp_path):
    grown(tmp_path / "1", weighted)
    expected = of_rank(tmp_path / "1")
    assert len(expected) == 4 + 2
    ended = processes(count, grown, tmp_path / str(count), weighted)
    assert not any(ended.codes), ended.stderr
    for rank in range(count):
        assert_same(of_rank(tmp_path / str(count), rank), expected)


def interrupted(folder):
    """Grow two of the four layers, which are in the folder then."""
    with pytest.raises(Interrupted):
        grown(None, folder=folder, stop=2)


@pytest.mark.parametrize(("first", "then"), [(2, 1), (1, 2)])
def test_a_growth_goes_on_with_another_number_of_processes(first, then, processes, tmp_path):
    grown(tmp_path / "whole")
    if first == 1:
        interrupted(tmp_path / "work")
    else:
        assert not any(processes(first, interrupted, tmp_path / "work").codes)
    flow = checkpoint.read_checkpoint(tmp_path / "work").steps["flow"]
    assert int(flow.tensors["depths"]) == 2
    if then == 1:
        grown(tmp_path / "out", folder=tmp_path / "work")
    else:
        ended = processes(then, partial(grown, tmp_path / "out", folder=tmp_path / "work"))
        assert not any(ended.codes), ended.stderr
    for rank in range(then):
        assert_same(of_rank(tmp_path / "out", rank), of_rank(tmp_path / "whole"))


@pytest.mark.parametrize(
    ("seconds", "layers", "reason"),
    [((1e6, -1), 4, "built all 4 layers"), ((-1, 1e6), 0, "out of time")],
)
def test_all_processes_go_by_the_clock_of_the_first(seconds, layers, reason, processes, tmp_path):
    ended = processes(2, partial(grown, tmp_path / "out", seconds=seconds))
    assert not any(ended.codes), ended.stderr
    for rank in range(2):
        found = of_rank(tmp_path / "out", rank)
        assert (len(found) - 2, found[-1]) == (layers, reason)


def fitted(out, frame):
    """Fit a GIS with all processes there are, of a seed that each draws by chance."""
    np.random.seed(Processes().rank)  # noqa: NPY002
    model = pushforward.GIS(max_layers=2).fit(draw_rows(frame, len(frame)))
    if Processes().first:
        model.save(out)


def test_a_model_of_rows_in_memory_is_that_of_one_process(processes, tmp_path, rng):
    frame = pd.DataFrame(rng.normal(size=(500, 3)), columns=list("abc"))
    frame["a"] += frame["b"] ** 2
    fitted(tmp_path / "1", frame)
    ended = processes(2, fitted, tmp_path / "2", frame)
    assert not any(ended.codes), ended.stderr
    one, two = (pushforward.load(tmp_path / name) for name in "12")
    assert one.n_layers_ == two.n_layers_ > 0
    np.testing.assert_array_equal(one.score_samples(frame), two.score_samples(frame))
    assert one.history_ == two.history_
