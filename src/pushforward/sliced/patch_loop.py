"""The loop that grows a sliced flow of images: stages, a time budget, layers kept on disk."""

import math
import time
from collections.abc import Iterator, Sequence

import torch

from ..checkpoint import Checkpoint
from ..errors import TrainingError
from ..transport.patches import PatchGrid, PatchLayer
from ..transport.spline import Splines
from .patch_growth import Growth
from .schedule import Stage

__all__ = ["grown"]


def grown(
    growth: Growth,
    stages: Sequence[Stage],
    *,
    seed: int,
    minutes: float | None,
    kept: Checkpoint,
    device: torch.device,
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
        kept: where the layers of an interrupted growth are, and those of this one go.
        device: of the points.

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
            layer, of_stage = _taken(kept, count, device)
            if layer is None:
                late = time.monotonic() > stop
                if late and (made or not growth.needs_all_stages):
                    break
                generator = torch.Generator().manual_seed(seed * 1_000_003 + count)
                layer = growth.make(stage.grid(generator), stage.slices, generator)
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
    place = torch.tensor([number, *g.shape, *g.patch, *g.shift, g.apart, layer.uniform])
    tensors = {name: tensor.cpu() for name, tensor in layer.state_dict().items()}
    kept.keep(f"layer {count}", {**tensors, "place": place})


def _taken(kept: Checkpoint, count: int, device: torch.device) -> tuple[PatchLayer | None, int]:
    """Layer ``count`` of an interrupted growth, if it is there, and the number of its stage."""
    found = kept.get(f"layer {count}")
    if found is None:
        return None, 0
    stage, c, height, width, h, w, down, right, apart, uniform = found["place"].tolist()
    grid = PatchGrid((c, height, width), (h, w), (down, right), bool(apart))
    splines = Splines(found["x"], found["y"], found["slope"], bool(uniform))
    return PatchLayer(grid, found["directions"], splines).to(device), stage
