"""The greedy fit of a sliced flow: one layer after the other, stopped on held-out rows."""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ...devices import PROCESSOR
from ...errors import stacklevel_of_caller
from ...storage.checkpoint import Checkpoint
from ...transport.directions import max_sliced_directions
from ...transport.kernel_splines import gaussianising_splines
from ...transport.numerics import normal_log_prob, weighted_mean
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

    def make(self, x: Tensor, weight: Tensor | None, generator: torch.Generator) -> SliceLayer:
        """Fit one layer on points (d, n)."""
        directions = max_sliced_directions(
            x,
            self.slices,
            generator,
            iterations=self.search_steps,
            rows=self.searched(x.shape[1]),
            weight=weight,
        )
        splines = gaussianising_splines(
            directions.T @ x,
            weight=weight,
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
    x: Tensor,
    held_out: Tensor | None,
    layering: Layering,
    *,
    generator: torch.Generator,
    max_layers: int,
    patience: int,
    min_gain: float = 1e-3,
    weight: Tensor | None = None,
    held_out_weight: Tensor | None = None,
    start: list[SliceLayer] | None = None,
    deadline: float = math.inf,
    on_layer: Callable[[int, float], None] | None = None,
    checkpoint: Checkpoint | None = None,
    step: str = "flow",
) -> Growth:
    """Append layers while they help points that are not fitted on.

    Args:
        x: (d, n) points, in the dtype the layers shall have.
        held_out: (d, m) points that decide when to stop; None builds ``max_layers``.
        layering: how a layer is made.
        generator: source of randomness.
        max_layers: most layers to add to ``start``.
        patience: layers that have to add ``min_gain`` to the held-out value between them.
        min_gain: nats a row; smaller gains cost more to evaluate for ever than they are worth.
        weight, held_out_weight: row weights.
        start: layers to continue from.
        deadline: ``time.monotonic()`` after which no layer is begun.
        on_layer: called with the number of layers and the held-out value after each.
        checkpoint, step: where the layers are kept, and the name of this growth there.

    A layer that makes a point non-finite is dropped, with a warning, and ends the growth.
    """
    x, held_out = x.to(layering.device), _on(layering, held_out)
    weight, held_out_weight = _on(layering, weight), _on(layering, held_out_weight)
    layers = [layer.to(layering.device) for layer in start or []]
    log_det, held_log_det = 0.0, 0.0
    for layer in layers:
        x, change = layer.forward(x)
        log_det = log_det + weighted_mean(change, weight)
        if held_out is not None:
            held_out, held_change = layer.forward(held_out)
            held_log_det = held_log_det + weighted_mean(held_change, held_out_weight)
    watched, watched_weight = (x, weight) if held_out is None else (held_out, held_out_weight)
    value = weighted_mean(normal_log_prob(watched, 0), watched_weight)
    value += log_det if held_out is None else held_log_det
    growth = Growth(list(layers), value)
    growth.reason = f"built all {max_layers} layers"
    anchor, anchored = value, len(layers)
    checkpoint = checkpoint or Checkpoint()
    made = [layer.to(x.device) for layer in layers_kept(checkpoint, step, generator)]
    for index in range(max_layers):
        if index < len(made):
            layer = made[index]
        elif time.monotonic() > deadline:
            growth.reason = "out of time"
            break
        else:
            layer = layering.make(x, weight, generator)
        x, change = layer.forward(x)
        log_det += weighted_mean(change, weight)
        train = weighted_mean(normal_log_prob(x, 0), weight) + log_det
        value = train
        if held_out is not None:
            held_out, held_change = layer.forward(held_out)
            held_log_det += weighted_mean(held_change, held_out_weight)
            value = weighted_mean(normal_log_prob(held_out, 0), held_out_weight) + held_log_det
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


def _on(layering: Layering, values: Tensor | None) -> Tensor | None:
    return None if values is None else values.to(layering.device)


def layers_kept(checkpoint: Checkpoint, step: str, generator: torch.Generator) -> list[SliceLayer]:
    """The layers an interrupted growth has made; the generator goes to where it was then."""
    kept = checkpoint.get(step)
    if kept is None:
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
