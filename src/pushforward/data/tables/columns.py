"""Carries a table to the model's coordinates and back, with its log-determinant."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from ...errors import DataError
from ..checks import rows_text
from . import columns_config
from .column import Column
from .column_contents import write
from .column_reader import TableReader
from .containers import Layout, Sheet
from .coordinates import Coordinates
from .learn_columns import decide
from .unmodelled_columns import replacement_cells

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


class Columns:
    """Knows what the columns of a table are; nothing else in the package does.

    This is the :class:`~pushforward.data.Codec` of tables.

    A model sees coordinates: a float64 tensor of shape (n, D), D being the number of columns
    that are neither constant nor computed from others.

    * **continuous**: (x - loc) / scale, with mean and standard deviation.
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
      that was never seen falls in the cell after the last.
    * **date**: whole numbers of months, days, seconds or parts of them on a grid of their own
      steps, or a list like a discrete column.
    * **computed**: no coordinate. Numbers that are the same linear function of others in all
      rows, such as a total of its parts
      (:func:`~pushforward.data.tables.linear_formula.find_formulas`), follow it in
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
    ) -> None:
        self.layout = layout
        self.columns = columns
        self.n_rows = n_rows
        self.estimator = estimator
        self.n_left_out = n_left_out
        self._reader = TableReader(layout, columns, estimator)
        self._modelled = [j for j, column in enumerate(columns) if column.has_coordinate]
        self._coordinates = Coordinates(
            [columns[j] for j in self._modelled], [layout.labels[j] for j in self._modelled]
        )

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
                "auto" leaves out columns of a frame with most of their cells missing first, but
                those that are declared, and refuses where less than half of the rows are left;
                of an array it is "error".
            sample_weight: shape (n,), weights >= 0. A row of weight zero counts as absent.
            estimator: name of the model, for the texts of errors.
            min_rows: fewest rows that are enough.

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
        )
        sheet, found, weights, kept = decided.sheet, decided.columns, decided.weights, decided.kept
        n_left_out = decided.n_left_out
        rough = cls(sheet.layout, tuple(found), sheet.n_rows, estimator, n_left_out)
        moments = rough._coordinates.moments(rough._numbers(sheet, decided.cells), weights)
        for j, (loc, scale) in zip(rough._modelled, moments, strict=True):
            found[j] = replace(found[j], loc=loc, scale=scale)
        learned = cls(sheet.layout, tuple(found), sheet.n_rows, estimator, n_left_out)
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
    def n_coordinates(self) -> int:
        """Number D of coordinates the model sees."""
        return len(self._modelled)

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

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the D coordinates; "x0", "x1", ... where columns have only positions."""
        return self._coordinates.names

    @property
    def discrete(self) -> torch.Tensor:
        """Boolean of shape (D,): which coordinates are dequantised cells."""
        return torch.from_numpy(self._coordinates.discrete.copy())

    @property
    def nominal(self) -> torch.Tensor:
        """Boolean of shape (D,): which coordinates are categories, whose order means nothing."""
        return torch.from_numpy(self._coordinates.nominal.copy())

    @property
    def listed(self) -> torch.Tensor:
        """Boolean of shape (D,): which coordinates are of columns that are a list of numbers."""
        kinds = [self.columns[j].kind for j in self._modelled]
        return torch.tensor([kind == "discrete" for kind in kinds], dtype=torch.bool)

    @property
    def dequantised(self) -> torch.Tensor:
        """Boolean of shape (D,): the coordinates with noise, discrete or mixed."""
        return torch.from_numpy(self._coordinates.dequantised.copy())

    @property
    def atoms(self) -> tuple[torch.Tensor, ...]:
        """The point masses of each of the D coordinates: float64 of shape (m, 2), m = 0 for none.

        Each row is the interval, in model coordinates, that one value with a probability of its
        own is spread over; in rising order. The model's probability between its ends is that of
        the value.
        """
        return self._coordinates.atoms()

    @property
    def loc(self) -> torch.Tensor:
        """Float64 of shape (D,), subtracted from each coordinate; in the column's own unit.

        For a bounded column it lies on the line that :class:`BoundedTransform` maps to.
        """
        return torch.from_numpy(self._coordinates.loc * self._coordinates.units)

    @property
    def scale(self) -> torch.Tensor:
        """Float64 of shape (D,), divides each coordinate; in the same unit as ``loc``."""
        return torch.from_numpy(self._coordinates.scale * self._coordinates.units)

    def describe(self) -> list[dict[str, Any]]:
        """Describe each column by name, kind, range, categories and count, for a table of them.

        "missing" is the share of rows in which the cell was missing, "why" what the kind was
        recognised by, "note" what the user should know. Entries that do not apply are None.
        """
        return [
            {
                "name": label,
                "kind": column.kind,
                "low": column.shown(column.low),
                "high": column.shown(column.high),
                "bounds": None if column.bounds == (None, None) else column.bounds,
                "categories": None if column.is_list else column.values or None,
                "distinct": column.distinct,
                "missing": column.missing,
                "why": column.why,
                "note": column.note,
            }
            for label, column in zip(self.labels, self.columns, strict=True)
        ]

    # To the model

    def open(self, X: Any) -> Any:
        """A table as users give it; lists of rows become an array.

        Raises:
            DataError: for what is no table.
        """
        return Sheet.open(X, self.estimator).native

    def encode(
        self, X: Any, draw: int | np.random.Generator = 0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Map a table to the model's coordinates.

        Args:
            X: table of shape (n, p) with the columns seen in fit, in any container.
            draw: source of the noise that dequantises discrete columns. A number >= 0 gives
                noise that is a function of that number and the row's own values, so that a row's
                score does not depend on the rows beside it; each number is another draw. A
                generator gives random noise, for fitting.

        Returns:
            ``(z, log_det)`` of shapes (n, D) and (n,), float64, such that the log density of a
            row in the user's units, in nats, is the model's log density of z plus log_det.

        Raises:
            DataError: for other columns than in fit, missing or infinite cells, values outside
                declared bounds.

        Warns:
            UserWarning: for fractions in an integer column, which count as the nearest.
        """
        sheet, places = self._reader.open(X)
        cells = self._reader.cells(sheet, places)
        z, log_det = self._coordinates.forward(self._numbers(sheet, cells), draw)
        log_det += self._certain(cells, sheet.n_rows)
        return torch.from_numpy(z), torch.from_numpy(log_det)

    def complete(self, X: Any) -> np.ndarray:
        """Mark the rows of a table that have no missing cells, boolean of shape (n,).

        Cells of columns that are left out do not count. Words where numbers or dates were in fit
        count as missing.

        Raises:
            DataError: for other columns than in fit.
        """
        sheet, places = self._reader.open(X)
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

    def kept(self) -> "Columns":
        """The columns without those that are left out."""
        kept = [j for j, column in enumerate(self.columns) if not column.left_out]
        now = {j: i for i, j in enumerate(kept)}
        columns = tuple(
            column
            if column.formula is None
            else replace(column, formula=column.formula.among(now))
            for column in (self.columns[j] for j in kept)
        )
        layout = self.layout.take(kept)
        return type(self)(layout, columns, self.n_rows, self.estimator, self.n_left_out)

    def _numbers(self, sheet: Sheet, cells: dict[int, tuple[np.ndarray, str]]) -> np.ndarray:
        """Return the numbers of the columns with a coordinate, float64 of shape (n, D)."""
        matrix = sheet.matrix
        copied = matrix is not None and matrix.dtype.kind in "biuf"
        if matrix is not None and copied:
            modelled = np.array(self._modelled, dtype=np.intp)
            raw = np.take(matrix, modelled, axis=1).astype(np.float64, copy=False)
        else:
            raw = np.empty((sheet.n_rows, self.n_coordinates))
        for i, j in enumerate(self._modelled):
            column = self.columns[j]
            # The copy of an array holds its plain columns already, at a pass for all of them.
            if not copied or column.kind != "continuous" or column.transform.bounded:
                raw[:, i] = column.numbers(*cells[j], self.labels[j])
        return raw

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

    def decode(self, z: torch.Tensor, *, exact: bool = False) -> Any:
        """Map coordinates back to a table in the container, names and dtypes seen in fit.

        Discrete values are the cell that z falls in, clipped to those seen in fit; bounded values
        are clipped to their bounds, and all to the finite range of their dtype. Other numbers are
        rounded to the decimals of the data and kept within the bounds that the rows of the fit
        show. Rows are numbered from 0: a pandas index is not kept.

        Args:
            z: shape (n, D), of any float dtype and device.
            exact: whether numbers stay what z says, neither rounded nor kept within such bounds:
                the inverse of :meth:`encode` for any row.

        Raises:
            DataError: for another shape, and for NaN or infinite coordinates.
        """
        line = np.array(torch.as_tensor(z).detach().cpu().double().numpy())
        if line.ndim != 2 or line.shape[1] != self.n_coordinates:
            raise DataError(f"z has shape {line.shape}. Expected (n, {self.n_coordinates}).")
        bad = np.logical_not(np.isfinite(line)).any(axis=1)
        if bad.any():
            raise DataError(f"z is NaN or infinite in {rows_text(bad)}. Expected finite numbers.")
        numbers = self._decoded_numbers(line, exact)
        out = []
        for j, column in enumerate(self.columns):
            if column.kind == "drop":
                continue
            if column.left_out:
                first = int(column.low or 0) if column.low is not None else 1
                out.append(replacement_cells(column.kind, column.family, first, len(line)))
            elif column.kind == "constant":
                value = column.values[0]
                same = np.full(len(line), value, dtype=None if column.format else object)
                out.append(write(column, same))
            else:
                out.append(write(column, numbers[j]))
        kept = [j for j, column in enumerate(self.columns) if column.kind != "drop"]
        layout = self.layout if len(kept) == self.n_columns else self.layout.take(kept)
        return layout.build(out)

    def _decoded_numbers(self, line: np.ndarray, exact: bool) -> dict[int, np.ndarray]:
        """The values (n,) of modelled and computed columns, by the number of the column."""
        numbers = {}
        limit = np.finfo(np.float64).max
        for i, j in enumerate(self._modelled):
            column = self.columns[j]
            with np.errstate(over="ignore"):
                values = self._coordinates.inverse(line[:, i], i)
            if column.discrete:
                values = column.cells_to_values(np.floor(values))
            else:
                values = np.rint(values) if column.family == "int" else values
                values = column.clip(values) if exact else column.finish(values)
            numbers[j] = np.clip(values, -limit, limit) if values.dtype.kind == "f" else values
        for j, column in enumerate(self.columns):
            if column.formula is not None:
                values = np.clip(column.formula.compute(numbers), -limit, limit)
                numbers[j] = column.rounded(values)
        return numbers

    def number_on(self, X: Any, before: int) -> Any:
        """Renumber the identifiers of sampled rows that follow ``before`` others.

        Args:
            X: table that :meth:`decode` returned.
            before: rows that were sampled before these.
        """
        found = [j for j, column in enumerate(self.columns) if column.kind == "identifier"]
        if not found or not before:
            return X
        sheet, places = self._reader.open(X)
        columns = []
        for j, column in enumerate(self.columns):
            place = places[j]
            if place is None:
                continue
            if column.kind == "identifier":
                first = before + (1 if column.low is None else int(column.low))
                columns.append(replacement_cells(column.kind, column.family, first, sheet.n_rows))
            else:
                columns.append(sheet.raw(place))
        kept = [j for j, place in enumerate(places) if place is not None]
        return self.layout.take(kept).build(columns)

    def quantise(self, z: torch.Tensor) -> torch.Tensor:
        """Coordinates (n, D) as they are once the user has the rows.

        Those with cells lie anywhere in the cell of the value they decode to, at random by a seed
        that is the number of rows. Where no column has cells, z comes back as it is.
        """
        if not bool(self.dequantised.any()):
            return z
        draw = np.random.default_rng(len(z))
        return self.encode(self.decode(z.double()), draw)[0].to(z)

    # Cells of discrete coordinates

    def cell_index(self, z: torch.Tensor) -> torch.Tensor:
        """Return the cell of each coordinate, int64 of shape (n, D).

        Cells count from 0: the smallest integer seen, or the most frequent category. They are not
        clipped, so integers below the smallest seen are negative. Continuous coordinates have no
        cells; their entries are 0. So are those of mixed coordinates between the atoms, while an
        atom has 1 + its number.
        """
        line = torch.as_tensor(z).detach().cpu().double().numpy()
        return torch.from_numpy(self._coordinates.cell_index(line))

    def edges(self, j: int, k: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the lower and upper edge of cells k of the discrete coordinate j.

        Args:
            j: which of the D coordinates.
            k: cell numbers, as :meth:`cell_index` gives them, of any shape.

        Returns:
            Two float64 tensors of the shape of k, in model coordinates. The model's probability
            between them is that of the cell.
        """
        return self._coordinates.edges(j, k)

    # To a file

    def to_config(self) -> dict[str, Any]:
        """Return all that was learned as JSON values; :meth:`from_config` reads them exactly."""
        return columns_config.write(
            self.layout, self.columns, self.n_rows, self.estimator, self.n_left_out
        )

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> "Columns":
        """Build the columns that :meth:`to_config` described.

        Raises:
            ModelFileError: for an unknown, missing or wrong entry.
        """
        return cls(*columns_config.read(values))
