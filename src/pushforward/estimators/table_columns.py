"""The columns of a model of tables, and what scikit-learn asks of them."""

import numpy as np

from ..data import Columns

__all__ = ["TableColumns"]


class TableColumns:
    """``columns_``, ``n_features_in_`` and ``feature_names_in_``: a mixin of models of tables."""

    columns_: Columns
    n_features_in_: int

    def _set_columns(self, columns: Columns) -> None:
        self.columns_ = columns
        self.n_features_in_ = columns.n_columns
        self.__dict__.pop("feature_names_in_", None)  # of an earlier fit
        if columns.feature_names is not None:
            self.feature_names_in_ = np.asarray(columns.feature_names, dtype=object)
