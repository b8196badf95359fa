"""The greedy fit of a sliced flow: one layer after the other, stopped on held-out rows.

The points are in blocks (:class:`~pushforward.transport.row_blocks.RowBlocks`), of which several
processes hold a part each; all of them make the same layers, and take the decisions of the first.
"""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ...devices import PROCESSOR, sizes_of
from ...errors import stacklevel_of_caller
from ...storage.checkpoint import Checkpoint
from ...storage.tensor_bytes import from_bytes, to_bytes
from ...transport.directions import shared_directions
from ...transport.kernel_splines import gaussianising_splines
from ...transport.numerics import normal_log_prob
from ...transport.row_blocks import Group, RowBlocks
from ...transport.sliced_flow import SlicedFlow, SliceLayer

__all__ = ["Growth", "Layering", "grow", "keep_layers", "layers_kept", "share_done"]

_SEARCHED = 2048  # rows a search works on
_MANY = 1 << 17  # rows from which on chance in a search costs more than a longer search
_SHARE = 32  # of them: a search then takes about a third of the time of a layer


@dataclass(frozen=True)
class Layering:
    """How one layer is made. ``make`` is the method of this library; others may replace it.

    Attributes:
        slices: directions a layer moves along, K.
        step: share of the way to the full Gaussianising map that a layer goes, 1 - alpha.
        tail_step: the same for the slopes of the linear tails.
        bandwidth: multiple of Scott's rule.
        knots: knots a spline.
        search_steps, search_rows: length and subsample of the search for directions; None takes
            2,048 rows, and of 2^17 rows or more a 32nd of them.
        device: where layers are made. They come back to the processor.
    """

    slices: int
    step: float = 0.2
    tail_step: float = 0.003
    bandwidth: float = 1.0
    knots: int = 64
    search_steps: int = 30
    search_rows: int | None = None
    device: torch.device = PROCESSOR

    def searched(self, n: int) -> int:
        """Rows that a search for directions of n rows looks at.

        The later a layer, the smaller the distances that are left, and the more the directions
        found in a small subsample are those of its chance.
        """
        if self.search_rows is not None:
            return self.search_rows
        return _SEARCHED if n < _MANY else n // _SHARE

    def divided(self, x: Tensor, weight: Tensor | None = None) -> RowBlocks:
        """Points (d, n) of rows with weights (n,) in the blocks that layers are made of."""
        return RowBlocks.of(x, weight, size=self.block_rows)

    @property
    def block_rows(self) -> int | None:
        """Rows of a block; None where a layer is made of all rows at once."""
        return sizes_of(self.device).layer_rows

    def make(self, points: RowBlocks, generator: torch.Generator) -> SliceLayer:
        """Fit one layer on points (d, n)."""
        directions = shared_directions(
            points,
            self.slices,
            generator,
            iterations=self.search_steps,
            rows=self.searched(points.division.n),
        )
        splines = gaussianising_splines(
            points.mapped(lambda x: directions.T @ x),
            bandwidth=self.bandwidth,
            knots=self.knots,
            damping=1 - self.step,
            tail_damping=1 - self.tail_step,
        )
        return SliceLayer(directions, splines)


@dataclass
class Growth:
    """What :func:`grow` returns.

    Attributes:
        layers: the best prefix of the layers built.
        value: its mean log density of the held-out points (of the points without any), nats.
        history: (train, held-out) mean log density after each layer built.
        reason: why it ended.
    """

    layers: list[SliceLayer]
    value: float
    history: list[tuple[float, float]] = field(default_factory=list)
    reason: str = ""


def grow(
    points: RowBlocks,
    held_out: RowBlocks | None,
    layering: Layering,
    *,
    generator: torch.Generator,
    max_layers: int,
    patience: int,
    min_gain: float = 1e-3,
    start: list[SliceLayer] | None = None,
    deadline: float = math.inf,
    on_layer: Callable[[int, float], None] | None = None,
    checkpoint: Checkpoint | None = None,
    step: str = "flow",
) -> Growth:
    """Append layers while they help points that are not fitted on.

    Args:
        points: (d, n) points, in the dtype the layers shall have, as :meth:`Layering.divided`
            divides them.
        held_out: (d, m) points that decide when to stop; None builds ``max_layers``.
        layering: how a layer is made.
        generator: source of randomness.
        max_layers: most layers to add to ``start``.
        patience: layers that have to add ``min_gain`` to the held-out value between them.
        min_gain: nats a row; smaller gains cost more to evaluate for ever than they are worth.
        start: layers to continue from.
        deadline: ``time.monotonic()`` after which no layer is begun, in process 0.
        on_layer: called with the number of layers and the held-out value after each.
        checkpoint, step: where the layers are kept, and the name of this growth there.

    A layer that makes a point non-finite is dropped, with a warning, and ends the growth.
    """
    moved = _Points([p.to(layering.device) for p in (points, held_out) if p is not None])
    group = points.division.group
    layers = [layer.to(layering.device) for layer in start or []]
    value = moved.value()
    for layer in layers:
        _, value = moved.through(layer)
    growth = Growth(list(layers), value)
    growth.reason = f"built all {max_layers} layers"
    anchor, anchored = value, len(layers)
    checkpoint = checkpoint or Checkpoint()
    kept = layers_kept(checkpoint, step, generator, group)
    made = [layer.to(layering.device) for layer in kept]
    for index in range(max_layers):
        if index < len(made):
            layer = made[index]
        elif _over(deadline, group):
            growth.reason = "out of time"
            break
        else:
            layer = layering.make(moved.points, generator)
        train, value = moved.through(layer)
        if not math.isfinite(train + value):
            warnings.warn(
                f"layer {len(layers) + 1} made a point non-finite (train {train}, held out "
                f"{value}); it was dropped and the flow ends before it",
                RuntimeWarning,
                stacklevel=stacklevel_of_caller(),
            )
            growth.reason = "a layer gave a non-finite value"
            break
        layers.append(layer)
        growth.history.append((train, value))
        if checkpoint.due and index >= len(made):
            keep_layers(checkpoint, step, layers[-index - 1 :], generator)
        if value > growth.value or held_out is None:
            growth.layers, growth.value = list(layers), value
        if on_layer is not None:
            on_layer(index + 1, value)
        if value > anchor + min_gain:
            anchor, anchored = value, len(layers)
        if held_out is not None and len(layers) - anchored >= patience:
            growth.reason = f"no gain in {patience} layers"
            break
    if len(growth.history) > len(made):
        keep_layers(checkpoint, step, layers[-len(growth.history) :], generator)
    return replace(growth, layers=[layer.to(PROCESSOR) for layer in growth.layers])


