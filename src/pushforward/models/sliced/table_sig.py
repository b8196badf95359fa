"""SIG of tables: samples moved to the rows, layer by layer."""

import math
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ...estimators.table_density import Report, TableDensity
from ...storage.checkpoint import Checkpoint, Folder
from ...transport import Component, Rows, SlicedDensity, SliceLayer
from ...transport.optimal_transport import matching_directions, matching_splines
from ...validation import COUNT, MINUTES, SHARE, Device, Integer, Number, Rule
from .layer_growth import keep_layers, layers_kept

__all__ = ["TableSIG"]

_FEWEST_SAMPLES = 4096  # that are moved, however few rows there are
_LEAST = {"layers": 0, "slices": 1, "knots": 4, "search_rows": 2, "search_steps": 1}


class TableSIG(TableDensity):
    """Sliced Iterative Generator of rows: a normal sample moved to the data, layer by layer.

    What :class:`~pushforward.SIG` does with images: each layer finds the directions along which
    samples differ most from the rows, and moves the samples along them by optimal transport in one
    dimension; every layer is invertible, so the density is exact. Columns are first made normal
    one by one. Layers are added for the samples' sake, not the density's, which falls behind that
    of :class:`~pushforward.GIS`.

    Args:
        layers: how many, where time allows.
        slices: directions a layer, K, at most d; None takes 8.
        knots: knots a spline.
        step: share of the way to the rows that a layer goes, in (0, 1].
        search_rows, search_steps: rows a search for directions looks at, drawn afresh for each
            layer, and its gradient steps.
        minutes: time budget, or None.
        validation_fraction: share of the rows held out to make the threshold of ``predict`` from.
        device: where layers are made and rows go through them: "cpu", "cuda", or "auto" for a GPU
            where there is one. None takes the processor, which is faster for tables that are not
            large.
        columns, bounds, constraints, missing, contamination, false_alarm_rate, random_state,
            verbose: as of :class:`~pushforward.GIS`.

    Attributes:
        density_, columns_, offset_, n_features_in_, feature_names_in_: as of
            :class:`~pushforward.GIS`.
        n_layers_: layers that were made.

    Source: Dai & Seljak, *Sliced Iterative Normalizing Flows*, ICML 2021, algorithm 1.

    Examples:
        >>> import pushforward
        >>> from sklearn.datasets import load_iris
        >>> model = pushforward.TableSIG(layers=10, random_state=0).fit(load_iris().data)
        >>> model.sample(3, random_state=0).shape
        (3, 4)
    """

    _cites: ClassVar[tuple[str, ...]] = ("dai2021sliced", "durkan2019neural")
    _rules: ClassVar[Mapping[str, Rule]] = {
        "device": Device() | None,
        "layers": Integer(0),
        "slices": COUNT | None,
        "knots": Integer(4),
        "step": Number(0, 1, ends="]"),
        "search_rows": Integer(2),
        "search_steps": COUNT,
        "minutes": MINUTES,
        "validation_fraction": SHARE,
    }

    density_: SlicedDensity

    def __init__(
        self,
        *,
        layers: int = 100,
        slices: int | None = None,
        knots: int = 64,
        step: float = 0.25,
        search_rows: int = 2048,
        search_steps: int = 20,
        minutes: float | None = None,
        validation_fraction: float = 0.1,
        device: str | None = None,
        columns: dict | None = None,
        bounds: dict | None = None,
        constraints: list[str] | None = None,
        missing: str = "error",
        contamination: float | str | None = None,
        false_alarm_rate: float = 0.05,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.layers = layers
        self.slices = slices
        self.knots = knots
        self.step = step
        self.search_rows = search_rows
        self.search_steps = search_steps
        self.minutes = minutes
        self.validation_fraction = validation_fraction
        self.device = device
        self.columns = columns
        self.bounds = bounds
        self.constraints = constraints
        self.missing = missing
        self.contamination = contamination
        self.false_alarm_rate = false_alarm_rate
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        validation: Any = None,
        folder: Folder | Checkpoint | None = None,
        report: Report | None = None,
    ) -> Self:
        """Learn to draw rows like these; see :meth:`TableDensity.fit`.

        Args:
            X, y, sample_weight, folder, report: as there.
            validation: rows to make the threshold of ``predict`` from, instead of a share of X.
        """
        return self._fit(X, sample_weight, report, folder, validation=validation)

    def _fit_density(
        self,
        rows: Rows,
        seed: int,
        report: Report,
        checkpoint: Checkpoint,
        validation: Any = None,
    ) -> tuple[Tensor, Rows]:
        d = rows.x.shape[1]
        end = math.inf
        if self.minutes is not None:
            end = time.monotonic() - checkpoint.seconds + 60 * self.minutes
        train, held_out = self._divided(rows, validation, seed)
        margins = train.fit_margins() if d > 0 else None
        generator = torch.Generator().manual_seed(seed)
        inner = train.through(margins)
        device = self._layer_device()
        data = inner.evenly().x.T.float().contiguous().to(device)
        samples = torch.randn(d, max(_FEWEST_SAMPLES, data.shape[1]), generator=generator)
        samples = samples.to(device)
        layers: list[SliceLayer] = []  # in the order they are made in
        kept = [layer.to(device) for layer in layers_kept(checkpoint, "flow", generator)]
        most = self.layers if d > 0 and len(train) > 1 else 0
        while len(layers) < most:
            known = len(layers) < len(kept)
            if not known and time.monotonic() >= end:
                break
            layer = kept[len(layers)] if known else self._layer(data, samples, generator)
            samples = layer.solve(samples)
            layers.append(layer)
            if not known and checkpoint.due:
                keep_layers(checkpoint, "flow", layers, generator)
            report(f"layer {len(layers)}", len(layers) / most)
        if len(layers) > len(kept):
            keep_layers(checkpoint, "flow", layers, generator)
        self.n_layers_ = len(layers)
        eye = torch.eye(d, dtype=torch.float64)
        layers = [layer.to(eye.device) for layer in layers[::-1]]
        whole = Component(0.0, eye.new_zeros(d), eye, layers)
        ends = inner.fit_ends() if layers else None
        self.density_ = SlicedDensity.assemble([whole], margins, ends)
        judged = rows if held_out is None else held_out
        return self.density_.log_prob(judged.x) + judged.log_det, judged

    def _layer(self, data: Tensor, samples: Tensor, generator: torch.Generator) -> SliceLayer:
        """The layer whose forward map carries rows (d, n) a step towards samples (d, m)."""
        few = min(self.search_rows, data.shape[1], samples.shape[1])
        x, target = (
            points[None, :, torch.randperm(points.shape[1], generator=generator)[:few]]
            for points in (data, samples)
        )
        slices = min(self.slices or 8, len(data))
        (a,) = matching_directions(x, target, slices, generator, steps=self.search_steps)
        return SliceLayer(a, matching_splines(a.T @ data, a.T @ samples, self.knots, self.step))

    def _abilities(self) -> dict[str, Any]:
        return {**super()._abilities(), "n_layers": self.n_layers_}

    def _restore_density(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> SlicedDensity:
        return SlicedDensity.from_state(tensors)

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        super()._restore(state, tensors)
        self.n_layers_ = 0 if self.density_.flow is None else int(self.density_.flow.depths[0])
