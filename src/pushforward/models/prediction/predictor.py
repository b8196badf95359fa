"""The conditional distribution of one column of a table given the others."""

import math
import time
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if
from torch import Tensor

from ..._version import __version__
from ...data import Columns, Learned
from ...data.checks import MISSING, rows_text
from ...data.tables.column_summary import warn_left_out
from ...data.tables.sheet import Sheet
from ...errors import (
    DataError,
    LeftOutWarning,
    MissingMethodError,
    ModelFileError,
    UnsupportedError,
)
from ...estimators.base import Model, packed, unpacked
from ...estimators.missing_cells import completions
from ...estimators.parameters import drawn_seed
from ...estimators.trained_model import Report, print_report
from ...storage.checkpoint import Checkpoint, Folder, digest
from ...training.threads import threads_for
from ...transport.numerics import with_prefix
from ...transport.rows import Rows
from ...validation import MINUTES, Instance, Name, OneOf, Rule, Seed, Verbosity
from ..sliced.auto import AutoDensity
from .completed_rows import averaged, regrouped
from .components import (
    TARGET,
    Component,
    Tables,
    components_of,
    kept_or_fitted,
    worth_a_joint,
)
from .distribution import ClassDistribution, Pieces, PredictiveDistribution
from .inputs import InputCoder
from .shapley import shapley_values
from .stacked_regression import KINDS, StackedRegression, number_of_folds
from .target import Target, cells_by_label, divided, one_column, without_target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Predictor"]

_COMPLETIONS = 20  # draws of the missing cells of a row that a prediction is averaged over
_SPREAD = ("curves", "process", "trees")  # regressions of the logarithm of the spread
_CLASSES = ("curves", "process", "trees")  # and of the indicators of more than two classes
_SMALLEST = 0.01  # of the mean error, which is added to errors before their logarithm is taken
_LOCATED, _SPREADED = 0.4, 0.55  # of the budget, by when regressions are done
_FEWEST = 40  # complete rows from which on densities are of them alone
_BACKGROUND = 200  # rows of the fit that explanations compare with
_KNOTS = 65  # quantiles by which regressed numbers are carried back to those of the target
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
        "a range, or fit with task='classification'."
    )


