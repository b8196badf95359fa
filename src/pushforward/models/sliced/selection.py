"""Choosing a density by held-out rows, stacking the best structures, and scoring honestly."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ...storage.checkpoint import Checkpoint
from ...training.processes import Processes
from ...transport.any_density import Density
from ...transport.rows import Rows
from ...transport.sliced_density import Component, SlicedDensity
from .discrete_coordinates import choose_chained
from .layer_growth import Layering
from .stacking import MANY, StackFitter, stacked, without
from .structure import GAUSSIAN, Structure, fit_structure
from .structure_search import Search, Trial

__all__ = ["Selection", "Trial", "select"]

_SEARCH_ROWS = 20_000  # rows the choice looks at; the refits see all
_SEARCH_HELD = 5000  # rows that judge a choice, at most
_FEW = 500
_FOLDS = 5  # ten of so few rows that a fifth of them matters
_SPLITS = 2  # that structures are tried on, where the rows are not many
_COLUMNS, _SEARCH = 0.2, 0.5  # of the budget: when discrete columns are chosen, and all is tried


@dataclass
class Selection:
    """What :func:`select` returns.

    Attributes:
        density: the fitted density.
        trials: all structures of the smooth coordinates that were tried, best first.
        chained: number of coordinates that are modelled as discrete values.
        gaussian: held-out value of one Gaussian of all coordinates, the floor.
        judged: rows that nothing which scores them has seen, or those that were given to choose
            by.
        scores: their log densities.
        notes: sentences on what was chosen and why.
    """

    density: Density
    trials: list[Trial]
    chained: int
    gaussian: float
    judged: Rows
    scores: Tensor
    notes: list[str] = field(default_factory=list)


def select(
    rows: Rows,
    *,
    seed: int,
    layering: Layering,
    minutes: float | None = None,
    started: float | None = None,
    report: Callable[[str, float], None],
    checkpoint: Checkpoint | None = None,
    validation: Rows | None = None,
    processes: Processes | None = None,
) -> Selection:
    """Choose, stack and fit.

    1. Which coordinates are discrete values, to be modelled by a chain given all others.
    2. For the others, structures of sliced densities (:class:`~.structure_search.Search`), and
       weights of the best few by stacking on held-out rows (Smyth & Wolpert, *Linearly combining
       density estimators via stacking*, 1999).
    3. The density: fits on re-drawn splits of the rows, averaged, each with its own marginal
       layer; the chain; and a wide Gaussian with the weight of one row.
    4. Scores of rows that took no part in any of it. Of few rows these are all, each by a density
       that was chosen, stacked and fitted without it (cross-fitting in folds); of many, some
       that are put aside before the start.

    With a budget each of these has a share of it, and takes less than it would where the share
    is short: fewer structures, fewer members of the average, a quicker chain, fewer folds. Some
    rows are always scored by a density that did not see them.

    With validation rows of one's own nothing else is held out but to choose the discrete
    coordinates: they judge the structures, stop the flows of all members, and are the rows of
    step 4, as those of :class:`~pushforward.GIS` are.

    Args:
        rows: all rows.
        seed: seed of everything random.
        layering: how flow layers are made.
        minutes: budget; what does not fit into it is left out.
        started: ``time.monotonic()`` from which it counts; now where it is None.
        report: called with (what is being done, share done).
        checkpoint: where finished trials, members and flows are kept.
        validation: rows to choose and to stop by; None holds out some of the rows.
        processes: that share trials and fits out, which are those of one process; with a budget
            each does all.
    """
    checkpoint = checkpoint or Checkpoint()
    started = (time.monotonic() if started is None else started) - checkpoint.seconds

    def end_of(share: float) -> float:
        return math.inf if minutes is None else started + share * 60 * minutes

    deadline = end_of(1.0)
    n, d = rows.x.shape
    if d == 0 or rows.distinct() < 20:
        return _too_small(rows)
    apart = n >= MANY or validation is not None  # whether the rows that are scored are
    rows, fitted, held, fold = _divided(rows, validation, seed)

    report("looking at the columns", 0.02)
    learn = rows.take(fitted)
    chained = choose_chained(learn, layering, seed, end_of(_COLUMNS))
    fitter = StackFitter(layering, seed, deadline, checkpoint, chained, processes)
    trials: list[Trial] = []
    if not bool(chained.all()):
        smooth = rows.coordinates(~chained)
        end = end_of(_SEARCH)
        trials = _tried(smooth, fitted, held, layering, seed, end, checkpoint, report, processes)
        cells = float(rows.width[chained].log().sum())  # which log_det counts, and no trial
        trials = [replace(trial, value=trial.value - cells) for trial in trials]
    members = stacked(trials, rows)
    # copies of a row may leave a fold empty
    outs = [torch.nonzero(fold == f)[:, 0] for f in fold[fold >= 0].unique()]
    if apart:
        report("fitting", 0.7)
        judges = None if held is None else rows.take(held)
        density = fitter.fit(learn, members, "all", deadline, judges)
        parts, short = [density], []
    else:
        density, parts = fitter.cross_fit(rows, trials, members, outs, report)
        short = _shortened(n, outs, len(parts), density is parts[0])
        if density is parts[0]:
            members = stacked(trials, rows, without(n, outs[0]))
        outs = outs[: len(parts)]
    for structure, weight in members:
        next(t for t in trials if t.structure == structure).weight += weight
    which = torch.cat(outs)
    judged = rows.take(which)

    def joined(densities: Sequence[Density]) -> Tensor:
        pairs = zip(densities, outs, strict=True)
        return torch.cat([p.log_prob(rows.x[out]) + rows.log_det[out] for p, out in pairs])

    scores = joined(parts)
    floor = joined([_floor(rows.take(without(len(rows), out))) for out in outs])
    gaussian = judged.mean(floor)
    took_part = "that took no part" if held is None else "of the validation"
    notes = _explain(trials, int(chained.sum()), judged.mean(scores), gaussian, took_part)
    if judged.mean(scores) < gaussian:
        density, scores = _floor(learn), floor
        for trial in trials:
            trial.weight = float(trial.structure == GAUSSIAN and not bool(chained.any()))
        notes = [f"nothing beat one Gaussian on held-out rows ({gaussian:.3f} nats a row)"]
    notes += short
    return Selection(density, trials, int(chained.sum()), gaussian, judged, scores, notes)


def _divided(
    rows: Rows, validation: Rows | None, seed: int
) -> tuple[Rows, Tensor, Tensor | None, Tensor]:
    """All rows, which of them are fitted, which judge, and the fold that each is scored in.

    Indices of rows that judge are None where some of the fitted do; the fold is -1 for rows that
    are not scored.
    """
    n = len(rows)
    if validation is not None:
        rows = rows.followed_by(validation)
        fitted, held = torch.arange(len(rows)).split([n, len(validation)])
        fold = torch.full((len(rows),), -1)
        fold[held] = 0
        return rows, fitted, held, fold
    if n < MANY:
        return (
            rows,
            torch.arange(n),
            None,
            rows.folds(2 * _FOLDS if n < _FEW else _FOLDS, seed + 1),
        )
    fitted, aside = rows.split(min(max(300, round(0.02 * n)), 2000), seed + 1)
    fold = torch.full((n,), -1)
    fold[aside] = 0
    return rows, fitted, None, fold


def _floor(rows: Rows) -> SlicedDensity:
    """One Gaussian of all coordinates, which everything is compared with."""
    return fit_structure(GAUSSIAN, rows, None, layering=Layering(1), seed=0)


def _tried(
    rows: Rows,
    fitted: Tensor,
    held: Tensor | None,
    layering: Layering,
    seed: int,
    deadline: float,
    checkpoint: Checkpoint,
    report: Callable[[str, float], None],
    processes: Processes | None,
) -> list[Trial]:
    """Structures tried on some of the rows, best first; their ``rows`` count in all of these.

    Args:
        rows: with the smooth coordinates alone.
        fitted: indices of those that may be fitted.
        held: indices of those that judge; None holds out a fifth of the fitted.
        layering, seed, deadline, checkpoint, report, processes: as of
            :class:`~.structure_search.Search`.
    """
    order = torch.randperm(len(fitted), generator=torch.Generator().manual_seed(seed))
    looked = fitted[order[:_SEARCH_ROWS]]
    if held is None:
        count = _SPLITS if len(rows) < MANY else 1
        tried = rows.take(looked)
        out = min(max(5, round(0.2 * len(looked))), _SEARCH_HELD)
        splits = [tried.split(out, seed + i) for i in range(count)]
    else:
        order = torch.randperm(len(held), generator=torch.Generator().manual_seed(seed))
        n, looked = len(looked), torch.cat([looked, held[order[:_SEARCH_HELD]]])
        tried = rows.take(looked)
        splits = [(torch.arange(n), torch.arange(n, len(looked)))]
    search = Search(tried, splits, layering, seed, deadline, checkpoint, processes)
    trials = search.run(report)
    for trial in trials:
        trial.rows = looked[trial.rows]
    return trials


def _too_small(rows: Rows) -> Selection:
    """A Gaussian, shrunk towards its diagonal: fewer than 20 rows do not support a choice."""
    d = rows.x.shape[1]
    if d == 0:
        empty = torch.zeros(1, 0, dtype=torch.float64)
        density = SlicedDensity.assemble([Component(0.0, empty[0], empty[0].expand(0, 0), [])])
        note = "all columns are constant or left out: there is nothing to model"
    else:
        plain = Structure(margins=False, shrinkage=1.0, diagonal=0.5)
        density = fit_structure(plain, rows, None, layering=Layering(1), seed=0)
        note = f"{rows.distinct()} different rows are too few to hold any out (20 are needed)"
        note += ": one Gaussian"
    scores = density.log_prob(rows.x) + rows.log_det
    return Selection(density, [], 0, rows.mean(scores), rows, scores, [note])


def _shortened(n: int, outs: list[Tensor], scored: int, first_alone: bool) -> list[str]:
    """Sentences on what the budget had no time for."""
    notes = []
    if first_alone:
        notes.append(f"no time for a fit to all rows: this one saw {n - len(outs[0])} of {n}")
    if scored < len(outs):
        rows = sum(map(len, outs[:scored]))
        notes.append(f"time for {scored} of {len(outs)} folds: {rows} of {n} rows were held out")
    return notes


def _explain(
    trials: list[Trial], chained: int, value: float, gaussian: float, which: str
) -> list[str]:
    notes = []
    if trials:
        notes.append(f"{trials[0].structure} has the highest held-out density of those tried")
    if chained:
        columns = "column" if chained == 1 else "columns"
        listed = ": what is listed is the density without them" * bool(trials)
        notes.append(f"{chained} {columns} modelled as discrete values, given the others{listed}")
    notes.append(
        f"{value:.3f} nats a row on rows {which}, {value - gaussian:+.3f} over one Gaussian"
    )
    return notes
