"""The codec of tables: to the model's coordinates and back, with the log-determinant."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from . import columns_config
from .column import Column
from .column_reader import PartCells, TableReader, read_known
from .constraints import Constraint
from .containers import Layout
from .coordinates import Coordinates
from .learn_columns import decide
from .missing_cells import MOST_MISSING
from .partial_rows import PartialRows
from .sheet import Sheet
from .table_builder import TableBuilder

__all__ = ["Columns", "Learned"]


class Learned(NamedTuple):
    """What :meth:`Columns.learn` returns.

    Attributes:
        columns: the learned :class:`Columns`.
        X: the rows that were learned from, in the user's container; the very object that was
            passed when all rows were kept.
        sample_weight: their weights, float64 of shape (n_kept,), or None.
        kept: boolean mask of shape (n,): False for rows with missing cells that were dropped and
            for rows of zero weight.
    """

    columns: "Columns"
    X: Any
    sample_weight: np.ndarray | None
    kept: np.ndarray


class Columns(PartialRows):
    """The kinds, scales and categories of a table's columns, and the maps to coordinates and back.

    This is the :class:`~pushforward.data.Codec` of tables.

    A model sees coordinates: a float64 tensor of shape (n, D), D being the number of columns
    that are neither constant nor computed from others.

    * **continuous**: (x - loc) / scale, with mean and standard deviation.
    * **on a logarithmic scale**: numbers that spread over orders of magnitude, be they continuous,
      beside atoms, or cells of a wide range, go through
      :class:`~pushforward.data.tables.log_transform.LogTransform` before that. The density is
      still per unit of the column.
    * **bounded** (declared): carried to the whole line by
      :class:`~pushforward.data.tables.bounded_transform.BoundedTransform`, then standardised.
    * **integer**: dequantised, (k + u - loc) / scale with u uniform on (0, 1). The density of
      k + u on its unit cell is then the probability of k (Theis, van den Oord and Bethge, "A note
      on the evaluation of generative models", 2016).
    * **grid**: a measurement recorded in fixed steps, so that rows share values; its cells are
      dequantised likewise, and the density is that of x (per unit, not per cell).
    * **discrete**: a list of numbers, such as prices; the index of the value, dequantised
      likewise. Its cell reaches half way to its neighbours, and the density is that of x: that of
      the cell divided by its width. A value that was never seen counts in the cell it lies in.
    * **mixed**: numbers among which some values, the atoms, have a probability of their own, such
      as zero. An interval is inserted in the line at each atom, over which it is dequantised
      (:class:`~pushforward.data.tables.point_masses.Atoms`). An atom counts with its
      probability, any other value with its density per unit.
    * **category**, **boolean**: the index by descending frequency, dequantised likewise. A value
      that was never seen falls in the cell after the last. Of more than 1,000 texts the rarest
      share one cell (:class:`~pushforward.data.tables.rare_levels.RareLevels`).
    * **date**: whole numbers of months, days, seconds or parts of them on a grid of their own
      steps, or a list like a discrete column. Where they show a season, the day, week or year
      and the place in it are a coordinate each
      (:class:`~pushforward.data.tables.calendar.Calendar`).
    * **computed**: no coordinate. Numbers that are the same linear function of others in all
      rows, such as a total of its parts
      (:func:`~pushforward.data.tables.linear_formula.find_formulas`), or a product of powers or
      logarithm (:func:`~pushforward.data.tables.power_formula.find_powers`), follow it in
      :meth:`decode`. Whether a row follows it counts like the value of a constant column.
    * **constant**: no coordinate. It counts as a category seen in n of n rows, with add-one
      smoothing: the same value adds log((n+1)/(n+2)) to the log-determinant, any other
      log(1/(n+2)).
    * **identifier**, **text**, **empty**, **drop**: left out of the density. Identifiers are
      numbered anew in :meth:`decode`; text and empty columns are empty there, and dropped ones
      are not there.

    What a column is follows from its values (:mod:`pushforward.data.tables.column_contents` and
    :mod:`pushforward.data.tables.repeated_values` hold the rules), or is declared.

    Build it with :meth:`learn`.

    Examples:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"size": [1.5, 2.0, 4.0], "kind": ["a", "b", "a"]})
        >>> columns = Columns.learn(frame).columns
        >>> columns.kinds
        ('continuous', 'category')
        >>> z, log_det = columns.encode(frame)
        >>> z.shape, log_det.shape
        (torch.Size([3, 2]), torch.Size([3]))
        >>> columns.decode(z).equals(frame)
        True
    """

    def __init__(
        self,
        layout: Layout,
        columns: tuple[Column, ...],
        n_rows: int,
        estimator: str = "Columns",
        n_left_out: int = 0,
        constraints: tuple[Constraint, ...] = (),
    ) -> None:
        self.layout = layout
        self.columns = columns
        self.n_rows = n_rows
        self.estimator = estimator
        self.n_left_out = n_left_out
        self.constraints = constraints
        self._reader = TableReader(layout, columns, estimator)
        self._modelled = [j for j, column in enumerate(columns) for _ in column.coordinates]
        self._coordinates = Coordinates(
            [part for column in columns for part in column.coordinates],
            [layout.labels[j] for j in self._modelled],
            [word for column in columns for word in column.words],
        )
        self._builder = TableBuilder(layout, columns, self._coordinates)

    @classmethod
    def learn(
        cls,
        X: Any,
        *,
        columns: dict | None = None,
        bounds: dict | None = None,
        missing: str = "error",
        sample_weight: Any = None,
        estimator: str = "Columns",
        min_rows: int = 2,
        smooth: bool = False,
        seasons: bool = False,
        beside: np.ndarray | None = None,
        constraints: Sequence[str] | None = None,
        most_missing: float = MOST_MISSING,
    ) -> Learned:
        """Learn what the columns are, their locations and scales.

        Args:
            X: table of shape (n, p): a pandas, polars or pyarrow frame, a NumPy array, a list of
                rows or a torch tensor.
            columns: kinds that are not to be recognised but taken as given: a dict from a
                column's name (its position in an array) to "continuous", "mixed", "integer",
                "grid", "discrete", "date", "category", "boolean", "identifier", "text" or "drop".
                A constant column stays constant.
            bounds: a dict from a column's name (or position) to (low, high), the interval of the
                values it can take; either end may be None. (None, None) takes away the bounds
                that samples would keep to because the rows show them.
            missing: "error" refuses missing cells, "drop" leaves out the rows that have one.
                "model" keeps all rows that have a cell: what is learned of a column is learned of
                the cells that are there. "auto" is that after leaving out the columns of a frame,
                but those that are declared, of which too little is known.
            sample_weight: shape (n,), weights >= 0. A row of weight zero counts as absent.
            estimator: name of the model, for the texts of errors.
            min_rows: fewest rows that are enough.
            smooth: whether the model is smooth along every coordinate, so that a value with most
                of the rows would spill into the values beside it: whole numbers and grids with
                such a value are then mixed columns.
            seasons: whether dates that show a season are divided by the calendar
                (:func:`~pushforward.data.tables.seasons.find_calendar`).
            beside: (n,) values that are no column of the table, but may come with a season of its
                dates: the targets of a prediction.
            constraints: what rows keep to, such as "start <= end", "a + b == total" and
                "city -> country"; see :func:`~pushforward.data.tables.constraints.parse`.
            most_missing: with "auto", the share of the cells of a column that may be missing; of
                a column with more than half of them missing, 20 have to be known at least.

        Returns:
            A :class:`Learned`: the columns, and the rows and weights that were kept.

        Raises:
            DataError: for data that cannot be used; the text names the columns and rows.
            ParameterError: for columns, bounds or missing that are not usable.
        """
        decided = decide(
            X,
            columns=columns,
            bounds=bounds,
            missing=missing,
            sample_weight=sample_weight,
            estimator=estimator,
            min_rows=min_rows,
            smooth=smooth,
            seasons=seasons,
            beside=beside,
            constraints=constraints,
            most_missing=most_missing,
        )
        sheet, found, weights, kept = decided.sheet, decided.columns, decided.weights, decided.kept
        n_left_out = decided.n_left_out
        rough = cls(sheet.layout, tuple(found), sheet.n_rows, estimator, n_left_out)
        if all(known.all() for known, _, _ in decided.cells.values()):
            cells = {j: (values, family) for j, (_, values, family) in decided.cells.items()}
            numbers, known = rough._reader.numbers(sheet, cells), None
        else:
            numbers, known = rough._reader.known_numbers(sheet.n_rows, decided.cells)
        moments = rough._coordinates.moments(numbers, weights, known)
        pairs = iter(moments)
        for j, column in enumerate(found):
            parts = []
            for part in column.coordinates:
                loc, scale = next(pairs)
                parts.append(replace(part, loc=loc, scale=scale))
            if column.calendar is not None:
                found[j] = replace(column, parts=tuple(parts))
            elif parts:
                (found[j],) = parts
        learned = cls(
            sheet.layout,
            tuple(found),
            sheet.n_rows,
            estimator,
            n_left_out,
            decided.constraints,
        )
        return Learned(learned, sheet.native, weights, kept)

    # What was learned

    @property
    def kind(self) -> str:
        """What the data are: "table"."""
        return "table"

    @property
    def event_shape(self) -> tuple[int]:
        """Shape of what models see of a row: (D,)."""
        return (self.n_coordinates,)

    @property
    def n_columns(self) -> int:
        """Number p of columns of the table."""
        return len(self.columns)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kind of each of the p columns."""
        return tuple(column.kind for column in self.columns)

    @property
    def labels(self) -> tuple[str | int, ...]:
        """Names of the p columns in a frame, positions in an array."""
        return self.layout.labels

    @property
    def feature_names(self) -> list[str] | None:
        """Names of the p columns if all are text, as scikit-learn's ``feature_names_in_``."""
        names = [label for label in self.labels if isinstance(label, str)]
        return names if len(names) == self.n_columns else None

    def describe(self) -> list[dict[str, Any]]:
        """Describe each column by name, kind, range, categories and count, for a table of them.

        "missing" is the share of rows in which the cell was missing, "why" what the kind was
        recognised by, "note" what the user should know. Entries that do not apply are None.
        """
        return [
            column.describe(label) for label, column in zip(self.labels, self.columns, strict=True)
        ]

    # To the model

    def open(self, X: Any) -> Any:
        """A table as users give it; lists of rows become an array.

        Raises:
            DataError: for what is no table.
        """
        return Sheet.open(X, self.estimator).native

    def encode(
        self, X: Any, draw: int | np.random.Generator = 0, *, checked: bool = True
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Map a table to the model's coordinates.

        Args:
            X: table of shape (n, p) with the columns seen in fit, in any container.
            draw: source of the noise that dequantises discrete columns. A number >= 0 gives
                noise that is a function of that number and the row's own values, so that a row's
                score does not depend on the rows beside it; each number is another draw. A
                generator gives random noise, for fitting.
            checked: whether rows that break a constraint are refused.

        Returns:
            ``(z, log_det)`` of shapes (n, D) and (n,), float64, such that the log density of a
            row in the user's units, in nats, is the model's log density of z plus log_det.

        Raises:
            DataError: for other columns than in fit, missing or infinite cells, values outside
                declared bounds, rows that break a constraint.

        Warns:
            UserWarning: for fractions in an integer column, which count as the nearest.
        """
        sheet, places = self._reader.open(X)
        cells = self._reader.cells(sheet, places)
        if checked:
            self._check_constraints({j: cell for j, (cell, _) in cells.items()})
        z, log_det = self._coordinates.forward(self._reader.numbers(sheet, cells), draw)
        log_det += self._certain(cells, sheet.n_rows)
        return torch.from_numpy(z), torch.from_numpy(log_det)

    def complete(self, X: Any, *, more: bool = False) -> np.ndarray:
        """Mark the rows of a table that have no missing cells, boolean of shape (n,).

        Cells of columns that are left out do not count. Words where numbers or dates were in fit
        count as missing.

        Args:
            X: the table.
            more: whether it may have other columns besides, and all in any order.

        Raises:
            DataError: for other columns than in fit.
        """
        sheet, places = self._reader.find(X) if more else self._reader.open(X)
        return np.logical_not(self._reader.gaps(sheet, places).any(axis=1))

    def places(self, X: Any) -> dict[str | int, int]:
        """Where the columns of a table are: a dict from the names in fit to positions in X."""
        _, places = self._reader.open(X)
        found = zip(self.labels, places, strict=True)
        return {label: place for label, place in found if place is not None}

    def take(self, X: Any, rows: np.ndarray) -> Any:
        """Return the rows of a table where the boolean mask of shape (n,) is set."""
        return Sheet.open(X, self.estimator).take(rows).native

    def cells(self, X: Any) -> dict[int, tuple[np.ndarray, str]]:
        """Read the cells of a table, which may have other columns besides.

        Args:
            X: table with the columns seen in fit, in any order, and no missing cells in them.

        Returns:
            For each of the p columns that is not left out, by its number: values of shape (n,),
            which are numbers, categories or counts of a date's unit, and "bool", "int", "float" or
            "text".

        Raises:
            DataError: for lacking columns, missing or infinite cells, text for numbers.
        """
        return self._reader.cells(*self._reader.find(X))

    def known_cells(self, X: Any) -> PartCells:
        """Read the cells that are not missing, of a table that may have other columns besides.

        Args:
            X: table with the columns seen in fit, in any order.

        Returns:
            As :meth:`cells`, with the mask (n,) of the cells that are known before their values.

        Raises:
            DataError: for lacking columns, infinite cells, text for numbers.
        """
        sheet, places = self._reader.find(X)
        return read_known(sheet, places, self.columns, self._reader.gaps(sheet, places))

    def kept(self) -> "Columns":
        """The columns without those that are left out."""
        kept = [j for j, column in enumerate(self.columns) if not column.left_out]
        now = {j: i for i, j in enumerate(kept)}
        columns = tuple(
            replace(
                column,
                formula=None if column.formula is None else column.formula.among(now),
                origin=None if column.origin is None else now[column.origin],
                addends=tuple(now[j] for j in column.addends),
            )
            for column in (self.columns[j] for j in kept)
        )
        rules = tuple(
            replace(rule, places=tuple(now[j] for j in rule.places)) for rule in self.constraints
        )
        layout = self.layout.take(kept)
        return type(self)(layout, columns, self.n_rows, self.estimator, self.n_left_out, rules)

    def exceptions(self, X: Any) -> dict[str | int, np.ndarray]:
        """Where rows break what all rows of the fit kept to.

        Args:
            X: table with the columns seen in fit, in any container.

        Returns:
            For each constant or computed column, by its label, a boolean array of shape (n,):
            whether the row has another value than that of the fit, or than its formula gives.
        """
        sheet, places = self._reader.open(X)
        found = self._exceptions(self._reader.cells(sheet, places))
        return {self.labels[j]: broken for j, broken in found.items()}

    def _check_constraints(self, values: Mapping[int, np.ndarray]) -> None:
        """Refuse complete rows that break a constraint."""
        for rule in self.constraints:
            rule.check(values, self.columns)

    def _exceptions(self, cells: dict[int, tuple[np.ndarray, str]]) -> dict[int, np.ndarray]:
        values = {j: cell for j, (cell, _) in cells.items()}
        found = {}
        for j, column in enumerate(self.columns):
            if column.kind == "constant":
                found[j] = np.not_equal(values[j], column.values[0])
            elif column.formula is not None:
                found[j] = ~column.formula.holds(values[j], values)
        return found

    def _certain(self, cells: dict[int, tuple[np.ndarray, str]], n: int) -> np.ndarray:
        """Return the log-probability of the constant and the computed columns, shape (n,)."""
        log_probability = np.zeros(n)
        for broken in self._exceptions(cells).values():
            share = np.where(broken, 1.0, self.n_rows + 1.0) / (self.n_rows + 2.0)
            log_probability += np.log(share)
        return log_probability

    # Back to the user

    def decode(
        self,
        z: torch.Tensor,
        *,
        exact: bool = False,
        gaps: Mapping[int, np.ndarray] | None = None,
    ) -> Any:
        """Map coordinates back to a table in the container, names and dtypes seen in fit.

        Discrete values are the cell that z falls in, clipped to those seen in fit; bounded values
        are clipped to their bounds, and all to the finite range of their dtype. Other numbers are
        rounded to the decimals of the data and kept within the bounds that the rows of the fit
        show. Rows are numbered from 0: a pandas index is not kept.

        Args:
            z: shape (n, D), of any float dtype and device.
            exact: whether numbers stay what z says, neither rounded nor kept within such bounds:
                the inverse of :meth:`encode` for any row.
            gaps: which cells (n,) are missing in it, by the number of the column; None for none.

        Raises:
            DataError: for another shape, and for NaN or infinite coordinates.
        """
        return self._builder.build(z, exact=exact, gaps=gaps)

    def number_on(self, X: Any, before: int) -> Any:
        """Renumber the identifiers of sampled rows that follow ``before`` others.

        Args:
            X: table that :meth:`decode` returned.
            before: rows that were sampled before these.
        """
        if not before or "identifier" not in self.kinds:
            return X
        sheet, places = self._reader.open(X)
        return self._builder.renumbered(sheet, places, before)

    def quantise(self, z: torch.Tensor) -> torch.Tensor:
        """Coordinates (n, D) as they are once the user has the rows.

        Those with cells lie anywhere in the cell of the value they decode to, at random by a seed
        that is the number of rows. Where no column has cells, z comes back as it is.
        """
        if not bool(self.dequantised.any()):
            return z
        draw = np.random.default_rng(len(z))
        return self.encode(self.decode(z.double()), draw)[0].to(z)

    # To a file

    def to_config(self) -> dict[str, Any]:
        """Return all that was learned as JSON values; :meth:`from_config` reads them exactly."""
        return columns_config.write(
            self.layout,
            self.columns,
            self.n_rows,
            self.estimator,
            self.n_left_out,
            self.constraints,
        )

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> "Columns":
        """Build the columns that :meth:`to_config` described.

        Raises:
            ModelFileError: for an unknown, missing or wrong entry.
        """
        return cls(*columns_config.read(values))
