"""GIS: a density from slices, without gradient training (Dai & Seljak 2021)."""

import math
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import TransformerMixin
from torch import Tensor

from ...deprecation import renamed
from ...devices import on_host
from ...errors import DataError
from ...estimators.capabilities import LatentSpace
from ...estimators.prior import Prior
from ...estimators.table_density import Report, TableDensity
from ...storage.checkpoint import Checkpoint, Folder
from ...transport import Component, Rows, SlicedDensity
from ...transport.mixture import GaussianMixture
from ...transport.row_blocks import Division, Group, RowBlocks
from ...validation import (
    COUNT,
    FLAG,
    MINUTES,
    POSITIVE,
    SHARE,
    Device,
    Integer,
    Number,
    OneOf,
    Rule,
)
from .latent_spread import matched_spread, rows_to_match
from .layer_growth import Growth, Layering, grow, share_done
from .published_layer import PublishedLayering

__all__ = ["GIS"]

_FEW_VALUES = 10


class GIS(TransformerMixin, TableDensity):
    """Gaussianizing Iterative Slicing: one flow from the data to N(0, I), grown layer by layer.

    Each layer finds the K directions along which the data differ most from a normal
    distribution (max K-sliced Wasserstein distance) and moves the data a step along them by
    optimal transport in one dimension. Rows held out say when to stop. The latents are then given
    the spread with which samples are as wide as the rows, as far as held-out rows allow it.
    Density, samples and latents are exact.

    Under ``torchrun`` the processes divide the rows of :func:`pushforward.open_data` or
    :func:`pushforward.data.draw_rows` among them and grow the same layers as one process does, bit
    for bit on machines of one kind.

    Args:
        max_layers: most layers; reached only where held-out rows keep improving.
        slices: directions a layer, K, at most d; None takes 4 up to 5,000 rows, else 8.
        step: share of the way to the full Gaussianising map that a layer goes, in (0, 1];
            ``1 - alpha`` of the paper's eq. 13. Smaller steps fit better and longer; None takes
            0.1 up to 2,000 rows, then more with the root of their number up to 0.3.
        tail_step: the same for the linear tails beyond the outer knots.
        bandwidth: of the kernel estimates, as a multiple of Scott's rule.
        knots: knots a spline.
        search_steps, search_rows: gradient steps of a search for directions, and the rows
            drawn afresh for each; None takes 2,048, and of 2^17 rows or more a 32nd of them.
        whiten: begin from uncorrelated coordinates.
        margins: begin with a marginal layer, which models skewed and heavy-tailed columns and
            point masses; None does so where a column has point masses, or most have few values.
        validation_fraction: share of the rows held out to stop on; 0 builds ``max_layers``.
        patience: layers without a thousandth of a nat gained on held-out rows before stopping.
        minutes: time budget; the best prefix so far is kept.
        precision: "float32" (fast) or "float64" of the flow.
        warm_start: a further ``fit`` continues from the layers that are there.
        faithful: the published algorithm and its settings instead of ours, for comparison;
            overrules ``slices`` to ``patience`` but for the options on data.
        device: where layers are made and rows go through them: "cpu", "cuda", or "auto" for a GPU
            where there is one. None takes the processor, which is faster for tables that are not
            large; faithful=True takes it always.
        columns: kinds of columns by name or position, where they shall not be recognised:
            "continuous", "mixed", "integer", "grid", "discrete", "date", "category", "boolean",
            "identifier", "text", or "drop" to leave a column out, of samples too.
        bounds: (low, high) by column, either may be None: no density lies outside. (None, None):
            samples need not keep to the bounds that the rows show.
        constraints: what rows keep to, samples too: "start <= end", "a + b == total",
            "city -> country"; rows that break one are refused.
        missing: "error"; "drop" to leave out rows with missing cells; "auto" and "model" as of
            :class:`~pushforward.AutoDensity`.
        contamination: None; a share of outliers in the training rows, or "auto": the fit
            then leaves out the rows that fit worst and starts anew. 0 says that there are none:
            ``predict`` then looks at rows in more ways than their density (novelty detection).
        false_alarm_rate: share of normal new rows that ``predict`` may call outliers.
        random_state: seed, RandomState, or None for numpy's global one.
        verbose: print progress to stderr.

    Attributes:
        density_: the :class:`~pushforward.transport.SlicedDensity` of the coordinates.
        columns_: what the columns are.
        kept_: share of draws that keep to the constraints which are kept by leaving draws out.
        missingness_: where samples have holes; None where the fit had none.
        n_layers_: layers kept.
        history_: (train, held-out) mean log density after each layer, before the spread, nats.
        stopped_: why growth ended.
        offset_: threshold of ``predict``.
        n_features_in_, feature_names_in_: as scikit-learn's.

    Examples:
        >>> import pushforward
        >>> from sklearn.datasets import load_iris
        >>> X = load_iris().data
        >>> model = pushforward.GIS(random_state=0).fit(X)
        >>> model.sample(3, random_state=0).shape
        (3, 4)
        >>> z = model.transform(X)
        >>> bool(abs(model.inverse_transform(z) - X).max() < 1e-3)
        True
    """

    _cites: ClassVar[tuple[str, ...]] = ("dai2021sliced", "durkan2019neural")
    _rules: ClassVar[Mapping[str, Rule]] = {
        "device": Device() | None,
        "max_layers": Integer(0),
        "slices": COUNT | None,
        "step": Number(0, 1, ends="]") | None,
        "tail_step": Number(0, 1, ends="]"),
        "bandwidth": POSITIVE,
        "knots": Integer(4),
        "search_steps": COUNT,
        "search_rows": Integer(2) | None,
        "whiten": FLAG,
        "margins": FLAG | None,
        "validation_fraction": SHARE,
        "patience": COUNT,
        "minutes": MINUTES,
        "precision": OneOf("float32", "float64"),
        "warm_start": FLAG,
        "faithful": FLAG,
    }

    density_: SlicedDensity

    def __init__(
        self,
        *,
        max_layers: int = 1000,
        slices: int | None = None,
        step: float | None = None,
        tail_step: float = 0.003,
        bandwidth: float = 1.0,
        knots: int = 64,
        search_steps: int = 30,
        search_rows: int | None = None,
        whiten: bool = False,
        margins: bool | None = None,
        validation_fraction: float = 0.15,
        patience: int = 8,
        minutes: float | None = None,
        precision: str = "float32",
        warm_start: bool = False,
        faithful: bool = False,
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
        self.max_layers = max_layers
        self.slices = slices
        self.step = step
        self.tail_step = tail_step
        self.bandwidth = bandwidth
        self.knots = knots
        self.search_steps = search_steps
        self.search_rows = search_rows
        self.whiten = whiten
        self.margins = margins
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.minutes = minutes
        self.precision = precision
        self.warm_start = warm_start
        self.faithful = faithful
        self.device = device
        self.columns = columns
        self.bounds = bounds
        self.constraints = constraints
        self.missing = missing
        self.contamination = contamination
        self.false_alarm_rate = false_alarm_rate
        self.random_state = random_state
        self.verbose = verbose

    @renamed(checkpoint="folder")
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        validation: Any = None,
        report: Report | None = None,
        folder: Folder | Checkpoint | None = None,
    ) -> Self:
        """Learn the density of the rows; see :meth:`TableDensity.fit`.

        Args:
            X, y, sample_weight, report, folder: as there.
            validation: rows to stop on, instead of a share of X.
        """
        return self._fit(X, sample_weight, report, folder, validation=validation)

    def transform(self, X: Any) -> np.ndarray:
        """Latents of the rows: (n, p) -> (n, D) float64, close to N(0, I).

        D is the number of columns that are not constant. Discrete columns are dequantised
        by noise that depends on nothing but the row.
        """
        self._check_fitted()
        with torch.no_grad():
            z, _ = self.columns_.encode(X)
            which = torch.zeros(len(z), dtype=torch.long)
            return self.density_.to_latent(z, which).numpy()

    def inverse_transform(self, Z: Any) -> Any:
        """Rows of given latents, in the container of ``fit``: (n, D) -> (n, p)."""
        self._check_fitted()
        z = torch.from_numpy(np.array(on_host(Z), dtype=np.float64))  # a copy: Z may be read-only
        if z.ndim != 2 or z.shape[1] != self.columns_.n_coordinates:
            raise DataError(
                f"Z has shape {tuple(z.shape)}. Expected (n, {self.columns_.n_coordinates})."
            )
        with torch.no_grad():
            which = torch.zeros(len(z), dtype=torch.long)
            return self.columns_.decode(self.density_.from_latent(z, which), exact=True)

    encode = transform
    decode = inverse_transform

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the latents: gis0, gis1, ..."""
        self._check_fitted()
        count = self.columns_.n_coordinates
        return np.asarray([f"gis{i}" for i in range(count)], dtype=object)

    def interpolate(self, a: Any, b: Any, steps: int = 9) -> list[Any]:
        """Rows on the way from ``a`` to ``b``, straight in latent space.

        Args:
            a, b: tables of the same number of rows.
            steps: points on the way, both ends among them.

        Returns:
            A list of ``steps`` tables, of each step the n rows in the form of ``fit``, as all
            models have it.
        """
        start, end = self.transform(a), self.transform(b)
        return [self.decode((1 - t) * start + t * end) for t in np.linspace(0, 1, steps)]

    def _learn_columns(self, X: Any, sample_weight: Any) -> Any:
        before = self.columns_ if self.warm_start and self.__sklearn_is_fitted__() else None
        learned = super()._learn_columns(X, sample_weight)
        if before is not None:
            self._set_columns(before)  # the layers that are kept know these coordinates
        return learned

    def _fit_density(
        self,
        rows: Rows,
        seed: int,
        report: Report,
        checkpoint: Checkpoint,
        validation: Any = None,
    ) -> tuple[Tensor, Rows]:
        n, d = rows.x.shape
        started = time.monotonic() - checkpoint.seconds
        more = self.warm_start and self.__sklearn_is_fitted__()
        self._seed = seed = self._seed if more else seed
        train, held_out = self._divided(rows, validation, seed)
        if more:
            margins, component = self.density_.margins, self.density_.components()[0]
        else:
            margins = train.fit_margins() if self._begins_with_margins(rows) else None
            component = self._start(train.through(margins))
        judges = None if held_out is None else held_out.through(margins)
        scored = train if held_out is None else held_out
        inner = train.through(margins)
        layering = self._layering(n, max(1, d))
        points = self._points(inner, component, layering, self._processes())
        # where each process makes its own layers, it has a model of its own to score by
        group = points.division.group
        matched = rows_to_match(inner, seed)
        del train, inner  # of many rows: growth needs the memory for its points
        self.history_: list[tuple[float, float]] = list(self.history_) if more else []
        self.stopped_ = "nothing to do: no column varies"
        layers, new, value = list(component.layers), [], 0.0
        if d > 0 and held_out is None and self.validation_fraction > 0:
            self.stopped_ = f"{n} rows are too few to hold any out: no layers"
        elif d > 0 and n > 1:
            deadline = math.inf if self.minutes is None else started + 60 * self.minutes
            held = None if judges is None else self._points(judges, component, layering, group)
            growth = self._grown(points, held, component, layering, deadline, report, checkpoint)
            self.stopped_, new = growth.reason, growth.history
            layers, value = growth.layers, growth.value
        report(self.stopped_, 1.0)
        self.n_layers_ = len(layers)
        self._n_features_out = d
        whole = Component(0.0, component.mean, component.factor, layers)
        self.density_ = SlicedDensity.assemble([whole], margins)
        scores = self._scores(scored, layering, group)
        # growth counts in its own coordinates; the shift carries its figures to the table's units
        shift = scored.mean(scores) - value
        if judges is not None and not self.faithful:
            division = Division(len(judges), size=layering.block_rows, group=group)
            flow = self.density_.behind_margins()
            spread = matched_spread(flow, matched, judges, seed, division)
            self.density_ = self.density_.with_spread(spread)
            scores = self._scores(scored, layering, group)
        self.history_ = [*self.history_, *((a + shift, b + shift) for a, b in new)]
        return scores, scored

    def _grown(
        self,
        points: RowBlocks,
        held_out: RowBlocks | None,
        component: Component,
        layering: Layering,
        deadline: float,
        report: Report,
        checkpoint: Checkpoint,
    ) -> Growth:
        """Layers on top of those of the component, of rows behind the marginal layer."""
        patience = 5 if self.faithful else self.patience
        values: list[float] = []
        shown = 0.0

        def on_layer(count: int, value: float) -> None:
            nonlocal shown
            values.append(value)
            share = count / self.max_layers
            if held_out is not None:
                share = share_done(values, self.max_layers, patience)
            shown = max(shown, min(0.99, share))
            made = len(component.layers) + count
            report(f"layer {made}: {value:.3f} nats a row (standardised)", shown)

        return grow(
            points,
            held_out,
            layering,
            generator=torch.Generator().manual_seed(self._seed + len(self.history_)),
            max_layers=self.max_layers,
            patience=patience,
            min_gain=0.0 if self.faithful else 1e-3,
            start=list(component.layers),
            deadline=deadline,
            on_layer=on_layer,
            checkpoint=checkpoint,
        )

    def _begins_with_margins(self, rows: Rows) -> bool:
        if rows.x.shape[1] == 0:
            return False
        if self.margins is None:
            # to layers a value that many rows share is a step: they reach it bit by bit, and
            # where most columns have few values samples come out with other shares of them
            few = rows.values() <= _FEW_VALUES
            atoms = any(len(cells) for cells in rows.atoms)
            return not self.faithful and (atoms or 2 * int(few.sum()) > len(few))
        return self.margins

    def _start(self, rows: Rows) -> Component:
        """Mean and factor of the first linear layer."""
        d = rows.x.shape[1]
        if self.whiten and not self.faithful and d > 0 and len(rows) > 1:
            # with few rows a covariance is mostly chance: half of it is pulled to the diagonal
            pull = 0.5 if len(rows) < 2 * d else 0.0
            mixture = GaussianMixture.fit(rows.x, 1, diagonal=pull, weight=rows.weight)
            return Component(0.0, mixture.mean[0], mixture.factor[0], [])
        return Component(0.0, torch.zeros(d).double(), torch.eye(d).double(), [])

    def _scores(self, rows: Rows, layering: Layering, group: Group | None) -> Tensor:
        """Log densities of rows (n,), of which each process computes a part."""
        division = Division(len(rows), size=layering.block_rows, group=group)
        return rows.log_det + division.joined(lambda place: self.density_.log_prob(rows.x[place]))

    def _points(
        self, rows: Rows, component: Component, layering: Layering, group: Group | None
    ) -> RowBlocks:
        """Coordinates behind the first linear layer, of which each process holds a part.

        They have the precision of the flow. A layer of all rows at once is made by each process.
        """
        dtype = torch.float32 if self.precision == "float32" else torch.float64
        whiten = torch.linalg.inv(component.factor)
        return RowBlocks.made(
            lambda place: (whiten @ (rows.x[place] - component.mean).T).to(dtype),
            Division(len(rows), rows.weight, size=layering.block_rows, group=group),
        )

    def _layering(self, n: int, d: int) -> Layering:
        if self.faithful:
            return PublishedLayering.of(n, d)
        return Layering(
            slices=min(d, self.slices or (4 if n <= 5000 else 8)),
            step=self.step or min(0.3, max(0.1, 0.1 * math.sqrt(n / 2000))),
            tail_step=self.tail_step,
            bandwidth=self.bandwidth,
            knots=self.knots,
            search_steps=self.search_steps,
            search_rows=self.search_rows,
            device=self._layer_device(),
        )

    def _abilities(self) -> dict[str, Any]:
        def one(x: Tensor) -> Tensor:
            return torch.zeros(len(x), dtype=torch.long)  # the flow is one component

        latents, d = None, self.columns_.n_coordinates
        if d:
            latents = LatentSpace(
                Prior.normal(d),
                lambda z: self.density_.from_latent(z.double(), one(z)),
                lambda x: self.density_.to_latent(x.double(), one(x)),
                invertible=True,
            )
        return {
            **super()._abilities(),
            "latent_space": latents,
            "resumable": True,
            "history": self.history_,
            "stopped": self.stopped_,
            "n_layers": self.n_layers_,
        }

    def _state(self) -> dict[str, Any]:
        return {
            **super()._state(),
            "layers": self.n_layers_,
            "history": [list(pair) for pair in self.history_],
            "stopped": self.stopped_,
            "seed": self._seed,
        }

    def _restore_density(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> SlicedDensity:
        return SlicedDensity.from_state(tensors)

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        super()._restore(state, tensors)
        self.n_layers_ = int(state["layers"])
        self.history_ = [(float(a), float(b)) for a, b in state["history"]]
        self.stopped_ = str(state["stopped"])
        self._seed = int(state["seed"])
        self._n_features_out = self.columns_.n_coordinates
