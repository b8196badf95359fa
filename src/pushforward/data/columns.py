"""Carries a table to the model's coordinates and back, with its log-determinant."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import torch

from ..errors import DataError
from . import config
from .checks import (
    check_names,
    check_option,
    check_weights,
    refuse_infinite,
    refuse_missing,
    rows_text,
)
from .column import Column
from .containers import Layout, Sheet
from .coordinates import Coordinates
from .kinds import check_declared, recognise
from .noise import row_keys

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

    A model sees coordinates: a float64 tensor of shape (n, D), D being the number of columns
    that are not constant.

    * **continuous**: (x - loc) / scale, with mean and standard deviation.
    * **bounded** (declared): bent to the whole line by :class:`~pushforward.data.bend.Bend`, then
      standardised.
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
      (:class:`~pushforward.data.atoms.Atoms`). An atom counts with its probability, any other
      value with its density per unit.
    * **category**, **boolean**: the index by descending frequency, dequantised likewise. A value
      that was never seen falls in the cell after the last.
    * **constant**: no coordinate. It counts as a category seen in n of n rows, with add-one
      smoothing: the same value adds log((n+1)/(n+2)) to the log-determinant, any other
      log(1/(n+2)).

    A column is recognised from its values: a float column is integer if all its values are whole
    numbers and repeat (at most n/2 different ones in n >= 10 rows), and a grid if all are a whole
    number of steps apart and repeat (n >= 20).

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
        self, layout: Layout, columns: tuple[Column, ...], n_rows: int, estimator: str = "Columns"
    ) -> None:
        self.layout = layout
        self.columns = columns
        self.n_rows = n_rows
        self.estimator = estimator
        self._live = [j for j, column in enumerate(columns) if column.kind != "constant"]
        self._coordinates = Coordinates(
            [columns[j] for j in self._live], [layout.labels[j] for j in self._live]
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
                column's name (its position in an array) to "continuous", "integer", "category"
                or "boolean". A constant column stays constant.
            bounds: a dict from a column's name (or position) to (low, high), the interval of the
                values it can take; either end may be None.
            missing: "error" refuses missing cells, "drop" leaves out the rows that have one.
            sample_weight: shape (n,), weights >= 0. A row of weight zero counts as absent.
            estimator: name of the model, for the texts of errors.
            min_rows: fewest rows that are enough.

        Returns:
            A :class:`Learned`: the columns, and the rows and weights that were kept.

        Raises:
            DataError: for data that cannot be used; the text names the columns and rows.
            ParameterError: for columns, bounds or missing that are not usable.
        """
        check_option("missing", missing, ("error", "drop"))
        sheet = Sheet.open(X, estimator, min_rows)
        declared, intervals = check_declared(columns, bounds, sheet.labels)
        weights = check_weights(sample_weight, sheet.n_rows)
        kept = np.ones(sheet.n_rows, dtype=bool) if weights is None else weights > 0
        gaps = sheet.missing() & kept[:, None]
        if gaps.any():
            if missing == "error":
                refuse_missing(sheet.labels, gaps, fitting=True)
            kept &= ~gaps.any(axis=1)
        if not kept.all():
            sheet = sheet.take(kept)
            weights = None if weights is None else weights[kept]
            if sheet.n_rows < min_rows:
                raise DataError(
                    f"Only {sheet.n_rows} sample(s) of {len(kept)} are left without missing "
                    f"values and zero weights, while a minimum of {min_rows} is required by "
                    f"{estimator}. Fill the missing values in, or leave out the columns that "
                    "have most of them."
                )
        if (infinite := sheet.infinite()).any():
            refuse_infinite(sheet.labels, infinite)
        found = []
        distinct_rows = _distinct_rows(sheet)
        for j, label in enumerate(sheet.labels):
            values, family = sheet.column(j)
            column = recognise(
                values,
                family,
                label,
                declared=declared.get(label),
                categorical=sheet.layout.storage[j].levels is not None,
                bounds=intervals.get(label, (None, None)),
                weights=weights,
                distinct_rows=distinct_rows,
            )
            found.append(column)
        learned = cls(sheet.layout, tuple(found), sheet.n_rows, estimator)
        moments = learned._coordinates.moments(learned._numbers(sheet), weights)
        for j, (loc, scale) in zip(learned._live, moments, strict=True):
            found[j] = dataclasses.replace(found[j], loc=loc, scale=scale)
        learned = cls(sheet.layout, tuple(found), sheet.n_rows, estimator)
        return Learned(learned, sheet.native, weights, kept)

    # What was learned

    @property
    def n_columns(self) -> int:
        """Number p of columns of the table."""
        return len(self.columns)

    @property
    def n_coordinates(self) -> int:
        """Number D of coordinates the model sees."""
        return len(self._live)

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

        For a bounded column it lies on the line that :class:`Bend` maps to.
        """
        return torch.from_numpy(self._coordinates.loc * self._coordinates.units)

    @property
    def scale(self) -> torch.Tensor:
        """Float64 of shape (D,), divides each coordinate; in the same unit as ``loc``."""
        return torch.from_numpy(self._coordinates.scale * self._coordinates.units)

    def describe(self) -> list[dict[str, Any]]:
        """Describe each column by name, kind, range, categories and count, for a table of them.

        Entries that do not apply are None.
        """
        return [
            {
                "name": label,
                "kind": column.kind,
                "low": column.low,
                "high": column.high,
                "bounds": None if column.bounds == (None, None) else column.bounds,
                "categories": None if column.kind == "discrete" else column.values or None,
                "distinct": column.distinct,
            }
            for label, column in zip(self.labels, self.columns, strict=True)
        ]

    # To the model

    def encode(
        self, X: Any, *, draw: int | np.random.Generator = 0
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
                declared bounds, fractions in an integer column.
        """
        sheet = Sheet.open(X, self.estimator)
        check_names(
            sheet.labels, self.labels, sheet.layout.named and self.layout.named, self.estimator
        )
        if (gaps := sheet.missing()).any():
            refuse_missing(sheet.labels, gaps, fitting=False)
        if (infinite := sheet.infinite()).any():
            refuse_infinite(sheet.labels, infinite)
        z, log_det = self._coordinates.forward(self._numbers(sheet), draw)
        log_det += self._constants(sheet)
        return torch.from_numpy(z), torch.from_numpy(log_det)

    def _numbers(self, sheet: Sheet) -> np.ndarray:
        """Return the numbers of the columns that are not constant, float64 of shape (n, D)."""
        matrix = sheet.matrix
        copied = matrix is not None and matrix.dtype.kind in "biuf"
        if matrix is not None and copied:
            live = np.array(self._live, dtype=np.intp)
            raw = np.take(matrix, live, axis=1).astype(np.float64, copy=False)
        else:
            raw = np.empty((sheet.n_rows, self.n_coordinates))
        for i, j in enumerate(self._live):
            column = self.columns[j]
            # The copy of an array holds its plain columns already, at a pass for all of them.
            if not copied or column.kind != "continuous" or column.bend.bounded:
                raw[:, i] = column.numbers(*sheet.column(j), self.labels[j])
        return raw

    def _constants(self, sheet: Sheet) -> np.ndarray:
        """Return the log-probability of the constant columns, shape (n,)."""
        log_probability = np.zeros(sheet.n_rows)
        for j, column in enumerate(self.columns):
            if column.kind == "constant":
                same = sheet.column(j)[0] == column.values[0]
                share = np.where(same, self.n_rows + 1.0, 1.0) / (self.n_rows + 2.0)
                log_probability += np.log(share)
        return log_probability

    # Back to the user

    def decode(self, z: torch.Tensor) -> Any:
        """Map coordinates back to a table in the container, names and dtypes seen in fit.

        Discrete values are the cell that z falls in, clipped to those seen in fit; bounded values
        are clipped to their bounds, and all to the finite range of their dtype. Rows are numbered
        from 0: a pandas index is not kept.

        Args:
            z: shape (n, D), of any float dtype and device.

        Raises:
            DataError: for another shape, and for NaN or infinite coordinates.
        """
        line = np.array(torch.as_tensor(z).detach().cpu().double().numpy())
        if line.ndim != 2 or line.shape[1] != self.n_coordinates:
            raise DataError(f"z has shape {line.shape}. Expected (n, {self.n_coordinates}).")
        bad = np.logical_not(np.isfinite(line)).any(axis=1)
        if bad.any():
            raise DataError(f"z is NaN or infinite in {rows_text(bad)}. Expected finite numbers.")
        live = {j: i for i, j in enumerate(self._live)}
        out = []
        for j, column in enumerate(self.columns):
            if column.kind == "constant":
                out.append(np.full(len(line), column.values[0], dtype=object))
                continue
            with np.errstate(over="ignore"):
                values = self._coordinates.inverse(line[:, live[j]], live[j])
            if column.discrete:
                values = column.cells_to_values(np.floor(values))
            else:
                values = column.clip(np.rint(values) if column.family == "int" else values)
            limit = np.finfo(np.float64).max
            out.append(np.clip(values, -limit, limit) if values.dtype.kind == "f" else values)
        return self.layout.build(out)

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
        return config.write(self.layout, self.columns, self.n_rows, self.estimator)

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> "Columns":
        """Build the columns that :meth:`to_config` described.

        Raises:
            ModelFileError: for an unknown, missing or wrong entry.
        """
        return cls(*config.read(values))


def _distinct_rows(sheet: Sheet) -> np.ndarray | None:
    """Mark the first of equal rows, shape (n,), so that copies count like weights; or None.

    In a table of one column a value that comes again is a repeat of the value, and all rows count.
    """
    import pandas as pd

    if len(sheet.labels) == 1:
        return None
    codes = np.empty((sheet.n_rows, len(sheet.labels)))
    for j in range(len(sheet.labels)):
        values, family = sheet.column(j)
        codes[:, j] = pd.factorize(values)[0] if family == "text" else values
    _, places = np.unique(row_keys(codes), return_index=True)
    first = np.zeros(sheet.n_rows, dtype=bool)
    first[places] = True
    return first
