"""The conditional distribution of one column of a table given the others."""

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if
from torch import Tensor

from ..._version import __version__
from ...data import Columns, Learned
from ...data.checks import MISSING
from ...data.tables.column_summary import warn_left_out
from ...errors import (
    DataError,
    MissingMethodError,
    UnsupportedError,
)
from ...estimators.base import Model, packed
from ...estimators.missing_cells import completions
from ...estimators.parameters import drawn_seed
from ...estimators.piecewise import Pieces
from ...estimators.table_columns import TableColumns
from ...estimators.trained_model import Report, print_report
from ...storage.checkpoint import Checkpoint, Folder, digest
from ...training.threads import threads_for
from ...transport.numerics import with_prefix
from ...validation import MINUTES, Instance, Name, OneOf, Rule, Seed, Verbosity
from ...wording import setting, worded
from ..sliced.auto import AutoDensity
from .completed_rows import (
    completed_inputs,
    completed_rows,
    speaking_for_all,
    telling_gaps,
)
from .distribution import ClassDistribution, PredictiveDistribution
from .inputs import InputCoder
from .location_scale import LocationScale
from .pool import Pool, Tables, density_of, joint_table, kept_or_fitted
from .target import Target, cells_by_label, divided, one_column, with_targets, without_target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Predictor"]

_BLOCK = 2000  # rows, completed ones counted, whose distributions are held at once


def _has_classes(model: "Predictor") -> bool:
    """Whether a model predicts classes, or is asked to.

    Raises:
        MissingMethodError: where it does not.
    """
    learned = vars(model).get("target_")
    if model.task == "classification" or (learned is not None and learned.classes is not None):
        return True
    raise MissingMethodError(
        "The target has numbers, not classes. Ask given(X).prob(low, high) for the probability of "
        "a range, or fit with "
        f"{setting('task', 'classification')}."
    )


