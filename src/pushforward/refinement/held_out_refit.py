"""Refits a density without the test rows, where it was fitted on them."""

from typing import Any

import numpy as np
from sklearn.base import clone

from ..errors import PushforwardError
from ..estimators.table_density import TableDensity

__all__ = ["fit_twin", "is_fitted_on"]


def is_fitted_on(model: Any, X: Any) -> bool:
    """Whether a model is a density of a table that was fitted on exactly these rows."""
    return isinstance(model, TableDensity) and model.was_fitted_on(X)


def fit_twin(model: TableDensity, X: Any, held_out: np.ndarray, minutes: float | None) -> Any:
    """Fit the same model to the rows that are not held out.

    A density that overfits rows makes samples like them. No test on these rows shows how far its
    samples are from new ones; a test of the twin on the rows it was fitted without does.

    Args:
        model: fitted on ``X``.
        X: table of shape (n, p).
        held_out: boolean (n,), the rows that judge.
        minutes: time for the fit; None takes what it needs.

    Returns:
        The fitted twin; None where it cannot be fitted, or not within such a time.
    """
    twin: Any = clone(model)
    if minutes is not None:
        if "minutes" not in twin.get_params():
            return None
        least = min(minutes, twin.minutes or minutes)
        twin.set_params(minutes=least)
    try:
        return twin.set_params(verbose=False).fit(model.columns_.take(X, ~held_out))
    except PushforwardError:
        return None
