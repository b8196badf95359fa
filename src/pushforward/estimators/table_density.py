"""The base class of densities of tables: everything but how the density is fitted."""

import dataclasses
import json
import math
import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, DensityMixin, OutlierMixin
from torch import Tensor, nn

from ..data import Columns, DrawnRows, Learned, Table
from ..data.checks import MISSING
from ..data.tables.drawn_rows import held
from ..data.tables.row_counts import canonical_order, counted
from ..deprecation import current_words, old_words
from ..devices import find_device
from ..errors import DataError, ModelFileError
from ..storage import strict_json
from ..storage.checkpoint import Checkpoint, Folder
from ..storage.tensor_bytes import from_bytes, to_bytes
from ..training.processes import Processes
from ..training.threads import threads_for
from ..transport import Novelty, Rows, SlicedDensity, TrimmedPair, density_from_state
from ..transport.numerics import weighted_mean
from ..validation import COUNT, FLAG, Instance, Number, OneOf, Rule, Seed, Verbosity, check
from .base import Model, packed
from .conditionals import Conditionals
from .fit_rows import FitRows, Report
from .kept_constraints import FEWEST_KEPT, KeptConstraints
from .missing_cells import (
    completions,
    decision_of_known,
    log_prob_of_completion,
    log_prob_of_known,
)  # fmt: skip
from .missingness import Missingness
from .outlier_scores import OutlierScores
from .parameters import drawn_seed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Report", "TableDensity"]


