"""The search among structures: each is tried on the same held-out rows."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from ...storage.checkpoint import Checkpoint
from ...training.processes import Processes
from ...transport.margins import Margins
from ...transport.mixture import GaussianMixture
from ...transport.rows import Rows
from .layer_growth import Layering
from .structure import GAUSSIAN, Structure, fit_mixture, fit_structure, wide_gaussian

__all__ = ["WIDE", "Search", "Trial"]

_MOST_COMPONENTS = 64
_PATIENCE = 5  # layers without a gain after which the flow of a trial is finished
_ROWS_A_COMPONENT = 20

#: Columns from which on single Gaussians are tried alone.
WIDE = 200
_FEW_ROWS = 10  # a column, where a single Gaussian is pulled to its diagonal too
_PULLS = (0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)  # of covariances to their diagonal
_ALL = 1e6  # rows a coordinate, beside which those of the fit do not count
_FACTORS = (1, 3, 6, 12, 25, 50, 100)


@dataclass
class Trial:
    """One structure tried: its mean held-out log density (nats a row) and seconds it took.

    Attributes:
        held_out: log density of each held-out row, for stacking.
        rows: which rows these are.
        weight: its share in the stack.
    """

    structure: Structure
    value: float
    seconds: float
    held_out: Tensor
    rows: Tensor
    weight: float = 0.0


@dataclass
class _Layered:
    """Rows to fit on and rows held out, behind a marginal layer of the first, or none."""

    margins: Margins | None
    train: Rows
    held_out: Rows


class _Split:
    """A division of the rows, once through each marginal layer that was asked for."""

    def __init__(self, rows: Rows, train: Tensor, held_out: Tensor) -> None:
        self.train, self.held_out = rows.take(train), rows.take(held_out)
        self.which = held_out
        self._layered: dict[bool, _Layered] = {}
        self._far: Tensor | None = None

    def behind(self, margins: bool) -> _Layered:
        if margins not in self._layered:
            layer = self.train.fit_margins() if margins else None
            self._layered[margins] = _Layered(
                layer, self.train.through(layer), self.held_out.through(layer)
            )
        return self._layered[margins]

    def far(self) -> Tensor:
        """Log density of the held-out rows by the wide Gaussian, with its weight of one row."""
        if self._far is None:
            density = wide_gaussian(self.train)
            self._far = density.log_prob(self.held_out.x) + self.held_out.log_det
        return self._far - math.log(len(self.train))


class Search:
    """Tries structures on the same splits and keeps what it learned.

    Args:
        rows: the rows.
        splits: of each split the indices of rows that are fitted and of rows held out.
        layering, seed, checkpoint: as of :func:`~.selection.select`.
        deadline: ``time.monotonic()`` after which nothing more is tried.
        processes: that share the trials out; the result is that of one.
    """

    def __init__(
        self,
        rows: Rows,
        splits: list[tuple[Tensor, Tensor]],
        layering: Layering,
        seed: int,
        deadline: float,
        checkpoint: Checkpoint,
        processes: Processes | None = None,
    ) -> None:
        self.processes = processes
        self.splits = [_Split(rows, *pair) for pair in splits]
        self.layering, self.seed, self.deadline = layering, seed, deadline
        self.checkpoint = checkpoint
        self.trials: dict[Structure, Trial] = {}
        self._mixtures: dict[tuple[Structure, int], GaussianMixture] = {}
        self._starts: dict[tuple[Structure, int], GaussianMixture] = {}

    def out_of_time(self) -> bool:
        return time.monotonic() > self.deadline

    def value(self, structure: Structure) -> float:
        if structure not in self.trials:
            started = time.process_time()
            values = [self._held_out(structure, i) for i in range(len(self.splits))]
            held_out_rows = [split.held_out for split in self.splits]
            value = sum(r.mean(v) for r, v in zip(held_out_rows, values, strict=True)) / len(
                values
            )
            if not math.isfinite(value):
                value = -math.inf
            self.trials[structure] = Trial(
                structure,
                value,
                time.process_time() - started,
                torch.cat(values),
                torch.cat([split.which for split in self.splits]),
            )
        return self.trials[structure].value

    def _share_out(self, tasks: Sequence[Callable[[], object]]) -> None:
        """Have other processes do some of what comes, where there are any and no clock."""
        if self.processes is not None and math.isinf(self.deadline):
            group = self.processes
            self.checkpoint.share_out(tasks, group.rank, group.count, group.gather)

    def _held_out(self, structure: Structure, i: int) -> Tensor:
        """Log density of the rows that split ``i`` holds out."""
        step = f"trial {structure!r} on split {i}"
        split = self.splits[i]
        layered = split.behind(structure.margins)
        train, held_out = layered.train, layered.held_out
        mixture = self._mixture(replace(structure, flow=False), train, i)
        kept = self.checkpoint.get(step)
        if kept is not None:
            return kept["held out"]
        density = fit_structure(
            structure,
            train,
            held_out,
            layering=self.layering,
            seed=self.seed + i,
            patience=_PATIENCE,
            deadline=self.deadline,
            mixture=mixture,
            checkpoint=self.checkpoint,
            step=step,
        )
        result = density.log_prob(held_out.x) + held_out.log_det
        if structure != GAUSSIAN:  # the floor everything is compared with stays as it is
            result = torch.logaddexp(result, split.far())
        self.checkpoint.keep(step, {"held out": result})
        return result

    def _mixture(self, plain: Structure, train: Rows, i: int) -> GaussianMixture:
        """The mixture of a structure on split ``i``; the first of its size starts the others."""
        alike = replace(plain, shrinkage=0.0, diagonal=0.0)
        mixture = self._mixtures.get((plain, i))
        if mixture is None:
            step = f"mixture {plain!r} on split {i}"
            kept = self.checkpoint.get(step)
            if kept is not None:
                mixture = GaussianMixture(kept["log weight"], kept["mean"], kept["factor"])
            else:
                mixture = fit_mixture(
                    plain,
                    train,
                    start=self._starts.get((alike, i)),
                    iterations=40,
                    tolerance=1e-3,
                    seed=self.seed + i,
                    deadline=self.deadline,
                )
                self.checkpoint.keep(
                    step,
                    {
                        "log weight": mixture.log_weight,
                        "mean": mixture.mean,
                        "factor": mixture.factor,
                    },
                )
            self._mixtures[plain, i] = self._starts[alike, i] = mixture
        return mixture

    def climb(self, margins: bool) -> Structure:
        """The best mixture of Gaussians: component count first, then its shrinkage.

        A single one of few rows is pulled to its diagonal as far as that helps.
        """
        n, d = self.splits[0].train.distinct(), self.splits[0].train.x.shape[1]
        best = Structure(margins)
        self.value(best)
        falls, k = 0, 2
        while k <= min(_MOST_COMPONENTS, n // _ROWS_A_COMPONENT) and falls < 2:
            if self.out_of_time():
                break
            trial = max(
                (Structure(margins, k, s) for s in ((0.2, 1.0) if n > 30 * d * k else (1.0, 4.0))),
                key=self.value,
            )
            if self.value(trial) > self.value(best):
                best, falls = trial, 0
            else:
                falls += 1
            k *= 2
        for change in (
            {"diagonal": 0.2},
            {"shrinkage": best.shrinkage / 4},
            {"shrinkage": best.shrinkage * 4},
        ):
            if best.components > 1 and not self.out_of_time() and n < 200 * d:
                best = max(best, replace(best, **change), key=self.value)
        if best.components == 1 and not self.out_of_time() and n < _FEW_ROWS * d:
            pulled = self._rising([Structure(margins, 1, _ALL, pull) for pull in _PULLS])
            best = max(best, pulled, key=self.value)
        return best

    def _rising(self, choices: Sequence[Structure]) -> Structure:
        """The best of structures in an order, tried while the next is better."""
        best = choices[0]
        for structure in choices:
            if self.out_of_time() or self.value(structure) < self.value(best):
                break
            best = structure
        return best

    def grow_flows(self, mixture: Structure) -> list[Structure]:
        """The mixture and smaller ones of its kind, each with flows.

        One coordinate has none: a marginal layer is all that a flow could be.
        """
        if self.splits[0].train.x.shape[1] == 1:
            return []
        counts = {1, *(mixture.components // 2**i for i in range(4))} - {0, mixture.components}
        one = Structure(mixture.margins)  # of which a pull to other Gaussians leaves nothing
        smaller = [replace(mixture, components=k) if k > 1 else one for k in sorted(counts)]
        return [replace(structure, flow=True) for structure in (*smaller, mixture)]

    def run(self, report: Callable[[str, float], None]) -> list[Trial]:
        """Try what is worth it; the trials, best first.

        Mixtures of Gaussians of growing size, with and without a marginal layer; then sliced
        flows on the components of the best. Of very many columns Gaussians alone, whose
        covariances are pulled to their diagonal or are those of a factor analysis.
        """
        self.value(GAUSSIAN)
        firsts = [s for m in (False, True) for s in (Structure(m), Structure(m, 4, 1.0))]
        if self.splits[0].train.x.shape[1] > WIDE:
            self._try_wide(report)
            return self.ranked()
        self._share_out([partial(self.value, structure) for structure in firsts])
        # one look at each kind of margin: what is far behind with few Gaussians stays behind
        values_by_margins = {
            m: max(self.value(Structure(m)), self.value(Structure(m, 4, 1.0)))
            for m in (False, True)
        }
        d = self.splits[0].train.x.shape[1]
        bests = []
        best = max(values_by_margins.values())
        kinds = [m for m, value in values_by_margins.items() if best - value < max(4.0, 0.15 * d)]
        self._share_out([partial(self.climb, margins) for margins in kinds])
        for margins in kinds:
            layer = " behind a marginal layer" if margins else ""
            report("mixtures" + layer, 0.1 + 0.15 * margins)
            bests.append(self.climb(margins))
        bests.sort(key=self.value, reverse=True)
        tries = [s for b in bests for s in self.grow_flows(b)[-2:][:1]]
        self._share_out([partial(self.value, structure) for structure in tries])
        # flows add more where the mixture is poor, so both kinds of margin get one try
        for i, best in enumerate(bests):
            for structure in self.grow_flows(best)[-2:][:1]:
                if not self.out_of_time():
                    report(f"trying {structure}", 0.4 + 0.1 * i)
                    self.value(structure)
        margins = self.ranked()[0].structure.margins
        flows = self.grow_flows(next(b for b in bests if b.margins == margins))
        self._share_out([partial(self.value, s) for s in flows if s not in self.trials])
        for structure in flows:
            if not self.out_of_time():
                report(f"trying {structure}", 0.6)
                self.value(structure)
        return self.ranked()

    def _try_wide(self, report: Callable[[str, float], None]) -> None:
        """Try Gaussians of very many columns, behind margins and not."""
        for margins in (False, True):
            report("factors" + " behind a marginal layer" * margins, 0.1 + 0.3 * margins)
            for choices in (
                [Structure(margins, 1, _ALL, pull) for pull in _PULLS],
                [Structure(margins, factors=count) for count in _FACTORS],
            ):
                if not self.out_of_time():
                    self._rising(choices)

    def ranked(self) -> list[Trial]:
        """All trials, best first."""
        return sorted(self.trials.values(), key=lambda t: -t.value)
