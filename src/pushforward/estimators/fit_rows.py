"""The rows of a fit of a density of a table: which are held, in what order, and known again."""

import math
import sys
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from .._version import __version__
from ..data import Columns, DrawnRows, Learned, Table, draw_rows
from ..data.tables.column_summary import columns_text, kept_text, warn_left_out
from ..data.tables.row_counts import canonical_order, taken
from ..errors import LeftOutWarning, stacklevel_of_caller
from ..storage.checkpoint import digest
from ..training.processes import Processes
from ..transport import Rows
from .missing_cells import rows_of
from .table_columns import TableColumns

__all__ = ["FitRows", "Report"]

Report = Callable[[str, float], None]


class FitRows(TableColumns):
    """The rows of a fit, from the table to coordinates: a mixin of densities of tables."""

    _smooth: ClassVar[bool] = False  # as of Columns.learn
    _fitted_on: str

    drawn_from_: int | None = None

    columns: dict | None
    bounds: dict | None
    constraints: list[str] | None = None  # a parameter of models that can
    missing: str
    verbose: bool
    validation_fraction: float  # of those that hold a share of the rows out

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Arguments of the constructor, by name."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        raise NotImplementedError

    def _tensors(self) -> dict[str, Tensor]:
        raise NotImplementedError

    def _drawn(
        self, X: Table | DrawnRows, sample_weight: Any, group: Processes, report: Report
    ) -> tuple[Any, Any]:
        """The rows of a table that are held in memory, and their weights."""
        if isinstance(X, Table):
            table, done = X, 0

            def advance(rows: int) -> None:
                nonlocal done
                done += rows
                of = "" if table.n_rows is None else f" of {table.n_rows:,}"
                report(f"read {done:,}{of} rows", 0.0)

            X = draw_rows(table, None, group, advance)
        if not X.whole:
            self.drawn_from_ = X.n_rows
            warnings.warn(X.text(), LeftOutWarning, stacklevel=stacklevel_of_caller())
        return X.X, X.weights(sample_weight)

    def _in_one_order(self, learned: Learned) -> Learned:
        """The rows in an order of their own, so that their noise is that of any other order.

        In a fit the noise within cells is drawn, and not a function of the row, of which there may
        be many copies. Rows that are known exactly need no order: they get one with it.
        """
        z, _, known = self.columns_.encode_known(learned.X)
        if not bool(self.columns_.dequantised.any()) and bool(known.all()):
            return learned
        weight = learned.sample_weight
        last = z.new_zeros(len(z)) if weight is None else torch.from_numpy(weight)
        order = canonical_order(z, known, last[:, None]).numpy()
        weight = None if weight is None else weight[order]
        return learned._replace(X=taken(learned.X, order), sample_weight=weight)

    def _identity(self, X: Any, weight: np.ndarray | None, validation: Any) -> dict[str, Any]:
        """All that the fit depends on but its seed, by name: two fits of the same are one."""
        parameters = self.get_params(deep=False)
        del parameters["verbose"], parameters["random_state"]
        more = parameters.get("warm_start") and self.__sklearn_is_fitted__()
        start = self._tensors() if more else {}

        def coded(table: Any) -> tuple[Tensor, Tensor]:
            return self.columns_.encode(table, draw=np.random.default_rng(0), checked=False)

        return {
            "model": type(self).__name__,
            "version": __version__,
            **{k: v if _is_plain(v) else repr(v) for k, v in parameters.items()},
            "columns": digest(str(self.columns_.to_config())),
            "data": digest(*coded(X), None if weight is None else torch.from_numpy(weight)),
            "validation": None if validation is None else digest(*coded(validation)),
            "layers": digest(*start.values()),
        }

    def _rows_digest(self, X: Any, weight: np.ndarray | None = None) -> str:
        """Digest of the rows of a table, in any order, and their weights."""
        z, _, _ = self.columns_.encode_known(X)  # whose noise is a function of the row
        order = canonical_order(z)
        return digest(z[order], None if weight is None else torch.from_numpy(weight)[order])

    def was_fitted_on(self, X: Any) -> bool:
        """Whether these are exactly the rows of the fit; False where that is not known."""
        return self._rows_digest(X) == self._fitted_on

    def _learn_columns(self, X: Any, sample_weight: Any) -> Learned:
        learned = Columns.learn(
            X,
            columns=self.columns,
            bounds=self.bounds,
            constraints=self.constraints,
            missing=self.missing,
            sample_weight=sample_weight,
            estimator=type(self).__name__,
            min_rows=1,
            smooth=self._smooth,
            seasons=True,
        )
        self._set_columns(learned.columns)
        if self.verbose:
            print(columns_text(learned.columns), file=sys.stderr)
            if kept := kept_text(learned.columns):
                print(kept, file=sys.stderr)
        else:
            warn_left_out(learned.columns)
        return learned

    def _rows(self, z: Tensor, weight: Tensor | None, log_det: Tensor) -> Rows:
        """Coordinates with the kinds of the columns that fits depend on."""
        return rows_of(self.columns_, z, weight, log_det)

    def _divided(self, rows: Rows, validation: Any, seed: int) -> tuple[Rows, Rows | None]:
        """Rows to fit on and rows held out; None where there are too few to hold any out.

        Held out are a ``validation_fraction`` of the rows, or those of a table of their own.
        """
        if validation is not None:
            z, log_det = self.columns_.encode(validation, draw=np.random.default_rng(seed))
            return rows, self._rows(z, None, log_det)
        n, d = rows.x.shape
        count = round(self.validation_fraction * n)
        if d == 0 or count < 2 or n - count < 2:
            return rows, None
        fit, out = rows.split(count, seed)
        return rows.take(fit), rows.take(out)


def _is_plain(value: Any) -> bool:
    """Whether a parameter is a JSON value by itself."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)