class TableDensity(
    DensityMixin,
    OutlierMixin,
    BaseEstimator,
    Model,
    FitRows,
    OutlierScores,
    KeptConstraints,
    Conditionals,
):
    """An exact density of the rows of a table: scores, samples, finds outliers, explains.

    Subclasses say how the density of the coordinates is fitted (:meth:`_fit_density`); this
    class knows the rest of the contract: columns in, columns out, log densities in nats in
    the units of the table, thresholds, explanations, saving.
    """

    _completions: ClassVar[int] = 1  # draws of missing cells that a fit makes use of
    _rules: ClassVar[Mapping[str, Rule]] = {
        "columns": Instance(Mapping, description="kinds by column") | None,
        "bounds": Instance(Mapping, description="(low, high) by column") | None,
        "constraints": Instance(list, tuple, description="a list of texts") | None,
        "missing": OneOf(*MISSING),
        "contamination": Number(0, 0.5, ends="[]") | OneOf("auto") | None,
        "false_alarm_rate": Number(0, 1),
        "random_state": Seed(),
        "verbose": Verbosity(),
    }

    held_out_: float
    missingness_: Missingness | None

    device: str | None = None  # a parameter of models that can
    random_state: Any

    def set_params(self, **params: Any) -> Self:
        """Change arguments of the constructor, also ``name__of_theirs``."""
        return super().set_params(**current_words("set_params", params, old_words(type(self))))

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        folder: Folder | Checkpoint | None = None,
        report: Report | None = None,
    ) -> Self:
        """Learn the density of the rows.

        Args:
            X: table of shape (n, p): DataFrame (pandas, polars), array, tensor or rows; or a table
                that :func:`pushforward.open_data` opened, which may be larger than memory. Of more
                than 2^20 rows or 2^24 cells, wherever they are, the fit holds a sample
                (:func:`pushforward.data.draw_rows`), as ``drawn_from_`` says; to fit all, give
                ``draw_rows(X, len(X))``.
            y: ignored; for scikit-learn's pipelines.
            sample_weight: (n,) weights, a row of weight two counting as two rows.
            folder: for the work done so far. A fit that was killed and is repeated with the same
                data and parameters goes on from there, to the same result; the folder is removed
                when the fit is done.
            report: called with (what is being done, share done) as the fit goes on.

        Returns:
            The fitted model itself.

        Raises:
            DataError: for data that cannot be used; the text names columns and rows.
            ParameterError: for a parameter out of its range.
        """
        return self._fit(X, sample_weight, report, folder)

    def _fit(
        self,
        X: Any,
        sample_weight: Any,
        report: Report | None,
        folder: Folder | Checkpoint | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> Self:
        """Every ``fit``; the options go to :meth:`_fit_density`, a seed that is None is drawn."""
        began = time.monotonic()
        self._check_parameters()
        report = report or (_print_report if self.verbose else _silent)
        group, X = None, held(X)
        self.drawn_from_ = None
        if isinstance(X, (Table, DrawnRows)):  # which several processes may have read together
            group = Processes()
            X, sample_weight = self._drawn(X, sample_weight, group, report)
        learned = self._in_one_order(self._learn_columns(X, sample_weight))
        seed = drawn_seed(self.random_state) if seed is None else seed
        minutes = self.get_params(deep=False).get("minutes")
        whole, *drawn = completions(learned, self._completions, minutes=minutes)
        X, weight = counted(whole, learned.sample_weight)
        if isinstance(folder, Checkpoint):
            checkpoint = folder
        else:
            checkpoint = Checkpoint(folder, writes=group is None or group.first)
        if folder is not None:
            identity = self._identity(X, weight, options.get("validation"))
            seed = checkpoint.open(identity, seed, asked=self.random_state is not None)
        if group is not None:  # whose draws by chance differ
            seed = int(group.stacked(torch.tensor(seed))[0])
        self._fitted_on = self._rows_digest(*counted(learned.X, learned.sample_weight))
        (z, log_det), *others = [
            self.columns_.encode(table, draw=np.random.default_rng(seed), checked=False)
            for table in (X, *(counted(table, learned.sample_weight)[0] for table in drawn))
        ]
        gaps = self.columns_.missing(learned.X, identifiers=True).values()
        completed = (learned, whole) if any(gap.any() for gap in gaps) else None
        del X, learned, whole, drawn  # of many rows without holes: a fit needs their memory
        order = canonical_order(z)
        z, log_det = z[order], log_det[order]
        weight = None if weight is None else torch.from_numpy(weight)[order]
        with torch.no_grad(), threads_for(z.numel()):
            rows = dataclasses.replace(
                self._rows(z, weight, log_det),
                completions=tuple((x[order], own[order]) for x, own in others),
            )
            kept, normal = self._fit_detector(rows, seed)
            self._group = group
            try:
                rows = rows.take(kept) if len(kept) < len(rows) else rows
                scores, judged = self._fit_density(rows, seed, report, checkpoint, **options)
            finally:
                del self._group
            self._place_density()
            self.held_out_ = weighted_mean(scores, judged.weight)
            if normal is None:
                normal = scores - self.columns_.log_kernel_width(judged.x)
            self.offset_ = self._threshold(normal, z, log_det)
            self._count_kept()
        self.missingness_ = None
        if completed is not None:
            with threads_for(z.numel()):
                self._fit_holes(*completed, seed, began)
        if group is not None and group.count > 1:
            self._take_from_first(group)
        if checkpoint is not folder:  # a caller who made it still has to save the model
            checkpoint.discard()
        return self

    def _fit_holes(self, learned: Learned, whole: Any, seed: int, began: float) -> None:
        """Take cells that were drawn from the held-out score, and learn where holes are."""
        minutes = self.get_params(deep=False).get("minutes")
        deadline = math.inf if minutes is None else began + 60 * minutes
        left = deadline - time.monotonic()
        self.held_out_ -= log_prob_of_completion(
            self,
            learned.X,
            whole,
            min(0.1 * (time.monotonic() - began), 0.5 * left),
            within_budget=minutes is not None,
        )
        self.missingness_ = self._fit_missingness(learned, whole, seed, deadline)

    def _fit_missingness(
        self, learned: Learned, whole: Any, seed: int, deadline: float
    ) -> Missingness | None:
        """Where the rows of the fit have holes, from these and from the rows completed."""
        weight = learned.sample_weight
        with torch.no_grad():
            draw = np.random.default_rng(seed)
            z, log_det = self.columns_.encode(whole, draw=draw, checked=False)
            rows = self._rows(z, None, log_det)
            weight = None if weight is None else torch.from_numpy(weight)
            return Missingness.fit(self.columns_, learned.X, rows, seed % 2**30, weight, deadline)

    def _processes(self) -> Processes | None:
        """The processes that fit this model together; None where there is only this one."""
        return self.__dict__.get("_group")

    def _take_from_first(self, group: Processes) -> None:
        """Become the model of process 0, whatever the clocks and processors of the others did."""
        config, tensors = packed(self)
        mine = json.dumps(strict_json.plain(config, "state")).encode(), to_bytes(tensors)
        text, data = (group.gather(part if group.first else b"")[0] for part in mine)
        if not group.first:
            self._restore(json.loads(text), from_bytes(data))

    def _fit_density(
        self, rows: Rows, seed: int, report: Report, checkpoint: Checkpoint, **options: Any
    ) -> tuple[Tensor, Rows]:
        """Fit ``density_``; return log densities of rows not fitted on, and these rows.

        The log densities are in the units of the table: ``rows.log_det`` is added.

        Args:
            rows: what is known of the rows.
            seed: of everything random.
            report: to be called with (what is being done, share done).
            checkpoint: keeps what an interrupted fit has done, where a folder was given.
            options: of the model's own ``fit``.
        """
        raise NotImplementedError

    def score_samples(self, X: Any, *, n_draws: int = 1, missing: str | None = None) -> np.ndarray:
        """Log density of each row in nats, in the units of the table; higher is more normal.

        Whole-number and category columns count with probabilities: they are dequantised,
        and ``n_draws`` averages the density over that many draws of the noise. The noise of a
        row depends on nothing but the row, so its score is the same in every batch.

        Args:
            X: table of shape (n, p) with the columns of ``fit``.
            n_draws: draws per row, 1 or more; more than 1 matters only for discrete columns.
            missing: of rows with missing cells, "model" gives the log density of the cells that
                are there, "error" refuses them, "blank" gives them NaN; None is "model" for models
                fitted with "model" or "auto", and else "error". Where more than one cell of a row
                is missing the density is estimated; ``given(X).log_density_error()`` says how
                well.

        Returns:
            (n,) float64, finite but for the NaN of ``missing="blank"``.

        Raises:
            DataError: for other columns, missing or infinite cells, values out of bounds, rows
                that break a constraint, and rows so far out that their log density is below the
                smallest float.
            NotFittedError: before ``fit``.
        """
        self._check_fitted()
        check({"n_draws": COUNT}, {"n_draws": n_draws})
        if (how := self._missing_in(X, missing)) != "error":

            def scores(rows: Any) -> np.ndarray:
                return self.score_samples(rows, n_draws=n_draws, missing="error")

            other = partial(log_prob_of_known, self) if how == "model" else None
            return self._by_completeness(X, scores, other)
        total: Tensor | None = None
        with torch.no_grad():
            for draw in range(n_draws):
                z, log_det = self.columns_.encode(X, draw=draw)
                value = self.density_.log_prob(z) + log_det
                total = value if total is None else torch.logaddexp(total, value)
                if not bool(self.columns_.dequantised.any()):
                    n_draws = 1
                    break
        assert total is not None
        result = (total - math.log(n_draws) - math.log(self.kept_)).numpy()
        if not np.isfinite(result).all():
            rows = np.flatnonzero(~np.isfinite(result))
            raise DataError(
                f"The log density of {len(rows)} row(s) is not a finite number, the first being "
                f"row {rows[0]}: its values are too far from anything seen in fit (beyond about "
                "1e150 standard deviations). Check the units of the columns, or leave it out."
            )
        return result

    def _decision_of_known(self, X: Any) -> np.ndarray:
        return decision_of_known(self, self._conditioner().proposal, X)

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log density of the rows, in nats a row."""
        return float(np.mean(self.score_samples(X)))

    def sample(
        self, n_samples: int = 1, random_state: Any = None, *, complete: bool = False
    ) -> Any:
        """Draw rows like those of ``fit``, in the same container, names and dtypes.

        Args:
            n_samples: rows to draw, 1 or more.
            random_state: seed, RandomState, or None for numpy's global one.
            complete: whether no cell is missing. Else, where missing cells were modelled in the
                fit, cells are missing in samples as they were there; the others are the same.
        """
        self._check_fitted()
        check({"n_samples": COUNT, "complete": FLAG}, locals())
        seed = drawn_seed(random_state)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            z = self._draw(int(n_samples), generator)
            if complete or self.missingness_ is None:
                return self.columns_.decode(z)
            gaps = self.missingness_.gaps(z, generator, self.columns_)
        return self.columns_.decode(z, gaps=gaps)

    def explain(self, X: Any, *, candidates: int = 33) -> "pd.DataFrame":
        """Explain which columns make rows unlikely.

        For each row and column: the nats its log density would gain if that column alone had
        its most plausible value, the others staying as they are. A large gain marks a column that
        does not fit the rest of the row.

        Args:
            X: table of shape (n, p), a few rows.
            candidates: values tried a column, taken from the model's own margins.

        Returns:
            DataFrame of the columns row, column, value, expected, gain; in falling order of
            gain within each row. Every density of a table gives such a frame; of images,
            ``inlier_maps`` of the models that have it are arrays of places.
        """
        from .counterfactuals import explain_rows

        self.score_samples(X)  # refuses rows that have no finite score
        if self._missing_in(X, None) == "error":
            return explain_rows(self.columns_, self.density_, X, candidates)
        whole = self.impute(X, strategy="mode", random_state=0)
        frame = explain_rows(self.columns_, self.density_, whole, candidates)
        gaps = self.columns_.missing(X)
        pairs = zip(frame["row"], frame["column"], strict=True)
        there = [not gaps[column][row] for row, column in pairs]
        return frame.loc[there].reset_index(drop=True)

    def distribution(self) -> Any:
        """The density as a ``torch.distributions.Distribution`` over rows (p,).

        Its ``log_prob`` is differentiable. For tables of plain continuous columns.

        Raises:
            UnsupportedError: if a column is discrete, bounded or constant.
        """
        from .torch_distribution import TableDistribution

        self._check_fitted()
        return TableDistribution.of(self.columns_, self.density_)

    def _abilities(self) -> dict[str, Any]:
        return {
            **super()._abilities(),
            "kind": "table",
            "codec": self.columns_,
            "density": True,
            "draw": self._draw,
            "threshold": self.offset_ if self._by_density else None,
            "networks": (self.density_,) if isinstance(self.density_, nn.Module) else (),
        }

    def __sklearn_is_fitted__(self) -> bool:
        return "density_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing in ("auto", "model")
        return tags

    def _card(self) -> str:
        from .cards import table_card

        return table_card(self)

    def _state(self) -> dict[str, Any]:
        return {
            "columns": self.columns_.to_config(),
            "offset": self.offset_,
            "held_out": self.held_out_,
            "fitted_on": self._fitted_on,
            "kept": self.kept_,
            "missingness": None if self.missingness_ is None else self.missingness_.state(),
        }

    def _tensors(self) -> dict[str, Tensor]:
        tensors = dict(self.density_.state_dict(prefix="density."))
        if self.detector_ is not None:
            tensors |= self.detector_.state_dict(prefix="detector.")
        if self.missingness_ is not None:
            tensors |= self.missingness_.tensors("missingness.")
        return tensors

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self._set_columns(Columns.from_config(state["columns"]))
        self.offset_ = float(state["offset"])
        self.held_out_ = float(state["held_out"])
        self.kept_ = float(state["kept"])
        if not FEWEST_KEPT <= self.kept_ <= 1:
            raise ValueError("the share of draws that constraints keep is none")
        self._fitted_on = str(state.get("fitted_on", ""))
        density, detector = (
            {k.removeprefix(p): v for k, v in tensors.items() if k.startswith(p)}
            for p in ("density.", "detector.")
        )
        self.density_ = self._restore_density(state, density)
        self._place_density()
        kind = Novelty if "reference" in detector else TrimmedPair
        self.detector_ = kind.from_state(detector) if detector else None
        holes = state["missingness"]
        self.missingness_ = None
        if holes is not None:
            self.missingness_ = Missingness.restore(holes, tensors, "missingness.", self.columns_)
        if self.density_.dimension != self.columns_.n_coordinates:
            raise ModelFileError(
                f"The weights are for {self.density_.dimension} coordinates, the columns give "
                f"{self.columns_.n_coordinates}. The files of this folder do not belong together."
            )
        with torch.no_grad():  # parts of wrong sizes fail here, not when the model is used
            rows = self.density_.sample(2, torch.Generator().manual_seed(0))
            if self.density_.log_prob(rows).shape != (2,):
                raise ValueError("the weights have wrong sizes")
            if self.detector_ is not None:
                self.detector_.score(rows, torch.zeros(2).double())
            if self.missingness_ is not None:
                self.missingness_.sample(rows, torch.Generator().manual_seed(0), [-1])

    def _layer_device(self) -> torch.device:
        """Where layers are made, and rows go through them."""
        return find_device(self.device or "cpu")

    def _place_density(self) -> None:
        """Move the layers of the density to their device."""
        if isinstance(self.density_, nn.Module):
            for part in self.density_.modules():
                if isinstance(part, SlicedDensity):
                    part.compute_on(self._layer_device())

    def _restore_density(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
        """The density that :meth:`_tensors` and :meth:`_state` describe."""
        return density_from_state(tensors)


def _silent(text: str, share: float) -> None:
    """Discard the report."""


def _print_report(text: str, share: float) -> None:
    print(f"[{100 * share:3.0f} %] {text}", file=sys.stderr)
