"""Refits a density without the test rows, where it was fitted on them."""

import warnings
from typing import Any

import numpy as np
from sklearn.base import clone

from ..errors import LeftOutWarning, PushforwardError
from ..estimators.table_density import TableDensity

__all__ = ["is_fitted_on", "refit_without"]


def is_fitted_on(model: Any, X: Any) -> bool:
    """Whether a model is a density of a table that was fitted on exactly these rows."""
    return isinstance(model, TableDensity) and model.was_fitted_on(X)


def refit_without(model: TableDensity, X: Any, held_out: np.ndarray, minutes: float | None) -> Any:
    """Fit the same model to the rows that are not held out.

    A density that overfits rows makes samples like them. No test on these rows shows how far its
    samples are from new ones; a test of the refit on the rows it was fitted without does.

    Args:
        model: fitted on ``X``.
        X: table of shape (n, p).
        held_out: boolean (n,), the rows that judge.
        minutes: time for the fit; None takes what it needs.

    Returns:
        The fitted refit; None where it cannot be fitted, or not within such a time.
    """
    refit: Any = clone(model)
    if minutes is not None:
        if "minutes" not in refit.get_params():
            return None
        least = min(minutes, refit.minutes or minutes)
        refit.set_params(minutes=least)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LeftOutWarning)  # said of the model's own fit
            return refit.set_params(verbose=False).fit(model.columns_.take(X, ~held_out))
    except PushforwardError:
        return None