class Predictor(BaseEstimator, Model):
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
            any, and leaves out columns of a frame that have most of them missing; "model" models
            them always, so that rows with missing cells and frames without some of the columns
            can be predicted though those of the fit were whole; "drop" leaves rows out of the
            fit; "error" refuses them.
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
    coder_: InputCoder
    locations_: list[StackedRegression]
    spread_: StackedRegression | None
    components_: list[Component]
    background_: Tensor
    knots_: Tensor
    _spread_range: tuple[float, float]

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
        X, y = self._with_targets(X, y)
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
        numbers = self.coder_.numbers(X)
        report = report or (print_report if self.verbose else lambda text, share: None)
        report("regressions", 0.1)
        with torch.no_grad(), threads_for(numbers.numel()):
            tables = self._fit_regressions(numbers, y, seed, began)
            report("conditional densities", 0.6)
            # errors of rows whose cells were drawn are none of those that are whole
            shown = np.flatnonzero(complete if complete.sum() >= _FEWEST else complete | True)
            self.components_, self.trials_, self.held_out_ = components_of(
                tables.take(shown),
                self.target_.values(y).iloc[shown].reset_index(drop=True),
                kind=self.target_.kind,
                bounds=bounds.get(name) if own is None else (self.bounds or {}).get(own),
                seed=seed,
                deadline=None if self.minutes is None else began + 60 * self.minutes,
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
        for i, model in enumerate(self.locations_):
            parts = zip(model.kinds, model.weight.tolist(), strict=True)
            shown = ", ".join(f"{weight:.2f} {kind}" for kind, weight in parts) or "the mean"
            lines.append(f"* location{f' {i}' * (len(self.locations_) > 1)}: {shown}")
        if self.n_without_target_:
            lines.append(f"* rows left out for lack of a target: {self.n_without_target_}")
        return "\n".join(lines)

    # --- what a fit is of -------------------------------------------------------------------

    def _with_targets(self, X: Any, y: "pd.Series") -> tuple[Any, "pd.Series"]:
        """The rows that have a target."""
        n = Sheet.open(X, type(self).__name__).n_rows
        if n != len(y):
            raise DataError(
                f"X and y have inconsistent numbers of rows: {n} and {len(y)}. Expected as many."
            )
        there = y.notna().to_numpy()
        self.n_without_target_ = int((~there).sum())
        if y.dtype.kind == "f" and not np.isfinite(y[there]).all():
            raise DataError(
                f"Input y contains infinity: {rows_text(np.isinf(y.to_numpy()))}. Expected finite "
                "numbers: mend or leave out these rows."
            )
        if there.all():
            return X, y
        if not there.any() or self.missing == "error":
            raise DataError(
                f"Input y contains NaN: {(~there).sum()} of {n} targets are missing. Expected "
                "targets; missing='drop' leaves out rows without one."
            )
        warnings.warn(
            f"{(~there).sum()} of {n} rows left out: their target is missing",
            LeftOutWarning,
            stacklevel=4,
        )
        columns = Columns.learn(X, missing="model", min_rows=1).columns
        return columns.take(X, there), y.loc[there].reset_index(drop=True)

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
        )
        self.columns_ = learned.columns
        self.n_features_in_ = self.columns_.n_columns
        self.__dict__.pop("feature_names_in_", None)
        if self.columns_.feature_names is not None:
            self.feature_names_in_ = np.asarray(self.columns_.feature_names, dtype=object)
        warn_left_out(self.columns_, stacklevel=5)
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
        self.coder_ = InputCoder.fit(self.columns_, whole)
        return whole, complete

    def _fit_regressions(self, numbers: Tensor, y: "pd.Series", seed: int, began: float) -> Tables:
        """Fit locations and spread; what they say of rows that they have not seen."""
        inputs = self.coder_.of_numbers(numbers)
        fold = Rows.continuous(numbers).folds(min(number_of_folds(len(y)), len(y)), seed)
        targets = self._scaled(inputs, y, fold)
        self.background_ = numbers[:: max(1, len(numbers) // _BACKGROUND)][:_BACKGROUND].clone()
        if self.target_.classes is None:
            self.knots_ = _knots(targets[:, 0], self.target_.plain(y))

        def until(share: float) -> float:
            return math.inf if self.minutes is None else began + 60 * share * self.minutes

        kinds = KINDS if targets.shape[1] == 1 else _CLASSES
        found = [
            StackedRegression.fit(
                inputs, column, fold, seed + i, kinds=kinds,
                deadline=until(_LOCATED * (i + 1) / targets.shape[1]),
            )
            for i, column in enumerate(targets.T)
        ]  # fmt: skip
        self.locations_ = [model for model, _ in found]
        location = torch.stack([unseen for _, unseen in found], 1)
        self.spread_, spread = None, None
        if self.target_.classes is None:
            error = (targets[:, 0] - location[:, 0]).abs()
            size = (error + _SMALLEST * error.mean() + 1e-12).log()
            self.spread_, spread = StackedRegression.fit(
                inputs, size, fold, seed, kinds=_SPREAD, deadline=until(_SPREADED)
            )
            self._spread_range = float(spread.min()), float(spread.max())
        return self._tables(numbers, location, spread)

    def _scaled(self, inputs: Any, y: "pd.Series", fold: Tensor) -> Tensor:
        """The target as it is regressed, (n, K): bent to a normal one where that predicts better.

        Better is what a regression says of rows that it has not seen, errors being normal.
        """
        plain = self.target_.numbers(y)
        bent = self.target_.bent(y)
        if bent is None:
            return plain

        def log_prob(u: Tensor) -> float:
            _, unseen = StackedRegression.fit(inputs, u, fold, 0, kinds=("curves",))
            return -0.5 * float((u - unseen).square().mean().log())

        if log_prob(bent[0][:, 0]) + float(bent[1].mean()) > log_prob(plain[:, 0]):
            return bent[0]
        return plain

    def _in_units(self, u: Tensor) -> Tensor:
        """Predictions of the regressions in the units of the target, by its quantiles."""
        if self.target_.classes is not None:
            return u
        at, to = self.knots_
        right = torch.searchsorted(at, u.contiguous()).clamp(1, len(at) - 1)
        share = (u - at[right - 1]) / (at[right] - at[right - 1])
        return to[right - 1] + share.clamp(-1, 2) * (to[right] - to[right - 1])

    def _tables(self, numbers: Tensor, location: Tensor, spread: Tensor | None) -> Tables:
        """What components are given of rows, from coordinates, locations and spread."""
        import pandas as pd

        names = [f"location {i}" for i in range(location.shape[1])]
        frames = {"location": pd.DataFrame(location.numpy(), columns=names)}
        kinds: dict[str, dict[str | int, str]] = {"location": dict.fromkeys(names, "continuous")}
        if spread is not None:
            low, high = self._spread_range
            table = frames["location"].assign(**{"log spread": spread.clamp(low, high).numpy()})
            frames["location and spread"] = table
            kinds["location and spread"] = kinds["location"] | {"log spread": "continuous"}
        if worth_a_joint(numbers.shape[1]) and numbers.shape[1]:
            names = [f"input {j}" for j in range(numbers.shape[1])]
            frame = pd.DataFrame(numbers.numpy(), columns=names)
            nominal, discrete = self.columns_.nominal, self.columns_.discrete
            own: dict[str | int, str] = {}
            for j, name in enumerate(names):
                own[name] = "continuous"
                if bool(discrete[j]):
                    frame[name] = frame[name].astype(np.int64)
                    own[name] = "category" if bool(nominal[j]) else "integer"
            frames["joint"], kinds["joint"] = frame, own
        return Tables(frames, kinds)

    # --- predictions ------------------------------------------------------------------------

    def given(self, X: Any) -> PredictiveDistribution | ClassDistribution:
        """The distribution of the target given the inputs of rows.

        Args:
            X: table of shape (n, p), which may have the target besides. Rows with missing cells
                have the average over draws of these given the others, where the fit models
                missing cells; a frame may then lack columns.

        Returns:
            A :class:`~pushforward.models.prediction.distribution.PredictiveDistribution` of
            numbers and dates: ``mean``, ``std``, ``quantile``, ``interval``, ``cdf``, ``prob``,
            ``sample``, ``log_prob``; of classes a
            :class:`~pushforward.models.prediction.distribution.ClassDistribution`.

        Raises:
            DataError: for other columns, and for missing cells where they are not modelled.
            NotFittedError: before ``fit``.
        """
        self._check_fitted()
        numbers, of = self._numbers(without_target(X, self.target_.name, self.n_features_in_))
        n = int(of[-1]) + 1 if len(of) else 0
        with torch.no_grad():
            inputs = self.coder_.of_numbers(numbers)
            location = torch.stack([model(inputs) for model in self.locations_], 1)
            spread = None if self.spread_ is None else self.spread_(inputs)
        tables = self._tables(numbers, location, spread)
        if self.target_.classes is not None:
            return self._class_distribution(tables, of, n)

        def pieces(a: int, b: int) -> Pieces:
            rows = np.flatnonzero((of >= a) & (of < b))
            parts = [
                regrouped(c.conditional(tables.take(rows)).pieces(TARGET), c.weight, of[rows] - a)
                for c in self.components_
            ]
            low, high, weight = (np.concatenate(part, 1) for part in zip(*parts, strict=True))
            return low, high, weight

        def log_prob(y: Any) -> np.ndarray:
            targets = one_column(y)
            if len(targets) != n:
                raise DataError(f"Got {len(targets)} targets for {n} rows. Expected as many.")
            each = targets.iloc[of].reset_index(drop=True)
            own = [math.log(c.weight) + c.log_prob(tables, each) for c in self.components_]
            total = torch.stack(own).logsumexp(0)
            return averaged(total, of, n)

        block = max(1, _BLOCK * n // max(1, len(of)))
        return PredictiveDistribution(pieces, log_prob, n, self.target_.write, block)

    def _numbers(self, X: Any) -> tuple[Tensor, np.ndarray]:
        """Coordinates (N, D) of rows, completed several times, and the row that each is of."""
        if self.inputs_ is None:
            numbers = self.coder_.numbers(X)
            return numbers, np.arange(len(numbers))
        _, _, known = self.columns_.encode_known(X)
        n = len(known)
        if bool(known.all()):
            numbers = self.coder_.numbers(X)
            return numbers, np.arange(n)
        given = self.inputs_.given(X, n_draws=10 * _COMPLETIONS, random_state=0)
        whole = given.sample(_COMPLETIONS, random_state=0)
        numbers = self.coder_.numbers(whole)
        of = np.repeat(np.arange(n), _COMPLETIONS)
        # rows without missing cells are there once
        once = known.all(dim=1).numpy()[of] & (np.arange(len(of)) % _COMPLETIONS > 0)
        return numbers[torch.from_numpy(~once)], of[~once]

    def _class_distribution(self, tables: Tables, of: np.ndarray, n: int) -> ClassDistribution:
        """Probabilities of the classes, averaged over components and completions."""
        classes = self.target_.classes
        assert classes is not None
        total = np.zeros((len(of), len(classes)))
        for component in self.components_:
            found = component.conditional(tables).probabilities(TARGET)
            codes = [int(code) for code in found.columns]
            total[:, codes] += component.weight * found.to_numpy()
        count = np.bincount(of, minlength=n)[:, None]
        mean = np.zeros((n, len(classes)))
        np.add.at(mean, of, total)
        mean = mean / count
        # a class that trees have never seen beside these inputs is rare, not impossible
        least = 1 / (self.columns_.n_rows + 2.0) / len(classes)
        mean = np.maximum(mean, least)
        return ClassDistribution(classes, mean / mean.sum(1, keepdims=True))

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
        chosen = np.zeros(len(given), dtype=int)
        if isinstance(given, ClassDistribution) and len(self.locations_) > 1:
            chosen = given.probability.argmax(1)
        sign = np.ones(len(given))
        if isinstance(given, ClassDistribution) and len(self.locations_) == 1:
            sign = np.where(given.probability.argmax(1) == 1, 1.0, -1.0)
        cells = cells_by_label(X, self.columns_.modelled)
        records: list[tuple[Any, ...]] = []
        for row, k in enumerate(chosen):
            own = numbers[torch.from_numpy(of == row)]

            def predict(
                points: Tensor, location: StackedRegression = self.locations_[k]
            ) -> Tensor:
                return self._in_units(location(self.coder_.of_numbers(points)))

            with torch.no_grad():
                found = shapley_values(predict, own, self.background_, 0)[0].mean(0)
            effects = dict.fromkeys(self.columns_.modelled, 0.0)
            for label, effect in zip(self.columns_.modelled, found.tolist(), strict=True):
                effects[label] += effect  # of dates those of their parts
            for label, effect in effects.items():
                records.append((row, label, cells[label][row], sign[row] * effect))
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
    def classes_(self) -> np.ndarray:
        """The classes of a classification, sorted."""
        if "target_" not in vars(self) or self.target_.classes is None:
            raise AttributeError("This Predictor has no classes_: it is no fitted classifier.")
        return self.target_.classes

    def __sklearn_is_fitted__(self) -> bool:
        return "components_" in vars(self)

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
        components = []
        for component in self.components_:
            config, _ = packed(component.density)
            components.append(
                {"name": component.name, "weight": component.weight, "density": config}
            )
        classes = self.target_.classes
        return {
            "columns": self.columns_.to_config(),
            "target_columns": self.target_.columns.to_config(),
            "name": self.target_.name,
            "classes": None if classes is None else classes.tolist(),
            "class_dtype": None if classes is None else classes.dtype.str,
            "inputs": None if self.inputs_ is None else packed(self.inputs_)[0],
            "locations": [model.kinds for model in self.locations_],
            "spread": None if self.spread_ is None else self.spread_.kinds,
            "spread_range": None if self.spread_ is None else list(self._spread_range),
            "components": components,
            "trials": self.trials_,
            "n_without_target": self.n_without_target_,
            "held_out": None if math.isnan(self.held_out_) else self.held_out_,
        }

    def _tensors(self) -> dict[str, Tensor]:
        tensors = dict(self.coder_.state_dict(prefix="coder."))
        tensors["background"] = self.background_
        if self.target_.classes is None:
            tensors["knots"] = self.knots_
        for i, model in enumerate(self.locations_):
            tensors |= model.state_dict(prefix=f"locations.{i}.")
        if self.spread_ is not None:
            tensors |= self.spread_.state_dict(prefix="spread.")
        parts = {f"components.{i}.": c.density for i, c in enumerate(self.components_)}
        if self.inputs_ is not None:
            parts["inputs."] = self.inputs_
        for prefix, density in parts.items():
            tensors |= {prefix + key: value for key, value in packed(density)[1].items()}
        return tensors

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.columns_ = Columns.from_config(state["columns"])
        self.n_features_in_ = self.columns_.n_columns
        if self.columns_.feature_names is not None:
            self.feature_names_in_ = np.asarray(self.columns_.feature_names, dtype=object)
        self.target_ = Target.from_state(
            state["name"], state["target_columns"], state["classes"], state["class_dtype"]
        )
        self.coder_ = InputCoder.from_state(self.columns_, with_prefix(tensors, "coder."))
        none = self.coder_.of_numbers(torch.zeros(0, self.columns_.n_coordinates).double())
        self.locations_ = [
            StackedRegression.from_state(kinds, with_prefix(tensors, f"locations.{i}."), none)
            for i, kinds in enumerate(state["locations"])
        ]
        self.background_, self.spread_ = tensors["background"], None
        if self.target_.classes is None:
            self.knots_ = tensors["knots"]
            part = with_prefix(tensors, "spread.")
            self.spread_ = StackedRegression.from_state(state["spread"], part, none)
            low, high = state["spread_range"]
            self._spread_range = float(low), float(high)
        self.inputs_ = _density(state["inputs"], with_prefix(tensors, "inputs."))
        self.n_without_target_ = int(state["n_without_target"])
        held_out = state["held_out"]
        self.held_out_ = math.nan if held_out is None else float(held_out)
        self.trials_ = [
            {
                "density": str(t["density"]),
                "held_out": None if t["held_out"] is None else float(t["held_out"]),
                "weight": float(t["weight"]),
            }
            for t in state["trials"]
        ]
        self.components_ = []
        for i, one in enumerate(state["components"]):
            density = _density(one["density"], with_prefix(tensors, f"components.{i}."))
            if density is not None:
                self.components_.append(Component(str(one["name"]), density, float(one["weight"])))
        self._check_restored()

    def _check_restored(self) -> None:
        """Refuse parts that do not belong together, before the first prediction.

        Raises:
            ValueError: then.
        """
        outputs = 1
        if self.target_.classes is not None and len(self.target_.classes) > 2:
            outputs = len(self.target_.classes)
        if not self.components_ or len(self.locations_) != outputs:
            raise ValueError("a predictor has other regressions or densities than its target asks")
        weights = torch.tensor([c.weight for c in self.components_])
        if (
            not bool(((weights > 0) & (weights <= 1)).all())
            or abs(float(weights.sum()) - 1) > 1e-6
        ):
            raise ValueError("the weights of a pool are no shares")
        if self.background_.ndim != 2 or not bool(self.background_.isfinite().all()):
            raise ValueError("the rows to compare with are no rows")
        inputs = self.coder_.of_numbers(self.background_.double())
        location = torch.stack([model(inputs) for model in self.locations_], 1)
        spread = None
        if self.spread_ is not None:
            spread = self.spread_(inputs)
            if not self._spread_range[0] <= self._spread_range[1]:
                raise ValueError("the range of the spread ends before it begins")
            if self.knots_.ndim != 2 or len(self.knots_) != 2 or self.knots_.shape[1] < 1:
                raise ValueError("the quantiles of a target are none")
            if not bool(self.knots_.isfinite().all() and (self.knots_[0].diff() > 0).all()):
                raise ValueError("the quantiles of a target do not rise")
            self._in_units(location[:, 0])
        tables = self._tables(self.background_, location, spread)
        for component in self.components_:
            wanted = [*tables.frames[component.name].columns, TARGET]
            if list(component.density.columns_.labels) != wanted:
                raise ValueError("a conditional density is of other columns")
            component.density.columns_.encode(
                tables.frames[component.name].assign(
                    **{TARGET: component.density.sample(1, random_state=0)[TARGET].iloc[0]}
                )
            )


def _density(config: Any, tensors: dict[str, Tensor]) -> AutoDensity | None:
    """A density within a model, or None.

    Raises:
        ModelFileError: for a model of another class.
    """
    if config is None:
        return None
    if not isinstance(config, dict) or config.get("class") != "AutoDensity":
        raise ModelFileError("A density within a Predictor is no AutoDensity.")
    return unpacked(config, tensors, "a density within the Predictor")


def _knots(u: Tensor, y: Tensor) -> Tensor:
    """Quantiles of regressed numbers and of the target, (2, K), those of the first rising."""
    level = torch.linspace(0, 1, _KNOTS, dtype=u.dtype)
    at, to = u.quantile(level), y.quantile(level)
    apart = torch.cat([torch.ones(1).bool(), at.diff() > 1e-9 * (at[-1] - at[0])])
    return torch.stack([at[apart], to[apart]])
