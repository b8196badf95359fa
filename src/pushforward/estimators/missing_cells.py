"""Rows with missing cells: completed for a fit, scored and judged by the cells they have."""

import math
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..data.tables.row_counts import canonical_order
from ..errors import DataError, stacklevel_of_caller
from ..training.threads import threads_for
from ..transport.numerics import unique_rows
from ..transport.rows import Rows
from ..transport.table_mixture import TableMixture

if TYPE_CHECKING:
    from ..data import Columns, Learned
    from .table_density import TableDensity

__all__ = [
    "completions", "decision_of_known", "log_prob_of_completion", "log_prob_of_known", "rows_of",
]  # fmt: skip

# rows that the mixture by which cells are completed is fitted to; the most also for each minute
# of a budget
_LEAST_FITTED, _MOST_FITTED = 500, 5_000
_SHARE = 0.25  # of the time of a fit, after which no more mixtures are tried
_REDRAWN = 30  # times that cells which break a constraint are drawn again
_DRAWS = 200  # of the missing cells of a row, that its density is averaged over
_NOISE = 8  # draws of the places of values in their cells
# rows by which the density of drawn cells is estimated
_LEAST_SCORED, _MOST_SCORED, _SCORED_AT_ONCE = 100, 400, 10
_COMPARED = 2_000  # samples of the density that a row's known cells are compared with


def rows_of(columns: "Columns", z: Tensor, weight: Tensor | None, log_det: Tensor) -> Rows:
    """Coordinates (n, D) of a table with the kinds of the columns that fits depend on."""
    discrete = columns.discrete
    origin, width = torch.zeros(len(discrete)).double(), torch.ones(len(discrete)).double()
    for j in torch.nonzero(discrete)[:, 0].tolist():
        low, high = columns.edges(j, 0)
        origin[j], width[j] = low, high - low
    return Rows(
        x=z,
        weight=weight,
        log_det=log_det,
        discrete=discrete,
        origin=origin,
        width=width,
        nominal=columns.nominal,
        listed=columns.listed,
        atoms=columns.atoms,
    )


def completions(
    learned: "Learned", count: int, beside: Rows | None = None, minutes: float | None = None
) -> list[Any]:
    """The rows of a fit with their missing cells drawn given the others, several times.

    They are drawn from a mixture that is fitted to the known cells by expectation maximisation: a
    step of Monte Carlo expectation maximisation (Wei and Tanner 1990) for the density that is then
    fitted to the rows, and multiple imputation (Rubin 1987) for one that is an average of fits.

    Args:
        learned: columns, and the rows they were learned from.
        count: how many draws, 1 or more.
        beside: other coordinates of the same rows, of which none is missing, given which the cells
            are drawn too.
        minutes: budget of the whole fit; if it is short fewer mixtures are tried, on fewer rows.

    Returns:
        Tables in the container of the rows; the very rows, once, if nothing is missing.
    """
    columns = learned.columns
    if columns.complete(learned.X).all():
        return [learned.X]
    z, _, known = columns.encode_known(learned.X, np.random.default_rng(0))
    weight = None if learned.sample_weight is None else torch.from_numpy(learned.sample_weight)
    order = canonical_order(z)
    generator = torch.Generator().manual_seed(0)
    rows, d = rows_of(columns, z, weight, z.new_zeros(len(z))), z.shape[1]
    if beside is not None:
        rows = rows.beside(beside)
        z, known = rows.x, torch.cat([known, torch.ones_like(beside.x, dtype=torch.bool)], 1)
    most, deadline = _MOST_FITTED, math.inf
    if minutes is not None:
        deadline = time.monotonic() + 60 * _SHARE * minutes
        most = min(most, max(_LEAST_FITTED, int(minutes * _MOST_FITTED)))
    some = order[torch.randperm(len(z), generator=generator)[:most]]
    tables = []
    with torch.no_grad(), threads_for(z.numel()):
        mixture = TableMixture.fit(rows.take(some), 0, known[some], deadline=deadline)
        for _ in range(count):
            drawn = torch.empty_like(z)
            drawn[order] = mixture.complete(z[order], known[order], generator)
            for _ in range(_REDRAWN if columns.rejecting else 0):
                wrong = order[~columns.allowed(drawn[order, :d])]
                if not len(wrong):
                    break
                drawn[wrong] = mixture.complete(z[wrong], known[wrong], generator)
            tables.append(columns.completed(learned.X, drawn[:, :d]))
    return tables


def log_prob_of_completion(
    model: "TableDensity", X: Any, whole: Any, seconds: float, *, within_budget: bool
) -> float:
    """Mean log density of completed cells given the others of their row, in nats a row.

    Args:
        model: fitted.
        X: table with missing cells.
        whole: the same rows completed.
        seconds: after which no more rows are looked at, but for the first hundred.
        within_budget: whether ten rows are enough then.
    """
    columns = model.columns_
    complete = columns.complete(X)
    gaps = np.random.default_rng(0).permutation(np.flatnonzero(~complete))[:_MOST_SCORED]
    end, scores = time.monotonic() + seconds, []
    least = _SCORED_AT_ONCE if within_budget else _LEAST_SCORED
    for start in range(0, len(gaps), _SCORED_AT_ONCE):
        if start >= least and time.monotonic() > end:
            break
        mask = np.isin(np.arange(len(complete)), gaps[start : start + _SCORED_AT_ONCE])
        try:
            joint = model.score_samples(columns.take(whole, mask), n_draws=_NOISE, missing="error")
            scores.append(joint - log_prob_of_known(model, columns.take(X, mask)))
        except DataError:  # a row that the density all but excludes: others say enough
            continue
    if not len(gaps):
        return 0.0
    if not scores:
        warnings.warn(
            "held_out_ counts the cells that were drawn for missing ones too: the density of the "
            "known cells alone could be estimated for none of the rows looked at.",
            stacklevel=stacklevel_of_caller(),
        )
        return 0.0
    return float(np.concatenate(scores).mean()) * float((~complete).mean())


def log_prob_of_known(model: "TableDensity", X: Any) -> np.ndarray:
    """Log density of the cells that rows have, in nats in the units of the table: (n,)."""
    return model.given(X, n_draws=_DRAWS, random_state=0).log_density()


def decision_of_known(model: "TableDensity", mixture: TableMixture, X: Any) -> np.ndarray:
    """How far the cells that rows have are from a threshold of their own, in nats: (n,).

    The score of a row is the log density of its known cells under the mixture of
    :class:`.TableMixture`, and its threshold is the quantile of that of the same cells of samples.
    The quantile is the share of whole samples that the model itself calls outliers, so that as
    many rows with missing cells are as without.

    Args:
        model: fitted.
        mixture: fitted to samples of it.
        X: rows with missing cells.
    """
    columns = model.columns_
    z, _, known = columns.encode_known(X)
    samples = mixture.rows.x[:_COMPARED]
    whole = model.decision_function(columns.decode(samples))
    rate = min(max(float((whole < 0).mean()), 1 / len(whole)), 0.5)
    with torch.no_grad():
        result = z.new_empty(len(z))
        patterns, group = unique_rows(known)
        for i, given in enumerate(patterns):
            rows = group == i
            usual = mixture.log_prob(samples, given)
            result[rows] = mixture.log_prob(z[rows], given) - torch.quantile(usual, rate)
    return result.numpy()
