"""Stacks of structures: their weights by held-out rows, and fits of them to any rows."""

import math
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ...storage.checkpoint import Checkpoint
from ...training.processes import Processes
from ...transport.any_density import Density, density_from_state
from ...transport.discrete_chain import DiscreteChain
from ...transport.joint_density import JointDensity
from ...transport.mixture_density import MixtureDensity
from ...transport.numerics import weighted_mean
from ...transport.rows import Rows
from .layer_growth import Layering
from .structure import GAUSSIAN, Structure, fit_structure, halfway_to, wide_gaussian
from .structure_search import WIDE, Trial

__all__ = ["MANY", "StackFitter", "stacked", "without"]

MANY = 3000  # from here on rows for scores are left out of everything; below, all are fitted on
_FITS, _FITS_OF_MANY = 5, 3  # that are averaged, of few and of many rows
_LONGER = 1.3  # times that a fit to all rows takes as long as one without a fold, with room


def _share(folds: float, of: int) -> float:
    """Share of a fit that is done after some folds: what comes before them is seven tenths."""
    return 0.7 + 0.3 * folds / of


class StackFitter:
    """Fits a density of a given stack to rows, wherever it is needed."""

    def __init__(
        self,
        layering: Layering,
        seed: int,
        deadline: float,
        checkpoint: Checkpoint,
        chained: Tensor,
        processes: Processes | None = None,
    ) -> None:
        self.processes = processes
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
            within = without(len(rows), out)
            started = time.monotonic()
            # the other half is for the fit to all rows
            deadline = self.deadline if i else halfway_to(self.deadline)
            own = stacked(trials, rows, within)
            parts.append(self.fit(rows.take(within), own, f"fold {i}", deadline))
            longest = max(longest, time.monotonic() - started)
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
        held_out: Rows | None = None,
    ) -> Density:
        """The density of the rows, with fewer members and trees where time is short.

        Args:
            rows: to fit on.
            members: structures and their weights.
            step: the name of this fit in the checkpoint.
            deadline: ``time.monotonic()`` to be done by.
            held_out: rows that flows are stopped by; None holds out some of the rows, others
                for each member.
        """
        kept = self.checkpoint.get(step)
        if kept is not None:
            return density_from_state(dict(kept))
        chain, density = None, None
        if bool(self.chained.any()):
            places = torch.nonzero(self.chained)[:, 0]
            first = halfway_to(deadline) if members else deadline
            chain = DiscreteChain.fit(rows, places, self.seed, deadline=first)
        if members:
            smooth = ~self.chained
            judged = None if held_out is None else held_out.coordinates(smooth)
            density = self._average(rows.coordinates(smooth), members, step, deadline, judged)
        if chain is not None:
            density = JointDensity(density, chain)
        assert density is not None
        self.checkpoint.keep(step, density.state_dict())
        return density

    def _average(
        self,
        rows: Rows,
        members: list[tuple[Structure, float]],
        step: str,
        deadline: float,
        judged: Rows | None,
    ) -> MixtureDensity:
        """Fit every member on its own split of the rows, behind its own marginal layer.

        Where there are rows that judge, every member is fitted on all of the others. Rows with
        missing cells have other draws of these in each member.
        """
        parts: list[Density] = []
        shares: list[float] = []
        longest = 0.0  # seconds of a member
        if self.processes is not None and math.isinf(deadline):
            group = self.processes
            tasks = [
                partial(self._member, rows, i, structure, step, deadline, judged)
                for i, (structure, _) in enumerate(members)
            ]
            self.checkpoint.share_out(tasks, group.rank, group.count, group.gather)
        for i, (structure, weight) in enumerate(members):
            started = time.monotonic()
            if i > 0 and started + longest > deadline:
                break
            parts.append(self._member(rows, i, structure, step, deadline, judged))
            shares.append(weight)
            longest = max(longest, time.monotonic() - started)
        total, one = sum(shares), 1 / len(rows)
        shares = [(1 - one) * share / total for share in shares]
        return MixtureDensity(
            [*parts, wide_gaussian(rows)], torch.tensor([*shares, one], dtype=torch.float64).log()
        )

    def _member(
        self,
        rows: Rows,
        i: int,
        structure: Structure,
        step: str,
        deadline: float,
        judged: Rows | None,
    ) -> Density:
        """Member ``i`` of the average; see :meth:`_average` for the others."""
        whole = f"{step}/member {i}"
        kept = self.checkpoint.get(whole)
        if kept is not None:
            return density_from_state(dict(kept))
        out = min(max(5, round((0.15 if len(rows) < MANY else 0.1) * len(rows))), 5000)
        seed = self.seed + 1000 + i
        train, held_out = rows.completion(i), judged
        if held_out is None:
            train, held_out = (train.take(part) for part in train.split(out, seed))
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
        if self.processes is not None and self.processes.count > 1:
            self.checkpoint.put(whole, density.state_dict())
        return density


def without(n: int, out: Tensor) -> Tensor:
    """Which of n rows are not among ``out``: (n,) bool."""
    within = torch.ones(n, dtype=torch.bool)
    within[out] = False
    return within


def stacked(
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
    most, count = (3, _FITS) if len(rows) < MANY else (2, _FITS_OF_MANY)
    if rows.x.shape[1] > WIDE:
        most, count = 2, 2
    scored = trials[0].rows
    each = torch.ones(len(rows)).double() if rows.weight is None else rows.weight
    each = each[scored] if within is None else each[scored] * within[scored]
    value = {t.structure: weighted_mean(t.held_out, each) for t in trials}
    finite = [t for t in trials if math.isfinite(value[t.structure])]
    if not finite:  # none of the rows that were scored has a say
        return [(GAUSSIAN, 1.0)]
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
