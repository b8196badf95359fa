"""From a generator and the user's data to the setup of a refinement."""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from ..storage.checkpoint import Checkpoint
from .acceptance_test import RealRows, parts_of
from .adapters import Adapter, sampled, scaled
from .budget import Budget
from .density_ratio import RatioEstimator
from .held_out_refit import is_fitted_on, refit_without
from .other_critic import other_critic
from .repeated_values import repeated_values
from .resumption import kept_refit
from .row_features import RowFeatures, features_for
from .row_width import is_narrow
from .scale_check import check_scale, spread_note
from .setup import Progress, Report, Setup
from .stages import generator_space
from .streams import Stream

__all__ = ["Prepared", "prepared"]

_SPREAD, _SPREAD_WIDE = 1000, 100  # samples that spreads are measured on
_LEAST = 0.01  # minutes, that features have for learning


@dataclass(frozen=True)
class Prepared:
    """What a refined model keeps of the preparation.

    Attributes:
        setup: of the refinement.
        adapter: of the generator, which samples go through.
        features: of rows, for the test and the ratio.
        known_values: values of the columns of the data that repeat, as the data spell them.
    """

    setup: Setup
    adapter: Adapter
    features: RowFeatures
    known_values: dict[str | int, np.ndarray]


def prepared(
    model: Any,
    adapter: Adapter,
    other: Adapter | None,
    data: tuple[Any, Any, Tensor],
    seed: int,
    batch_size: int,
    report: Report | None,
    *,
    earlier: Any = None,
    refit: bool = False,
    work: Checkpoint,
) -> Prepared:
    """Set a refinement up: scales, features, parts of the real rows, budgets.

    Args:
        model: a ``RefinedModel``, whose parameters are checked.
        adapter: of its generator.
        other: of the model of ``critic_of``; None where there is none.
        data: the user's data, labels or None, and the rows (n, ...) of the data.
        seed: of all that is drawn.
        batch_size: points whose activations are held at once.
        report: called with a line of text and the share done; None for nobody.
        earlier: the refined model that is refined again; None for another generator.
        refit: whether a density that was fitted on these very rows is judged by its refit.
        work: what an interrupted refinement has done.

    Raises:
        DataError: for samples and data on two scales.
        ParameterError: for features, a ratio or a critic that do not fit.
    """
    X, y, rows = data
    narrow = is_narrow(rows.shape[1:])
    note = ""
    if earlier is None:
        adapter, note = _scaled(adapter, rows, seed, batch_size)
    else:
        adapter = earlier.adapter_
    limits = (model.minutes, model.evaluations, model.draws)
    budget = Budget(*limits, started=time.monotonic() - work.seconds)
    progress = Progress(report)
    third = None if budget.minutes is None else max(_LEAST, budget.minutes / 3)
    features = features_for(adapter, model.features, X, y, rows, seed, batch_size, third)
    # counts of letters, and columns of categories, have no moments
    moments = adapter.kind != "text" and adapter.numbers is None and not narrow
    real = RealRows.split(rows, features.by_test, seed, features.classifier, moments)
    notes, used = [text for text in (features.note, note) if text], adapter
    if refit and adapter.numbers is not None and is_fitted_on(model.base_, X):
        progress("fitting the generator anew without the rows that judge")
        used, real, note = _with_refit(model.base_, X, adapter, real, seed, third, work)
        notes.append(note)
    estimator = RatioEstimator(
        real, model.ratio, features.by_ratio,
        None if other is None else other_critic(model.critic_of, other, batch_size),
        seed, adapter.kind == "text", batch_size, used.numbers,
    )  # fmt: skip
    setup = Setup(
        used, real, estimator, budget, seed, batch_size, model.logit,
        notes=tuple(notes), progress=progress, checkpoint=work,
    )  # fmt: skip
    if earlier is not None:
        setup = replace(
            setup, kept=tuple(earlier.kept_), place=earlier.place_, reference=earlier.first_logit_
        )
    known_values = {} if adapter.numbers is None else repeated_values(X)
    return Prepared(setup, adapter, features, known_values)


def _scaled(adapter: Adapter, rows: Tensor, seed: int, batch_size: int) -> tuple[Adapter, str]:
    """The adapter of rows of plain numbers, which move in units of their own, and a note."""
    if adapter.kind != "rows":
        return adapter, ""
    narrow = is_narrow(rows.shape[1:])
    n = _SPREAD if narrow else _SPREAD_WIDE
    drawn = generator_space(adapter, "data", batch_size).rows(n, seed, Stream.SCALE)
    check_scale(rows, drawn)
    if narrow and rows[0].numel() > 1:
        return scaled(adapter, rows, drawn), spread_note(rows, drawn)
    return adapter, spread_note(rows, drawn)


def _with_refit(
    base: Any, X: Any, adapter: Adapter, real: RealRows, seed: int, minutes: float | None,
    work: Checkpoint,
) -> tuple[Adapter, RealRows, str]:  # fmt: skip
    """What is refined and judged in place of a density that was fitted on the rows that judge."""
    testing = np.zeros(len(X), dtype=bool)
    testing[parts_of(len(X), seed)[0].numpy()] = True
    fitted = kept_refit(work, lambda: refit_without(base, X, testing, minutes))
    if fitted is None:
        note = (
            "the generator was fitted on these rows, so that its AUC is too low: give rows that "
            "it has not seen"
        )
        return adapter, real, note
    # the refit's latents are others, and its coordinates too: it is used as rows that are drawn
    drawn = sampled(fitted, adapter.encode)
    adapter = replace(adapter, prior=None, decode=lambda rows: rows, draw=drawn)
    note = (
        "the generator was fitted on these rows: what is judged is a refit of it, fitted without "
        "those that judge"
    )
    return adapter, replace(real, alone=True), note
