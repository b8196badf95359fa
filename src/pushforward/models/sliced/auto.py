"""The automatic model: a table in, the density that held-out rows like best out."""

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from torch import Tensor

from ...data import Table, open_data
from ...deprecation import renamed
from ...errors import ParameterError
from ...estimators.parameters import parameter_names
from ...estimators.table_density import Report, TableDensity
from ...storage.checkpoint import Checkpoint, Folder
from ...transport import Rows
from ...validation import MINUTES, Device, Rule
from .layer_growth import Layering
from .selection import select

__all__ = ["AutoDensity", "fit"]

_STEPS = 20  # of a search for the directions of a layer
_WITH_HOLES = 0.8  # of the budget for the density, where which cells are missing is learned too


class AutoDensity(TableDensity):
    """The density of a table without choosing anything.

    Tries one Gaussian, mixtures of Gaussians, sliced flows (GIS) and mixtures of them, each
    with and without a marginal layer, and of more than 200 columns single Gaussians of few
    factors; chooses by the density of held-out rows; stacks the
    best few and averages refits on re-drawn splits of all rows. On the held-out rows the
    result is never behind one Gaussian, and :meth:`account` says so where nothing beat it.

    Args:
        minutes: time budget of the fit; None takes what it needs (seconds for small tables).
            With little time less is tried, fitted and averaged, and fewer rows are held out.
        missing: "auto" leaves out the columns of a frame that have more than 90 % of their cells
            missing, or more than half of them with fewer than 20 known ones, and says so, and
            models the other cells that are missing: columns are what their known cells are, and
            the missing ones are drawn given the others of their row, by a mixture fitted to the
            known cells, anew for each fit that is averaged. Scores of rows with missing cells are
            of those they have. "model" leaves out no column. "error" and "drop" as of GIS.
        device: where layers are made and rows go through them: "cpu", "cuda", or "auto" for a GPU
            where there is one. None takes the processor, which is faster for tables that are not
            large.
        columns, bounds, constraints, contamination, false_alarm_rate, random_state, verbose: as of
            :class:`~pushforward.GIS`.

    Attributes:
        density_, columns_, missingness_, offset_, n_features_in_, feature_names_in_: as of GIS.
        trials_: what was tried: structure, held-out nats a row, share in the result.
        held_out_: mean log density of rows by members that did not see them, nats a row.

    Examples:
        >>> import pushforward
        >>> from sklearn.datasets import load_iris
        >>> model = pushforward.AutoDensity(random_state=0).fit(load_iris().data)
        >>> model.score_samples(load_iris().data[:2]).shape
        (2,)
    """

    _cites: ClassVar[tuple[str, ...]] = (
        "dai2021sliced",
        "friedman1989regularized",
        "smyth1999linearly",
    )
    _completions: ClassVar[int] = 5  # members of the average
    _rules: ClassVar[Mapping[str, Rule]] = {
        "device": Device() | None,
        "minutes": MINUTES,
    }

    def __init__(
        self,
        *,
        minutes: float | None = None,
        device: str | None = None,
        columns: dict | None = None,
        bounds: dict | None = None,
        constraints: list[str] | None = None,
        missing: str = "auto",
        contamination: float | str | None = None,
        false_alarm_rate: float = 0.05,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.minutes = minutes
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
            validation: rows to choose and to stop by, instead of shares of X that are drawn
                anew for each member.
        """
        started = time.monotonic()
        self._fit(X, sample_weight, report, folder, started=started, validation=validation)
        if self.missing in ("auto", "model") and any(
            column.missing and not column.left_out for column in self.columns_.columns
        ):
            self.notes_.append(
                f"{self.held_out_:.3f} nats a row of the cells that are there; the figures above "
                "are of rows whose missing cells were drawn"
            )
            if self.missingness_ is not None:
                self.notes_.append(self.missingness_.note(self.columns_))
        if self.columns_.rejecting:
            self.notes_.append(self._kept_text())
        return self

    def _fit_density(
        self,
        rows: Rows,
        seed: int,
        report: Report,
        checkpoint: Checkpoint,
        started: float | None = None,
        validation: Any = None,
    ) -> tuple[Tensor, Rows]:
        d = rows.x.shape[1]
        judges = None if validation is None else self._divided(rows, validation, seed)[1]
        minutes = self.minutes
        if minutes is not None and rows.completions:
            minutes *= _WITH_HOLES
        selection = select(
            rows,
            seed=seed % 2**30,
            layering=Layering(
                max(1, min(8, d)), step=0.5, search_steps=_STEPS, device=self._layer_device()
            ),
            minutes=minutes,
            started=started,
            report=report,
            checkpoint=checkpoint,
            validation=judges,
            processes=self._processes(),
        )
        self.density_ = selection.density
        self.trials_ = [
            {"structure": str(t.structure), "held_out": t.value, "weight": t.weight}
            for t in selection.trials
        ]
        self.notes_ = selection.notes
        report("done", 1.0)
        return selection.scores, selection.judged

    def account(self) -> str:
        """What was tried, what was chosen and why, as a text of a few lines."""
        self._check_fitted()
        lines = [f"{'held-out nats a row':>20}  {'share':>5}  structure"]
        for trial in self.trials_[:12]:
            share = f"{100 * trial['weight']:.0f} %" if trial["weight"] else ""
            lines.append(f"{trial['held_out']:>20.3f}  {share:>5}  {trial['structure']}")
        if len(self.trials_) > 12:
            lines.append(f"{'':>20}  {'':>5}  and {len(self.trials_) - 12} behind these")
        lines += [f"* {note}" for note in self.notes_]
        return "\n".join(lines)

    def _state(self) -> dict[str, Any]:
        return {
            **super()._state(),
            "trials": self.trials_,
            "notes": self.notes_,
        }

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        super()._restore(state, tensors)
        self.trials_ = [
            {
                "structure": str(t["structure"]),
                "held_out": float(t["held_out"]),
                "weight": float(t["weight"]),
            }
            for t in state["trials"]
        ]
        self.notes_ = [str(note) for note in state["notes"]]


@renamed(checkpoint="folder")
def fit(
    X: Any,
    sample_weight: Any = None,
    *,
    validation: Any = None,
    verbose: bool = True,
    folder: Folder | None = None,
    **parameters: Any,
) -> AutoDensity:
    """Fit the automatic model and print what was tried and why it was chosen.

    Args:
        X: table of shape (n, p): DataFrame, array, tensor, the path or name of one, or a table
            of :func:`pushforward.open_data`, which says how its file is to be read.
        sample_weight: (n,) row weights.
        validation: table of rows to choose by, as in :meth:`AutoDensity.fit`.
        verbose: print progress and the account to stderr.
        folder: for unfinished work, as in :meth:`AutoDensity.fit`.
        **parameters: of :class:`AutoDensity`: ``minutes``, ``contamination``, ``columns``,
            ``bounds``, ``constraints``, ``missing``, ``false_alarm_rate``, ``random_state``.

    Returns:
        The fitted model.

    Raises:
        DataError: for data that cannot be used.
        ParameterError: for parameters that are not known or not usable.

    Examples:
        >>> import pushforward
        >>> model = pushforward.fit("iris", verbose=False, random_state=0)
        >>> model.sample(2, random_state=0).columns[0]
        'sepal length (cm)'
    """
    unknown = set(parameters) - set(parameter_names(AutoDensity))
    if unknown:
        raise ParameterError(
            f"Unknown parameter(s) {', '.join(sorted(unknown))}. "
            f"Expected some of {', '.join(parameter_names(AutoDensity))}."
        )
    reading = None
    if isinstance(X, (str, os.PathLike)):
        X = open_data(X)
    if isinstance(X, Table):
        if verbose and X.note:
            print(X.note, file=sys.stderr)
        reading = X.reading
    model = AutoDensity(verbose=verbose, **parameters)
    model.fit(X, sample_weight=sample_weight, validation=validation, folder=folder)
    if reading is not None:
        model.reading_ = reading
    if verbose:
        print(model.account(), file=sys.stderr)
    return model
