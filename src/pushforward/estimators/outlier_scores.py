"""Outlier scores of the rows of a table, robust to outliers in the fit, and their threshold."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import Columns
from ..transport import Density, Novelty, Rows, TrimmedPair
from ..transport.trimmed_density import held_out_normal
from ..validation import OneOf, check

__all__ = ["OutlierScores", "conformal_threshold"]

_FEWEST = 20  # rows that a detector is fitted to


def conformal_threshold(scores: Tensor, rate: float) -> float:
    """The score below which a share ``rate`` of new normal rows lies.

    A new row lies below the k-th smallest of n scores with probability k / (n + 1); between two
    of them the threshold is interpolated.

    Args:
        scores: (n,) of normal rows that were not fitted on.
        rate: above 0 and below 1.

    Examples:
        >>> conformal_threshold(torch.arange(19.0), 0.1)
        1.0
    """
    ordered, last = scores.sort().values, len(scores) - 1
    rank = min(max(rate * (len(scores) + 1) - 1, 0.0), last)
    below = math.floor(rank)
    low, high = float(ordered[below]), float(ordered[min(below + 1, last)])
    return low + (rank - below) * (high - low) if low > -math.inf else low


class OutlierScores:
    """``decision_function`` and ``predict`` of a density of a table, by its ``contamination``.

    A mixin of :class:`~pushforward.estimators.table_density.TableDensity`.
    """

    columns_: Columns
    density_: Density
    detector_: Novelty | TrimmedPair | None
    offset_: float

    missing: str
    contamination: float | str | None
    false_alarm_rate: float

    def score_samples(self, X: Any, *, n_draws: int = 1, missing: str | None = None) -> np.ndarray:
        """Log density of each row, (n,)."""
        raise NotImplementedError

    def _check_fitted(self) -> None:
        raise NotImplementedError

    def _decision_of_known(self, X: Any) -> np.ndarray:
        """What :meth:`decision_function` is of rows with missing cells, (n,)."""
        raise NotImplementedError

    @property
    def _by_density(self) -> bool:
        """Whether a row is an outlier where its ``score_samples`` is below ``offset_``."""
        return self.detector_ is None and not self.columns_.smooths_atoms

    def _outlier_share(self) -> float | None:
        """The share of outliers among the rows of the fit; None where it is not known."""
        share = self.contamination
        return None if share is None or isinstance(share, str) else float(share)

    def _fit_detector(self, rows: Rows, seed: int) -> tuple[Tensor, Tensor | None]:
        """Fit ``detector_``, unless ``contamination`` is None.

        Returns:
            The numbers of the rows that the density is fitted to, and scores of normal rows that
            were not fitted on, by which the threshold is set; None for those of the density.
        """
        self.detector_, share = None, self._outlier_share()
        kept = torch.arange(len(rows))
        if self.contamination is None or len(rows) < _FEWEST or rows.x.shape[1] == 0:
            return kept, None
        rows = replace(rows, log_det=rows.log_det - self.columns_.log_kernel_width(rows.x))
        if share == 0:
            self.detector_, normal = Novelty.fit(rows, seed)
            return kept, normal
        self.detector_ = TrimmedPair.fit(rows, seed)
        if share is None:
            return held_out_normal(rows, seed)
        fitted = self.detector_.score(rows.x, rows.log_det)
        return torch.nonzero(fitted > torch.quantile(fitted, share))[:, 0], None

    def _threshold(self, scores: Tensor, z: Tensor, log_det: Tensor) -> float:
        """The score below which rows are outliers.

        Where ``contamination`` is a share above 0 it is that quantile of the rows of the fit,
        and else :func:`conformal_threshold`.

        Args:
            scores: (n,) of normal rows that were not fitted on.
            z, log_det: all rows of the fit.
        """
        if share := self._outlier_share():
            fitted = self._outlier_score(z, log_det).numpy()
            return float(np.percentile(fitted, 100 * share))
        return conformal_threshold(scores, self.false_alarm_rate)

    def decision_function(self, X: Any, *, missing: str | None = None) -> np.ndarray:
        """Score minus threshold, in nats: negative for outliers.

        The score is :meth:`score_samples`, but for values that many rows have: they count not by
        their probability but by the density that a kernel estimate of the column has there, so
        that no unit of a column makes them outliers. With ``contamination`` above 0 it is the
        mean log p-value of two densities fitted to the core of the rows, which outliers among
        them do not bend (:class:`~pushforward.transport.TrimmedPair`). With ``contamination=0``
        it is that of three views of the row of which a density is one
        (:class:`~pushforward.transport.Novelty`).

        Rows with missing cells are compared with samples that lack the same cells where the model
        was fitted with ``missing`` "auto" or "model", or that is said here; else they are
        refused, and with ``missing="blank"`` they have NaN.
        """
        self._check_fitted()
        if (how := self._missing_in(X, missing)) != "error":
            other = self._decision_of_known if how == "model" else None
            return self._by_completeness(
                X, partial(self.decision_function, missing="error"), other
            )
        if self.detector_ is None:
            scores = self.score_samples(X, missing="error") - self.offset_
            if self._by_density:
                return scores
            z, _ = self.columns_.encode(X)
            return scores - self.columns_.log_kernel_width(z).numpy()
        with torch.no_grad():
            return self._outlier_score(*self.columns_.encode(X)).numpy() - self.offset_

    def _outlier_score(self, z: Tensor, log_det: Tensor) -> Tensor:
        log_det = log_det - self.columns_.log_kernel_width(z)
        if self.detector_ is None:
            return self.density_.log_prob(z) + log_det
        return self.detector_.score(z, log_det)

    def predict(self, X: Any, *, missing: str | None = None) -> np.ndarray:
        """+1 for rows like those of ``fit``, -1 for outliers: (n,) int.

        Rows with missing cells are as in :meth:`decision_function`; those left blank have 0.
        """
        decision = self.decision_function(X, missing=missing)
        return np.where(np.isnan(decision), 0, np.where(decision < 0, -1, 1))

    def _missing_in(self, X: Any, missing: str | None) -> str:
        """What to do about rows with missing cells: "error" where a table has none."""
        check({"missing": OneOf("model", "error", "blank") | None}, {"missing": missing})
        if missing is None:
            missing = "model" if self.missing in ("model", "auto") else "error"
        return "error" if missing == "error" or self.columns_.complete(X).all() else missing

    def _by_completeness(
        self,
        X: Any,
        scores: Callable[[Any], np.ndarray],
        other: Callable[[Any], np.ndarray] | None,
    ) -> np.ndarray:
        """Scores of the rows without missing cells, other ones of the rest, or NaN: (n,)."""
        complete = self.columns_.complete(X)
        found = np.full(len(complete), np.nan)
        for rows, function in ((complete, scores), (~complete, other)):
            if function is not None and rows.any():
                found[rows] = function(X if rows.all() else self.columns_.take(X, rows))
        return found
