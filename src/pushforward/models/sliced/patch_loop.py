"""The loop that grows a sliced flow of images: stages, a time budget, layers kept on disk."""

import math
from collections.abc import Iterator, Sequence

import torch

from ...errors import TrainingError
from ...storage.checkpoint import Checkpoint
from ...training.processes import Processes
from ...transport.patches import PatchGrid, PatchLayer
from .fit_budget import Budget
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
    budget: Budget,
    kept: Checkpoint,
    device: torch.device,
    processes: Processes,
) -> Iterator[tuple[int, PatchLayer | None]]:
    """Make the layers of a schedule and carry the points through them.

    A layer depends on the points, the seed and its number, not on the clock, which only says how
    many there are. Every stage gets a share of the time left by its cost, and one layer at the
    least; another layer is made where there is time for half of it.

    Args:
        growth: what grows.
        stages: the schedule.
        seed: of the layers.
        budget: of time, in which all that is done between layers counts.
        kept: where the layers of an interrupted growth are, and those of this one go, in the
            first process.
        device: of the points.
        processes: that grow it together; the first one's clock counts.

    Yields:
        The number of the stage, and the layer; None instead when the stage is over.

    Raises:
        TrainingError: if a layer makes a point non-finite.
    """
    count, before = 0, budget.left
    for number, stage in enumerate(stages):
        share = stage.cost / sum(later.cost for later in stages[number:])
        kept_back = 0.0  # for later stages
        if budget.minutes is not None and growth.needs_all_stages:
            kept_back = budget.left * (1 - share)
        made = 0
        while made < (stage.layers or math.inf) and not growth.finished:
            layer, of_stage = _taken(kept, count, device, processes)
            if layer is None and budget.minutes is not None:
                left = budget.left
                took, before = before - left, left
                needed = growth.needs_all_stages and made == 0
                if processes.agree(left - (0 if needed else took / 2) < kept_back):
                    budget.exceeded = True
                    if not needed:
                        break
            if layer is None:
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
        if made:
            yield number, None
        if budget.exceeded and not growth.needs_all_stages:
            return


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
