"""Choosing a density by held-out rows, stacking the best structures, and scoring honestly."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...storage.checkpoint import Checkpoint
from ...transport.any_density import Density, density_from_state
from ...transport.discrete_chain import DiscreteChain
from ...transport.joint_density import JointDensity
from ...transport.mixture_density import MixtureDensity
from ...transport.numerics import weighted_mean
from ...transport.rows import Rows
from ...transport.sliced_density import Component, SlicedDensity
from .discrete_coordinates import choose_chained
from .layer_growth import Layering
from .structure import GAUSSIAN, Structure, between, fit_structure, wide_gaussian
from .structure_search import Search, Trial

__all__ = ["Selection", "Trial", "select"]

_SEARCH_ROWS = 20_000  # rows the choice looks at; the refits see all
_FEW = 500
_MANY = 3000  # from here on rows for scores are left out of everything; below, all are fitted on
_FOLDS = 5  # ten of so few rows that a fifth of them matters
_LOOK, _SEARCH = 0.2, 0.5  # of the budget: when columns have been looked at, and all is tried
_LONGER = 1.3  # times that a fit to all rows takes as long as one without a fold, with room


@dataclass
class Selection:
    """What :func:`select` returns.

    Attributes:
        density: the fitted density.
        trials: all structures of the smooth coordinates that were tried, best first.
        chained: number of coordinates that are modelled as discrete values.
        gaussian: held-out value of one Gaussian of all coordinates, the floor.
        scores: log densities of rows that nothing which scores them has seen.
        weight: the weights of these rows, or None.
        notes: sentences on what was chosen and why.
    """

    density: Density
    trials: list[Trial]
    chained: int
    gaussian: float
    scores: Tensor
    weight: Tensor | None
    notes: list[str] = field(default_factory=list)


def select(
    rows: Rows,
    *,
    seed: int,
    layering: Layering,
    minutes: float | None = None,
    begun: float | None = None,
    report: Callable[[str, float], None],
    checkpoint: Checkpoint | None = None,
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

    Args:
        rows: all rows.
        seed: seed of everything random.
        layering: how flow layers are made.
        minutes: budget; what does not fit into it is left out.
        begun: ``time.monotonic()`` from which it counts; now where it is None.
        report: called with (what is being done, share done).
        checkpoint: where finished trials, members and flows are kept.
    """
    checkpoint = checkpoint or Checkpoint()
    begun = (time.monotonic() if begun is None else begun) - checkpoint.seconds

    def end_of(share: float) -> float:
        return math.inf if minutes is None else begun + share * 60 * minutes

    deadline = end_of(1.0)
    n, d = rows.x.shape
    if d == 0 or rows.distinct() < 20:
        return _too_small(rows)
    fold = rows.folds(2 * _FOLDS if n < _FEW else _FOLDS, seed + 1)
    if n >= _MANY:
        fitted, aside = rows.split(min(max(300, round(0.02 * n)), 2000), seed + 1)
        fold = torch.full((n,), -1)
        fold[aside] = 0
    else:
        fitted = torch.arange(n)

    report("looking at the columns", 0.02)
    learn = rows.take(fitted)
    chained = choose_chained(learn, layering, seed, end_of(_LOOK))
    fitter = _Fitter(layering, seed, deadline, checkpoint, chained)
    trials: list[Trial] = []
    if not bool(chained.all()):
        order = torch.randperm(len(learn), generator=torch.Generator().manual_seed(seed))
        looked = order[:_SEARCH_ROWS]
        search = Search(
            learn.take(looked).coordinates(~chained),
            2 if n < _MANY else 1,
            layering,
            seed,
            end_of(_SEARCH),
            checkpoint,
        )
        trials = search.run(report)
        for trial in trials:
            trial.rows = looked[trial.rows]
    members = _stack(trials, rows)
    # copies of a row may leave a fold empty
    outs = [torch.nonzero(fold == f)[:, 0] for f in fold[fold >= 0].unique()]
    if n >= _MANY:
        report("fitting", 0.7)
        density = fitter.fit(learn, members, "all", deadline)
        parts, short = [density], []
    else:
        density, parts = fitter.cross_fit(rows, trials, members, outs, report)
        short = _shortened(n, outs, len(parts), density is parts[0])
        if density is parts[0]:
            members = _stack(trials, rows, _without(n, outs[0]))
        outs = outs[: len(parts)]
    for structure, weight in members:
        next(t for t in trials if t.structure == structure).weight += weight
    which = torch.cat(outs)
    judged = rows.take(which)

    def joined(densities: Sequence[Density]) -> Tensor:
        pairs = zip(densities, outs, strict=True)
        return torch.cat([p.log_prob(rows.x[out]) + rows.log_det[out] for p, out in pairs])

    scores = joined(parts)
    floor = joined([_floor(rows.take(_without(n, out))) for out in outs])
    gaussian = judged.mean(floor)
    notes = _explain(trials, int(chained.sum()), judged.mean(scores), gaussian)
    if judged.mean(scores) < gaussian:
        density, scores = _floor(learn), floor
        for trial in trials:
            trial.weight = float(trial.structure == GAUSSIAN and not bool(chained.any()))
        notes = [f"nothing beat one Gaussian on held-out rows ({gaussian:.3f} nats a row)"]
    notes += short
    weight = None if rows.weight is None else rows.weight[which]
    return Selection(density, trials, int(chained.sum()), gaussian, scores, weight, notes)


