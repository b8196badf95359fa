"""The loop that grows a sliced flow of images: stages, a time budget, layers kept on disk."""

import math
import time
from collections.abc import Iterator, Sequence

import torch

from ...errors import TrainingError
from ...storage.checkpoint import Checkpoint
from ...training.processes import Processes
from ...transport.patches import PatchGrid, PatchLayer
from .patch_growth import Growth
from .patch_schedule import Stage

__all__ = ["grown"]

_TENSORS = ("directions", "x", "y", "slope")
_PLACE = 13  # numbers that say what a kept layer is


def grown(
    growth: Growth,
    stages: Sequence[Stage],
    *,
    seed: int,
    minutes: float | None,
    kept: Checkpoint,
    device: torch.device,
    processes: Processes,
) -> Iterator[tuple[int, PatchLayer]]:
    """Make the layers of a schedule and carry the points through them.

    A layer depends on the points, the seed and its number, not on the clock, which only says how
    many there are. Every stage gets a share of the time left by its cost, and one layer at the
    least.

    Args:
        growth: what grows.
        stages: the schedule.
        seed: of the layers.
        minutes: time budget, or None.
        kept: where the layers of an interrupted growth are, and those of this one go, in the
            first process.
        device: of the points.
        processes: that grow it together; the first one's clock counts.

    Yields:
        The number of the stage, and the layer.

    Raises:
        TrainingError: if a layer makes a point non-finite.
    """
    end = math.inf if minutes is None else time.monotonic() - kept.seconds + 60 * minutes
    count = 0
    for number, stage in enumerate(stages):
        now = time.monotonic()
        share = stage.cost / sum(later.cost for later in stages[number:])
        stop = now + (end - now) * share if growth.needs_all_stages else end
        made = 0
        while made < (stage.layers or math.inf) and not growth.finished:
            layer, of_stage = _taken(kept, count, device, processes)
            if layer is None:
                out_of_time = processes.agree(time.monotonic() > stop)
                if out_of_time and (made or not growth.needs_all_stages):
                    break
                generator = torch.Generator().manual_seed(seed * 1_000_003 + count)
                layer = growth.make(stage.grid(generator), stage.slices, generator)
                if processes.first:
                    _keep(kept, count, number, layer)
            elif of_stage > number:
                break
            if not growth.add(layer):
                raise TrainingError(
                    f"Layer {count + 1}, of patches {stage}, makes a point non-finite. The model "
                    "has the layers before it. Fit with more images or fewer knots."
                )
            count, made = count + 1, made + 1
            yield number, layer


def _keep(kept: Checkpoint, count: int, number: int, layer: PatchLayer) -> None:
    g = layer.grid
    what = [number, *g.shape, *g.patch, *g.shift, g.apart, layer.uniform]
    place = torch.tensor([*what, layer.slices, layer.knots, layer.classes or 0])
    tensors = {name: tensor.cpu() for name, tensor in layer.state_dict().items()}
    kept.keep(f"layer {count}", {**tensors, "place": place})


def _taken(
    kept: Checkpoint, count: int, device: torch.device, processes: Processes
) -> tuple[PatchLayer | None, int]:
    """Layer ``count`` of an interrupted growth, if it is there, and the number of its stage."""
    found = kept.get(f"layer {count}")
    if not processes.agree(found is not None):
        return None, 0
    place = torch.zeros(_PLACE, dtype=torch.long) if found is None else found["place"].clone()
    place = processes.sum(place.to(device)).tolist()
    stage, c, height, width, h, w, down, right, apart, uniform, slices, knots, classes = place
    grid = PatchGrid((c, height, width), (h, w), (down, right), bool(apart))
    layer = PatchLayer.empty(grid, slices, knots, bool(uniform), classes or None).to(device)
    for name in _TENSORS:
        tensor = layer.get_buffer(name)
        if found is not None:
            tensor.copy_(found[name])
        processes.sum(tensor)
    return layer, stage