class Predictor(BaseEstimator, Model, TableColumns):
    """The distribution of one column of a table given the others.

    A regressor of numbers and dates or a classifier of categories, whose predictions are whole
    distributions: their means, quantiles, intervals, densities and samples. Nothing is to be
    tuned.

    Regressions of several kinds are stacked and predict each row without having seen it; the
    density of the target is then learned given these predictions, and given what they say of the
    size of their errors, so that its shape, its repeated values and its bounds are those of the
    rows. Beside these stands, where there are not too many columns, the joint density of the
    whole table given the inputs. Rows that are held out weigh all three by the conditional
    log density of the target.

    Args:
        target: name of the column that is predicted, where ``fit`` is given one table; its
            position in an array.
        task: "regression", "classification", or None to go by the target: categories, booleans
            and text are classes, all else is numbers.
        minutes: time budget of the fit; None takes what it needs.
        columns, bounds: as of :class:`~pushforward.GIS`, of the inputs and, by its name, the
            target.
        missing: "auto" models the missing cells of the inputs where the rows of the fit have
            any, and leaves out columns of a frame that have nearly all missing; "model" models
            them always, so that frames without some of the columns can be predicted though the
            rows of the fit were whole; "drop" leaves rows out of the fit; "error" refuses them.
            But for "error", rows with missing cells are predicted after any fit: cells that
            none of its rows lacked by the joint density of inputs and target, of at most 30
            numbers, where the fit had the time for one.
        random_state: seed, RandomState, or None for numpy's global one.
        verbose: print progress to stderr.

    Attributes:
        columns_: the columns of the inputs.
        task_: "regression" or "classification".
        classes_: of a classification, sorted.
        trials_: conditional densities, their held-out nats a row, and weights.
        n_without_target_: rows that were left out because their target is missing.
        held_out_: mean conditional log density of the targets that were held out, in nats; NaN
            of fewer than forty rows, of which none are.
        n_features_in_, feature_names_in_: as of scikit-learn.

    Sources: Breiman, *Stacked regressions*, 1996; Genest & Zidek, *Combining probability
    distributions*, 1986; Dai & Seljak, *Sliced Iterative Normalizing Flows*, 2021.

    Examples:
        >>> import pushforward
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = pushforward.Predictor(random_state=0).fit(X[:200, :4], y[:200])
        >>> model.predict(X[200:203, :4]).shape, model.predict_interval(X[200:203, :4]).shape
        ((3,), (3, 2))
    """

    _cites: ClassVar[tuple[str, ...]] = ("dai2021sliced",)
    _rules: ClassVar[Mapping[str, Rule]] = {
        "target": Name() | None,
        "task": OneOf("regression", "classification") | None,
        "minutes": MINUTES,
        "columns": Instance(Mapping, description="kinds by column") | None,
        "bounds": Instance(Mapping, description="(low, high) by column") | None,
        "missing": OneOf(*MISSING),
        "random_state": Seed(),
        "verbose": Verbosity(),
    }

    columns_: Columns
    target_: Target
    inputs_: AutoDensity | None
    regressions_: LocationScale
    pool_: Pool

    def __init__(
        self,
        target: str | int | None = None,
        *,
        task: str | None = None,
        minutes: float | None = None,
        columns: dict | None = None,
        bounds: dict | None = None,
        missing: str = "auto",
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.target = target
        self.task = task
        self.minutes = minutes
        self.columns = columns
        self.bounds = bounds
        self.missing = missing
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        folder: Folder | Checkpoint | None = None,
        report: Report | None = None,
    ) -> Self:
        """Learn the distribution of the target given the inputs.

        Args:
            X: table of shape (n, p) in any container; with the target among its columns where
                ``y`` is None.
            y: (n,) targets: numbers, dates, categories or booleans. Rows without one are left
                out.
            folder: for the densities that are finished. A fit that was killed and is repeated
                with the same data and parameters goes on from there, to the same result; the
                folder is removed when the fit is done.
            report: called with (what is being done, share done) as the fit goes on.

        Returns:
            The fitted model itself.

        Raises:
            DataError: for data that cannot be used.
            ParameterError: for a parameter out of its range.

        Warns:
            LeftOutWarning: where rows or columns were left out for missing cells.
        """
        began = time.monotonic()
        self._check_parameters()
        seed = drawn_seed(self.random_state)
        X, y, name = divided(X, y, self.target)
        n, (X, y) = len(y), with_targets(X, y, self.missing)
        self.n_without_target_ = n - len(y)
        declared, bounds = dict(self.columns or {}), dict(self.bounds or {})
        own = name if name in declared or name in bounds else None
        self.target_ = Target.learn(
            y, name=name, task=self.task, kind=declared.pop(own, None),
            bounds=bounds.pop(own, None),
        )  # fmt: skip
        work = folder if isinstance(folder, Checkpoint) else Checkpoint(folder)
        learned, y = self._learn_columns(X, y, declared, bounds)
        if folder is not None:
            asked = self.random_state is not None
            seed = work.open(self._identity(learned, y), seed, asked=asked)
        X, complete = self._complete(learned, y, declared, bounds, seed, work)
        missing, targets = self.columns_.missing_cells(learned.X), self.target_.numbers(y)
        gaps = telling_gaps(missing, targets)
        coder = InputCoder.fit(self.columns_, X, gaps)
        numbers = coder.numbers(X, missing)
        report = report or (print_report if self.verbose else lambda text, share: None)
        report("regressions", 0.1)

        def until(share: float) -> float:
            return math.inf if self.minutes is None else began + 60 * share * self.minutes

        with torch.no_grad(), threads_for(numbers.numel()):
            self.regressions_, location, spread = LocationScale.fit(
                coder, numbers, self.target_, y, seed, until
            )
            report("conditional densities", 0.6)
            shown = np.arange(len(y)) if gaps else speaking_for_all(complete, targets)
            self.pool_ = Pool.fit(
                Tables.of_rows(self.columns_, numbers, location, spread).take(shown),
                self.target_.values(y).iloc[shown].reset_index(drop=True),
                kind=self.target_.kind,
                bounds=(self.bounds or {}).get(own),
                seed=seed,
                deadline=None if self.minutes is None else until(1.0),
                work=work,
            )
        if work is not folder:  # a caller who made it still has to save the model
            work.discard()
        report("done", 1.0)
        return self

    def account(self) -> str:
        """What was tried, and what of it the predictions are pooled of, in a few lines."""
        self._check_fitted()
        lines = [f"{'held-out nats a row':>20}  {'share':>5}  density of the target given"]
        for trial in self.trials_:
            value = "" if trial["held_out"] is None else f"{trial['held_out']:.3f}"
            share = f"{100 * trial['weight']:.0f} %" if trial["weight"] else ""
            lines.append(f"{value:>20}  {share:>5}  {trial['density']}")
        lines += [f"* {text}" for text in self.regressions_.described()]
        coder = self.regressions_.coder
        if len(coder.gaps):
            names = ", ".join(str(label) for label in coder.labels[-len(coder.gaps) :])
            lines.append(f"* inputs too: whether a cell is missing of {names}")
        if self.n_without_target_:
            lines.append(f"* rows left out for lack of a target: {self.n_without_target_}")
        return "\n".join(lines)

    # --- what a fit is of -------------------------------------------------------------------

    def _learn_columns(
        self, X: Any, y: "pd.Series", declared: dict, bounds: dict
    ) -> tuple[Learned, "pd.Series"]:
        """Learn the columns of the inputs; the rows that were kept, and their targets."""
        learned = Columns.learn(
            X,
            columns=declared,
            bounds=bounds,
            missing=self.missing,
            estimator=type(self).__name__,
            min_rows=2,
            seasons=True,
            beside=self.target_.beside(y),
        )
        self._set_columns(learned.columns)
        warn_left_out(self.columns_)
        return learned, y.loc[learned.kept].reset_index(drop=True)

    def _identity(self, learned: Learned, y: "pd.Series") -> dict[str, Any]:
        """All that the fit depends on but its seed, by name: two fits of the same are one."""
        parameters = self.get_params(deep=False)
        del parameters["verbose"], parameters["random_state"]
        z, _, known = self.columns_.encode_known(learned.X)
        return {
            "model": type(self).__name__,
            "version": __version__,
            **{name: repr(value) for name, value in parameters.items()},
            "columns": digest(str(self.columns_.to_config())),
            "data": digest(z, known, self.target_.rows(y).x),
        }

    def _complete(
        self,
        learned: Learned,
        y: "pd.Series",
        declared: dict,
        bounds: dict,
        seed: int,
        work: Checkpoint,
    ) -> tuple[Any, np.ndarray]:
        """Fit their density if cells are missing; inputs completed, and which rows were whole."""
        complete = self.columns_.complete(learned.X)
        self.inputs_ = None
        if not complete.all() or self.missing == "model":
            density = AutoDensity(
                columns=declared, bounds=bounds, missing=self.missing, random_state=seed,
                minutes=None if self.minutes is None else 0.2 * self.minutes,
            )  # fmt: skip
            self.inputs_ = kept_or_fitted(work, "inputs", density, learned.X)
        # given the target too, without which regressions would be of cells drawn in its absence
        (whole,) = completions(learned, 1, self.target_.rows(y))
        return whole, complete

    # --- predictions ------------------------------------------------------------------------

    def given(self, X: Any) -> PredictiveDistribution | ClassDistribution:
        """The distribution of the target given the inputs of rows.

        Args:
            X: table of shape (n, p), which may have the target besides. Rows with missing cells
                have the average over draws of these given the others; a frame may lack columns
                where the fit models missing cells.

        Returns:
            A :class:`~pushforward.models.prediction.distribution.PredictiveDistribution` of
            numbers and dates: ``mean``, ``std``, ``quantile``, ``interval``, ``cdf``, ``prob``,
            ``sample``, ``log_prob``; of classes a
            :class:`~pushforward.models.prediction.distribution.ClassDistribution`.

        Raises:
            DataError: for other columns, and for missing cells where they are refused or the
                inputs are too many.
            NotFittedError: before ``fit``.
        """
        self._check_fitted()
        numbers, of = self._numbers(without_target(X, self.target_.name, self.n_features_in_))
        n = int(of[-1]) + 1 if len(of) else 0
        tables = self._tables(numbers)
        if self.target_.classes is not None:
            found = self.pool_.probabilities(tables, of, len(self.target_.classes))
            # a class that trees have never seen beside these inputs is rare, not impossible
            least = 1 / (self.columns_.n_rows + 2.0) / len(self.target_.classes)
            found = np.maximum(found, least)
            return ClassDistribution(self.target_.classes, found / found.sum(1, keepdims=True))

        def pieces(a: int, b: int) -> Pieces:
            rows = np.flatnonzero((of >= a) & (of < b))
            return self.pool_.pieces(tables.take(rows), of[rows] - a)

        def log_prob(y: Any) -> np.ndarray:
            targets = one_column(y)
            if len(targets) != n:
                raise DataError(f"Got {len(targets)} targets for {n} rows. Expected as many.")
            return self.pool_.log_prob(tables, targets.iloc[of].reset_index(drop=True), of)

        block = max(1, _BLOCK * n // max(1, len(of)))
        return PredictiveDistribution(pieces, log_prob, n, self.target_.write, block)

    def _tables(self, numbers: Tensor) -> Tables:
        """What the densities are given of rows, from the numbers (n, D) of their inputs."""
        with torch.no_grad():
            return Tables.of_rows(self.columns_, numbers, *self.regressions_(numbers))

    def _numbers(self, X: Any) -> tuple[Tensor, np.ndarray]:
        """Inputs (N, D) of rows, completed several times, and the row that each is of."""
        coder = self.regressions_.coder
        if self.inputs_ is None:
            joint = self.pool_.joint
            if self.missing == "error" or self.columns_.complete(X).all():
                numbers = coder.numbers(X)
                return numbers, np.arange(len(numbers))
            if joint is None:
                raise DataError(
                    "Rows have missing cells. Those of the fit had none, and no joint density was "
                    "fitted, of too many inputs or in too few minutes: these cells are not "
                    f"modelled. Fit with {setting('missing', 'model')}, or "
                    "fill them in: "
                    + worded("AutoDensity().fit(X).impute(X).", "pushforward impute.")
                )
            numbers = coder.known_numbers(X)
            frame, _ = joint_table(self.columns_, numbers)
            return completed_inputs(joint, frame, numbers.isfinite())
        whole, of = completed_rows(self.inputs_, self.columns_, X)
        missing = self.columns_.missing_cells(X)[of] if len(coder.gaps) else None
        return coder.numbers(whole, missing), of

    def predict(self, X: Any) -> np.ndarray:
        """Conditional means of numbers and dates, the most probable class of classes: (n,)."""
        found = self.given(X)
        return found.mode() if isinstance(found, ClassDistribution) else found.mean()

    @available_if(_has_classes)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, (n, C), in the order of ``classes_``; of classifiers."""
        found = self.given(X)
        assert isinstance(found, ClassDistribution)
        return found.probability

    def predict_interval(self, X: Any, level: float = 0.9) -> np.ndarray:
        """Central intervals of numbers and dates, (n, 2).

        Args:
            X: table of shape (n, p).
            level: probability inside, above 0 and below 1.

        Raises:
            UnsupportedError: of a classification.
        """
        found = self.given(X)
        if isinstance(found, ClassDistribution):
            raise UnsupportedError(
                "The target has classes, which have no intervals. Ask predict_proba(X)."
            )
        return found.interval(level)

    def log_prob(self, X: Any, y: Any = None) -> np.ndarray:
        """Log densities, of classes log probabilities, of targets of rows in nats: (n,).

        Args:
            X: table of shape (n, p), with the target among its columns where ``y`` is None.
            y: (n,) targets.
        """
        self._check_fitted()
        X, y, _ = divided(X, y, self.target)
        return self.given(X).log_prob(y)

    def explain(self, X: Any) -> "pd.DataFrame":
        """Explain how much each column of rows moves their prediction.

        Shapley values of the regression that the densities are given (of classes, of the
        probability of the most probable one) over rows of the fit: those of a row sum to its
        prediction less the usual one, but for what the densities change of it.

        Args:
            X: table of shape (n, p), a few rows; missing cells count as what completes them.

        Returns:
            DataFrame of the columns row, column, value, effect, the largest of a row first;
            they are in the units of the target, of dates in their unit, of classes in
            probability.
        """
        import pandas as pd

        self._check_fitted()
        X = without_target(X, self.target_.name, self.n_features_in_)
        numbers, of = self._numbers(X)
        given = self.given(X)
        labels = self.regressions_.coder.labels
        cells = cells_by_label(X, tuple(dict.fromkeys(labels)))
        which, sign = np.zeros(len(given), dtype=int), np.ones(len(given))
        if isinstance(given, ClassDistribution):
            which = given.probability.argmax(1)
            if self.target_.n_regressions == 1:  # of two classes, it is of the second
                which, sign = np.zeros_like(which), 2.0 * which - 1
        found = np.empty((len(given), numbers.shape[1]))
        for k in np.unique(which):
            rows = np.flatnonzero(which == k)
            own = np.isin(of, rows)
            with torch.no_grad():
                values = self.regressions_.shapley_values(numbers[torch.from_numpy(own)], int(k))
            total = np.zeros((len(given), values.shape[1]))
            np.add.at(total, of[own], values.numpy())  # of a row the mean of its completions
            found[rows] = (sign / np.bincount(of))[rows, None] * total[rows]
        records: list[tuple[Any, ...]] = []
        for row in range(len(given)):
            effects = dict.fromkeys(labels, 0.0)
            for label, effect in zip(labels, found[row].tolist(), strict=True):
                effects[label] += effect  # of dates those of their parts, of gaps that they are
            for label, effect in effects.items():
                records.append((row, label, cells[label][row], effect))
        frame = pd.DataFrame(records, columns=["row", "column", "value", "effect"])
        order = np.lexsort([-frame["effect"].abs(), frame["row"]])
        return frame.iloc[order].reset_index(drop=True)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Coefficient of determination of numbers, share of classes that are right."""
        from sklearn.metrics import accuracy_score, r2_score

        self._check_fitted()
        X, y, _ = divided(X, y, self.target)
        measure = accuracy_score if self.target_.classes is not None else r2_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))

    # --- the contract -----------------------------------------------------------------------

    @property
    def task_(self) -> str:
        """What was fitted: "regression" or "classification"."""
        self._check_fitted()
        return "regression" if self.target_.classes is None else "classification"

    @property
    def trials_(self) -> list[dict[str, Any]]:
        """Conditional densities that were tried, their held-out nats a row, and weights."""
        self._check_fitted()
        return self.pool_.trials

    @property
    def held_out_(self) -> float:
        """Mean conditional log density of the targets that were held out, in nats."""
        self._check_fitted()
        return self.pool_.held_out

    @property
    def classes_(self) -> np.ndarray:
        """The classes of a classification, sorted."""
        if "target_" not in vars(self) or self.target_.classes is None:
            raise AttributeError("This Predictor has no classes_: it is no fitted classifier.")
        return self.target_.classes

    def __sklearn_is_fitted__(self) -> bool:
        return "pool_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, RegressorTags

        tags = super().__sklearn_tags__()
        classes = self.task == "classification" or (
            self.task is None and "target_" in vars(self) and self.target_.classes is not None
        )
        tags.estimator_type = "classifier" if classes else "regressor"
        tags.classifier_tags = ClassifierTags() if classes else None
        tags.regressor_tags = None if classes else RegressorTags()
        tags.target_tags.required = self.target is None
        tags.input_tags.allow_nan = self.missing in ("auto", "model")
        return tags

    def _abilities(self) -> dict[str, Any]:
        return {
            **super()._abilities(),
            "kind": "prediction",
            "codec": self.columns_,
            "classes": self.target_.classes,
        }

    def _card(self) -> str:
        from .card import predictor_card

        return predictor_card(self)

    def _state(self) -> dict[str, Any]:
        return {
            "columns": self.columns_.to_config(),
            **self.target_.to_state(),
            "inputs": None if self.inputs_ is None else packed(self.inputs_)[0],
            **self.regressions_.config(),
            **self.pool_.config(),
            "n_without_target": self.n_without_target_,
        }

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {**self.regressions_.state_dict(), **self.pool_.tensors()}
        if self.inputs_ is not None:
            tensors |= {f"inputs.{key}": x for key, x in packed(self.inputs_)[1].items()}
        return tensors

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self._set_columns(Columns.from_config(state["columns"]))
        self.target_ = Target.from_state(state)
        self.inputs_ = density_of(state["inputs"], with_prefix(tensors, "inputs."))
        self.regressions_ = LocationScale.from_state(self.columns_, self.target_, state, tensors)
        self.pool_ = Pool.from_state(state, tensors)
        self.n_without_target_ = int(state["n_without_target"])
        self.pool_.check(self._tables(self.regressions_.background.double()))