def _share(folds: float, of: int) -> float:
    """Share of a fit that is done after some folds: what comes before them is seven tenths."""
    return 0.7 + 0.3 * folds / of


class _Fitter:
    """Fits a density of a given stack to rows, wherever it is needed."""

    def __init__(
        self,
        layering: Layering,
        seed: int,
        deadline: float,
        checkpoint: Checkpoint,
        chained: Tensor,
    ) -> None:
        self.layering, self.seed, self.deadline = layering, seed, deadline
        self.checkpoint, self.chained = checkpoint, chained

    def cross_fit(
        self,
        rows: Rows,
        trials: list[Trial],
        members: list[tuple[Structure, float]],
        outs: list[Tensor],
        report: Callable[[str, float], None],
    ) -> tuple[Density, list[Density]]:
        """The density of all rows, and one for each fold that did not see the rows of the fold.

        The first fold says what a fit takes. With little time there are fewer folds, and with
        less the first of these densities is that of the rows, so that none is left unscored.

        Args:
            rows: all rows.
            trials: what was tried, from which each fold has a stack of its own.
            members: the stack of all rows.
            outs: the rows of each fold.
            report: as of :func:`select`.
        """
        whole: Density | None = None
        parts: list[Density] = []
        longest = 0.0  # seconds of a fit
        for i, out in enumerate(outs):
            if i and time.monotonic() + longest > self.deadline:
                break
            report("scoring rows by fits without them", _share(i, len(outs)))
            within = _without(len(rows), out)
            begun = time.monotonic()
            # the other half is for the fit to all rows
            deadline = self.deadline if i else between(self.deadline)
            own = _stack(trials, rows, within)
            parts.append(self.fit(rows.take(within), own, f"fold {i}", deadline))
            longest = max(longest, time.monotonic() - begun)
            if whole is None and time.monotonic() + _LONGER * longest < self.deadline:
                report("fitting", _share(i + 0.5, len(outs)))
                whole = self.fit(rows, members, "all", self.deadline)
        return whole or parts[0], parts

    def fit(
        self,
        rows: Rows,
        members: list[tuple[Structure, float]],
        step: str,
        deadline: float,
    ) -> Density:
        """The density of the rows, with fewer members and trees where time is short.

        Args:
            rows: to fit on.
            members: structures and their weights.
            step: the name of this fit in the checkpoint.
            deadline: ``time.monotonic()`` to be done by.
        """
        kept = self.checkpoint.get(step)
        if kept is not None:
            return density_from_state(dict(kept))
        chain, density = None, None
        if bool(self.chained.any()):
            places = torch.nonzero(self.chained)[:, 0]
            first = between(deadline) if members else deadline
            chain = DiscreteChain.fit(rows, places, self.seed, deadline=first)
        if members:
            density = self._average(rows.coordinates(~self.chained), members, step, deadline)
        if chain is not None:
            density = JointDensity(density, chain)
        assert density is not None
        self.checkpoint.keep(step, density.state_dict())
        return density

    def _average(
        self, rows: Rows, members: list[tuple[Structure, float]], step: str, deadline: float
    ) -> MixtureDensity:
        """Fit every member on its own split of the rows, behind its own marginal layer."""
        parts: list[Density] = []
        shares: list[float] = []
        longest = 0.0  # seconds of a member
        for i, (structure, weight) in enumerate(members):
            begun = time.monotonic()
            if i > 0 and begun + longest > deadline:
                break
            out = min(max(5, round((0.15 if len(rows) < _MANY else 0.1) * len(rows))), 5000)
            seed = self.seed + 1000 + i
            train, held_out = (rows.take(part) for part in rows.split(out, seed))
            margins = train.fit_margins() if structure.margins else None
            density = fit_structure(
                structure,
                train.through(margins),
                held_out.through(margins),
                layering=self.layering,
                seed=seed,
                deadline=deadline,
                checkpoint=self.checkpoint,
                step=f"{step}/member {i}, {structure!r}",
                margins=margins,
            )
            parts.append(density)
            shares.append(weight)
            longest = max(longest, time.monotonic() - begun)
        total, one = sum(shares), 1 / len(rows)
        shares = [(1 - one) * share / total for share in shares]
        return MixtureDensity(
            [*parts, wide_gaussian(rows)], torch.tensor([*shares, one], dtype=torch.float64).log()
        )