class _Points:
    """Points behind the layers so far, and any held-out points beside them.

    Args:
        both: the points, and the held-out ones where there are any. Their blocks are replaced.
    """

    def __init__(self, both: Sequence[RowBlocks]) -> None:
        self.points = both[0]
        self._both, self._log_det = both, [0.0 for _ in both]

    def value(self) -> float:
        """Mean log density by N(0, I) alone, held out where any are."""
        watched = self._both[-1]
        sums = [watched.sums(i, normal_log_prob(x, 0)) for i, x in enumerate(watched.blocks)]
        return watched.means(sums, 1)[0]

    def through(self, layer: SliceLayer) -> tuple[float, float]:
        """Go through a layer; mean log density by all of them, of the points and held out."""
        values = []
        for which, points in enumerate(self._both):
            sums = []
            for i in range(len(points.blocks)):
                points.blocks[i], change = layer.forward(points.blocks[i])
                sums.append(points.sums(i, change, normal_log_prob(points.blocks[i], 0)))
            change, value = points.means(sums, 2)
            self._log_det[which] += change
            values.append(value + self._log_det[which])
        return values[0], values[-1]


def _over(deadline: float, group: Group | None) -> bool:
    """Whether a time has come, for process 0 where several go by it."""
    over = time.monotonic() > deadline
    if group is None or math.isinf(deadline):
        return over
    return bool(group.stacked(torch.tensor([over]))[0])


def layers_kept(
    checkpoint: Checkpoint, step: str, generator: torch.Generator, group: Group | None = None
) -> list[SliceLayer]:
    """The layers an interrupted growth has made; the generator goes to where it was then.

    Args:
        checkpoint, step: as of :func:`grow`.
        generator: of the growth.
        group: processes that take those of the first; None where each has its own.
    """
    kept = checkpoint.get(step)
    if group is not None:
        kept = from_bytes(group.gather(to_bytes(kept or {}) if group.rank == 0 else b"")[0])
    if not kept:
        return []
    generator.set_state(kept["generator"])
    flow = SlicedFlow(**{name: t for name, t in kept.items() if name != "generator"})
    return [SliceLayer(a.directions.clone(), a.splines.clone()) for a in flow.single(0)]


def keep_layers(
    checkpoint: Checkpoint, step: str, layers: list[SliceLayer], generator: torch.Generator
) -> None:
    """Keep the layers a growth has made so far, and where its generator is."""
    flow = SlicedFlow.stack([layers]).cpu().state_dict()
    checkpoint.keep(step, {**flow, "generator": generator.get_state()})


def share_done(values: list[float], most: int, patience: int, min_gain: float = 1e-3) -> float:
    """About which share of a growth is done, for showing progress.

    Gains of layers fall about exponentially. The rate is read off the last half and the quarter
    before it; growth will end where ``patience`` layers gain ``min_gain``.

    Args:
        values: held-out value after each layer so far, nats.
        most: layers at which growth ends in any case.
        patience, min_gain: as in :func:`grow`.

    Examples:
        >>> values = [-20 * 0.9**layer for layer in range(40)]  # will end at layer 82
        >>> round(share_done(values, 1000, patience=8), 1)
        0.4
    """
    count = len(values)
    if count < 8:
        return min(0.01 * count, count / most)
    half, quarter = count // 2, count // 4
    least = min_gain / patience
    before = (values[half] - values[quarter]) / (half - quarter)
    now = max((values[-1] - values[half]) / (count - 1 - half), least)
    fall = math.log(min(max(before / now, 1.5), 100.0)) / (0.375 * count)
    end = 0.75 * count + math.log(now / least) / fall
    return min(0.99, count / min(max(end, count), most))
