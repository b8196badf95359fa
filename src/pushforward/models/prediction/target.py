"""The target of a prediction: what kind of values it has, and its numbers."""

import warnings
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...data import Columns
from ...data.checks import rows_text
from ...data.tables.sheet import Sheet
from ...errors import DataError, LeftOutWarning, stacklevel_of_caller
from ...estimators.missing_cells import rows_of
from ...transport.rows import Rows
from ...wording import did_you_mean, setting, worded
from .pool import TARGET

__all__ = ["Target", "cells_by_label", "divided", "one_column", "with_targets", "without_target"]

_NUMBERS = ("continuous", "mixed", "integer", "grid", "discrete", "date")
_FEWEST = 10  # values of a target whose scale may be bent


@dataclass(frozen=True)
class Target:
    """What was learned of a target.

    Attributes:
        name: what it is called in a frame, or None.
        columns: its codec, a table of one column.
        classes: of a classification, sorted; None of a regression.
    """

    name: str | int | None
    columns: Columns
    classes: np.ndarray | None

    @classmethod
    def learn(
        cls,
        y: pd.Series,
        *,
        name: str | int | None,
        task: str | None,
        kind: str | None,
        bounds: tuple[float | None, float | None] | None,
    ) -> "Target":
        """Find out what kind of values a target has.

        Args:
            y: n targets, none of which is missing.
            name: of the target.
            task: "regression", "classification", or None to find out.
            kind: declared, as of :meth:`Columns.learn`.
            bounds: of its values.

        Raises:
            DataError: for a target with one value, and for text where numbers are asked for.
        """
        classes = _classes(y) if task == "classification" else None
        if classes is None:
            columns = _columns(y, kind, bounds)
            found = columns.kinds[0]
            if found in ("identifier", "text", "empty"):
                numeric = y.dtype.kind in "iuf"
                columns = _columns(y, "continuous" if numeric else "category", bounds)
                found = columns.kinds[0]
            if found in ("category", "boolean") and task == "regression":
                raise DataError(
                    f"The target is {found}, and {setting('task')} is 'regression'. Expected "
                    f"numbers or dates; {setting('task', 'classification')} predicts categories. "
                    "Got text such as "
                    f"{y.iloc[0]!r}; could not convert it to a number."
                )
            if found in ("category", "boolean"):
                classes = _classes(y)
        if classes is not None:
            columns = _columns(pd.Series(_codes(y, classes)), "category", None)
        if columns.kinds[0] == "constant":
            what = "class" if classes is not None else "value"
            raise DataError(
                f"The target has one {what}, {y.iloc[0]}, in all {len(y)} rows. Expected two at "
                "least: there is nothing to predict."
            )
        return cls(name, columns, classes)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Target":
        """Rebuild from what :meth:`to_state` gave.

        Raises:
            ValueError: for what is no target.
        """
        name, classes, dtype = state["name"], state["classes"], state["class_dtype"]
        found = Columns.from_config(state["target_columns"])
        if not isinstance(name, str | int | None) or found.labels != (TARGET,):
            raise ValueError("the target of a predictor is none")
        if classes is not None:
            kind = np.dtype(str(dtype))
            if kind.kind not in "biufUO" or len(set(map(str, classes))) != len(classes) > 1:
                raise ValueError("the classes of a predictor are none")
            values = np.array(classes, dtype=kind)
            if values.ndim != 1:
                raise ValueError("the classes of a predictor are no list")
            classes = values
        return cls(name, found, classes)

    @property
    def kind(self) -> str:
        """Kind of the target's column."""
        return self.columns.kinds[0]

    @property
    def n_regressions(self) -> int:
        """How many numbers are regressed: one of numbers and of two classes, else one a class."""
        return 1 if self.classes is None or len(self.classes) == 2 else len(self.classes)

    def to_state(self) -> dict[str, Any]:
        """What :meth:`from_state` takes, as JSON has it."""
        return {
            "name": self.name,
            "target_columns": self.columns.to_config(),
            "classes": None if self.classes is None else self.classes.tolist(),
            "class_dtype": None if self.classes is None else self.classes.dtype.str,
        }

    def values(self, y: pd.Series) -> pd.Series:
        """Targets as the components have them: themselves, or numbers of their classes."""
        if self.classes is None:
            return y.reset_index(drop=True)
        return pd.Series(_codes(y, self.classes))

    def numbers(self, y: pd.Series) -> Tensor:
        """Numbers to regress, (n, K): the target in standard units, or indicators of classes.

        Of two classes there is one indicator, of more one each.
        """
        if self.classes is not None:
            codes = torch.from_numpy(_codes(y, self.classes))
            indicators = (codes[:, None] == torch.arange(len(self.classes))).double()
            return indicators[:, 1:] if len(self.classes) == 2 else indicators
        values = self.plain(y)
        return ((values - values.mean()) / values.std().clamp_min(1e-300))[:, None]

    def rows(self, y: pd.Series) -> Rows:
        """Targets as coordinates with their kinds."""
        z, _ = self.columns.encode(_frame(self.values(y)))
        return rows_of(self.columns, z, None, z.new_zeros(len(z)))

    def plain(self, y: pd.Series) -> Tensor:
        """Numbers of the target in its units, (n,); dates as counts of theirs."""
        z, _ = self.columns.encode(_frame(y))
        return torch.as_tensor(self.columns.values(z)[TARGET].astype(float))

    def beside(self, y: pd.Series) -> np.ndarray:
        """Targets as values beside a table (n,): numbers, or the names of their classes."""
        return self.plain(y).numpy() if self.classes is None else y.to_numpy(dtype=str)

    def bent(self, y: pd.Series) -> tuple[Tensor, Tensor] | None:
        """The target carried to a normal distribution, (n, 1), and the log slope of that, (n,).

        Both are of the target in standard units. None where it has few values.
        """
        if self.classes is not None:
            return None
        rows = self.rows(y)
        values = len(rows.x[:, 0].unique())
        if values < max(_FEWEST, len(rows) // 20) or bool(rows.discrete.any()):
            return None
        u, slope = rows.fit_margins()(rows.x.T.contiguous())
        if self.columns.columns[0].logarithm is not None:  # the way from the units to rows.x bends
            z, log_det = self.columns.encode(_frame(self.values(y)))
            beside = self.columns.cell_index(z)[:, 0] == 0  # point masses
            log_scale = self.columns.scale.log()
            slope = slope + torch.where(beside, log_det, -log_scale) + self.plain(y).std().log()
        return u.T.contiguous(), slope

    def write(self, values: np.ndarray) -> np.ndarray:
        """Numbers of the target as its cells hold them; dates as dates."""
        return np.asarray(self.columns.write_numbers(TARGET, values))


def divided(X: Any, y: Any, target: str | int | None) -> tuple[Any, pd.Series, str | int | None]:
    """The inputs, the targets, and the name of these.

    Args:
        X: table, with the target among its columns where ``y`` is None.
        y: (n,) targets, or None.
        target: name of the column of the target, or its position in an array.

    Raises:
        DataError: for a target that is not there.
    """
    if y is not None:
        return X, one_column(y), target
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if target is None:
        names = frame.columns[:20] if isinstance(frame, nw.DataFrame) else "its columns"
        raise DataError(
            worded(
                "requires y to be passed, but the target y is None. Give the targets as y, or "
                "Predictor(target=...) the name of their column in X.",
                f"No target was named. Expected {setting('target', 'NAME')}, one of {names}.",
            )
        )
    if isinstance(frame, nw.DataFrame):
        if target not in frame.columns:
            hint = did_you_mean(target, frame.columns)
            raise DataError(
                f"{worded('X', 'The table')} has no column {target!r}{hint}. Expected the target "
                f"among {frame.columns[:20]}."
            )
        return frame.drop(target).to_native(), one_column(frame[target].to_native()), target
    array = X if isinstance(X, Tensor) else np.asarray(X)
    if array.ndim != 2 or not isinstance(target, int) or not 0 <= target < array.shape[1]:
        raise DataError(
            f"X is an array of shape {tuple(array.shape)}, and target is {target!r}. Expected the "
            "number of a column, or a frame."
        )
    rest = [j for j in range(array.shape[1]) if j != target]
    return array[:, rest], one_column(array[:, target]), target


def with_targets(X: Any, y: pd.Series, missing: str) -> tuple[Any, pd.Series]:
    """The rows that have a target.

    Args:
        X: table of n rows.
        y: n targets.
        missing: what is done about missing cells, as of ``Predictor``.

    Raises:
        DataError: for another number of rows, infinite targets, and missing ones where they are
            refused or are all there is.

    Warns:
        LeftOutWarning: where rows are left out.
    """
    n = Sheet.open(X, "Predictor").n_rows
    if n != len(y):
        raise DataError(
            f"X and y have inconsistent numbers of rows: {n} and {len(y)}. Expected as many."
        )
    there = y.notna().to_numpy()
    if y.dtype.kind == "f" and not np.isfinite(y[there]).all():
        raise DataError(
            f"Input y contains infinity: {rows_text(np.isinf(y.to_numpy()))}. Expected finite "
            "numbers: mend or leave out these rows."
        )
    if there.all():
        return X, y
    if not there.any() or missing == "error":
        raise DataError(
            f"Input y contains NaN: {(~there).sum()} of {n} targets are missing. Expected "
            f"targets; {setting('missing', 'drop')} leaves out rows without one."
        )
    warnings.warn(
        f"{(~there).sum()} of {n} rows left out: their target is missing",
        LeftOutWarning,
        stacklevel=stacklevel_of_caller(),
    )
    columns = Columns.learn(X, missing="model", min_rows=1).columns
    return columns.take(X, there), y.loc[there].reset_index(drop=True)


def without_target(X: Any, name: str | int | None, columns: int) -> Any:
    """Rows to predict without the target, which may stand among their columns.

    Args:
        X: table.
        name: of the target, or its position, or None.
        columns: how many inputs there are.
    """
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return frame.drop(name).to_native() if name in frame.columns else X
    if isinstance(name, int) and isinstance(X, np.ndarray | Tensor) and X.ndim == 2:
        rest = [j for j in range(X.shape[1]) if j != name]
        return X[:, rest] if X.shape[1] == columns + 1 else X
    return X


def cells_by_label(X: Any, labels: tuple[str | int, ...]) -> dict[str | int, list[Any]]:
    """Cells of columns of a table in any container; None of columns that are not there."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        none = [None] * len(frame)
        there = set(frame.columns)
        return {x: frame[x].to_list() if x in there else none for x in labels}
    array = X.detach().cpu().numpy() if isinstance(X, Tensor) else np.asarray(X)
    return {x: array[:, int(x)].tolist() for x in labels}


def one_column(y: Any) -> pd.Series:
    """Targets in any container as a pandas series numbered from 0."""
    if isinstance(y, pd.Series):
        return y.reset_index(drop=True)
    if isinstance(y, Tensor):
        y = y.detach().cpu().numpy()
    frame = nw.from_native(y, eager_only=True, allow_series=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        if len(frame.columns) != 1:
            raise DataError(f"y has {len(frame.columns)} columns. Expected one.")
        frame = frame[frame.columns[0]]
    if isinstance(frame, nw.Series):
        return pd.Series(frame.to_list())
    array = np.asarray(y)
    if array.dtype.kind == "c":
        raise DataError("Complex data not supported\ny has complex numbers. Expected real ones.")
    if array.ndim == 2 and array.shape[1] == 1:
        array = _raveled(array)
    if array.ndim != 1:
        raise DataError(
            f"y should be a 1d array, got an array of shape {array.shape} instead. Expected one "
            "target a row."
        )
    return pd.Series(array)


def _raveled(array: np.ndarray) -> np.ndarray:
    import warnings

    from sklearn.exceptions import DataConversionWarning

    warnings.warn(
        "A column-vector y was passed when a 1d array was expected. It is taken as (n,).",
        DataConversionWarning,
        stacklevel=stacklevel_of_caller(),
    )
    return array[:, 0]


def _frame(y: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({TARGET: y})


def _columns(
    y: pd.Series, kind: str | None, bounds: tuple[float | None, float | None] | None
) -> Columns:
    return Columns.learn(
        _frame(y),
        columns=None if kind is None else {TARGET: kind},
        bounds=None if bounds is None else {TARGET: bounds},
        estimator="Predictor",
    ).columns


def _classes(y: pd.Series) -> np.ndarray:
    values = y.to_numpy()
    if values.dtype.kind == "f" and not (np.isfinite(values) & (values == values.round())).all():
        raise DataError(
            f"Unknown label type: continuous. The target has fractions, and {setting('task')} is "
            f"'classification'. Expected classes; {setting('task', 'regression')} predicts "
            "numbers."
        )
    found = list(dict.fromkeys(y.tolist()))
    try:
        return np.array(sorted(found), dtype=values.dtype if values.dtype.kind != "O" else None)
    except TypeError:  # of values that have no order among themselves
        return np.array(sorted(found, key=str), dtype=object)


def _codes(y: pd.Series, classes: np.ndarray) -> np.ndarray:
    place = {value: i for i, value in enumerate(classes.tolist())}
    return np.array([place.get(value, -1) for value in y.tolist()], dtype=np.int64)