def _without(n: int, out: Tensor) -> Tensor:
    """Which of n rows are not among ``out``: (n,) bool."""
    within = torch.ones(n, dtype=torch.bool)
    within[out] = False
    return within


def _floor(rows: Rows) -> SlicedDensity:
    """One Gaussian of all coordinates, which everything is compared with."""
    return fit_structure(GAUSSIAN, rows, None, layering=Layering(1), seed=0)


def _stack(
    trials: list[Trial], rows: Rows, within: Tensor | None = None
) -> list[tuple[Structure, float]]:
    """Members of the final average with their weights.

    EM for the weights of a mixture whose terms are fixed; structures that get less than a
    twentieth are left out.

    Args:
        trials: what was tried, all on the same rows.
        rows: all rows; their number decides how many structures and fits there are.
        within: (n,) bool, rows that may have a say; None for all.
    """
    if not trials:
        return []
    most, count = (3, 5) if len(rows) < _MANY else (2, 3)
    judged = trials[0].rows
    each = torch.ones(len(rows)).double() if rows.weight is None else rows.weight
    each = each[judged] if within is None else each[judged] * within[judged]
    value = {t.structure: weighted_mean(t.held_out, each) for t in trials}
    finite = [t for t in trials if math.isfinite(value[t.structure])]
    best = max(value[t.structure] for t in finite)
    near = sorted(
        (t for t in finite if value[t.structure] > best - 2), key=lambda t: -value[t.structure]
    )[:8]
    terms = torch.stack([t.held_out for t in near], dim=1)
    weight = torch.full((len(near),), 1 / len(near), dtype=terms.dtype)
    for _ in range(200):
        weight = each @ (terms + weight.log()).softmax(1) / each.sum()
    weight[weight < 0.05] = 0
    keep = weight.argsort(descending=True)[:most]
    weight = weight[keep] / weight[keep].sum()
    members: list[tuple[Structure, float]] = []
    for i, share in zip(keep.tolist(), weight.tolist(), strict=True):
        if share > 0:
            copies = max(1, round(share * count))
            members += [(near[i].structure, share / copies)] * copies
    return members


def _too_small(rows: Rows) -> Selection:
    """A Gaussian, shrunk towards its diagonal: fewer than 20 rows do not support a choice."""
    d = rows.x.shape[1]
    if d == 0:
        empty = torch.zeros(1, 0, dtype=torch.float64)
        density = SlicedDensity.assemble([Component(0.0, empty[0], empty[0].expand(0, 0), [])])
        note = "all columns are constant: there is nothing to model"
    else:
        plain = Structure(margins=False, shrinkage=1.0, diagonal=0.5)
        density = fit_structure(plain, rows, None, layering=Layering(1), seed=0)
        note = f"{rows.distinct()} different rows are too few to hold any out (20 are needed)"
        note += ": one Gaussian"
    scores = density.log_prob(rows.x) + rows.log_det
    return Selection(density, [], 0, rows.mean(scores), scores, rows.weight, [note])


def _shortened(n: int, outs: list[Tensor], scored: int, first_alone: bool) -> list[str]:
    """Sentences on what the budget had no time for."""
    notes = []
    if first_alone:
        notes.append(f"no time for a fit to all rows: this one saw {n - len(outs[0])} of {n}")
    if scored < len(outs):
        rows = sum(map(len, outs[:scored]))
        notes.append(f"time for {scored} of {len(outs)} folds: {rows} of {n} rows were held out")
    return notes


def _explain(trials: list[Trial], chained: int, value: float, gaussian: float) -> list[str]:
    notes = []
    if trials:
        notes.append(f"{trials[0].structure} has the highest held-out density of those tried")
    if chained:
        columns = "column" if chained == 1 else "columns"
        notes.append(f"{chained} {columns} modelled as discrete values, given the others")
    notes.append(
        f"{value:.3f} nats a row on rows that took no part, {value - gaussian:+.3f} over one "
        "Gaussian"
    )
    return notes
