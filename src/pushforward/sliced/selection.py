"""Choosing a structure by held-out density, stacking the best, refitting on all rows."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..checkpoint import Checkpoint
from ..transport.density import Component, SlicedDensity
from ..transport.margins import Margins
from ..transport.mixture import GaussianMixture
from ..transport.rows import Rows
from .greedy import Layering
from .structure import GAUSSIAN, Structure, fit_structure

__all__ = ["Selection", "Trial", "select"]

_SEARCH_ROWS = 20_000  # rows the choice looks at; the refits see all
_MOST_COMPONENTS = 64
_ROWS_A_COMPONENT = 20


@dataclass
class Trial:
    """One structure tried: its mean held-out log density (nats a row) and seconds it took."""

    structure: Structure
    value: float
    seconds: float
    held_out: Tensor  # log density of each held-out row, for stacking
    weight: float = 0.0  # its share in the stack


@dataclass
class Selection:
    """What :func:`select` returns.

    Attributes:
        density: the refitted model.
        trials: all structures tried, best first.
        gaussian: held-out value of one Gaussian, the floor.
        value: mean held-out value of the members of the final average.
        scores: log densities of rows by members that did not see them, for thresholds.
        weight: the weights of these rows, or None.
        notes: sentences on what was chosen and why.
    """

    density: SlicedDensity
    trials: list[Trial]
    gaussian: float
    value: float
    scores: Tensor
    weight: Tensor | None
    notes: list[str] = field(default_factory=list)


@dataclass
class _Split:
    """A division of the rows, once through each marginal layer that was asked for."""

    train: Rows
    held_out: Rows
    through: dict[bool, tuple[Rows, Rows]] = field(default_factory=dict)

    def rows(self, margins: bool) -> tuple[Rows, Rows]:
        if margins not in self.through:
            layer = self.train.fit_margins() if margins else None
            self.through[margins] = (self.train.through(layer), self.held_out.through(layer))
        return self.through[margins]


class _Search:
    """Tries structures on the same splits and keeps what it learned."""

    def __init__(
        self,
        splits: list[_Split],
        layering: Layering,
        seed: int,
        deadline: float,
        checkpoint: Checkpoint,
    ) -> None:
        self.splits, self.layering, self.seed, self.deadline = splits, layering, seed, deadline
        self.checkpoint = checkpoint
        self.trials: dict[Structure, Trial] = {}
        self._mixtures: dict[tuple[Structure, int], GaussianMixture] = {}
        self._starts: dict[tuple[Structure, int], GaussianMixture] = {}

    def out_of_time(self) -> bool:
        return time.monotonic() > self.deadline

    def value(self, structure: Structure) -> float:
        if structure not in self.trials:
            begun = time.process_time()
            values = [self._held_out(structure, i) for i in range(len(self.splits))]
            held_out_rows = [split.held_out for split in self.splits]
            value = sum(r.mean(v) for r, v in zip(held_out_rows, values, strict=True)) / len(
                values
            )
            if not math.isfinite(value):
                value = -math.inf
            self.trials[structure] = Trial(
                structure, value, time.process_time() - begun, torch.cat(values)
            )
        return self.trials[structure].value

    def _held_out(self, structure: Structure, i: int) -> Tensor:
        """Log density of the rows that split ``i`` holds out."""
        step = f"trial {structure!r} on split {i}"
        train, held_out = self.splits[i].rows(structure.margins)
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
            patience=5,
            deadline=self.deadline,
            mixture=mixture,
            checkpoint=self.checkpoint,
            step=step,
        )
        result = density.log_prob(held_out.x) + held_out.log_det
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
                mixture = GaussianMixture.fit(
                    train.x,
                    plain.components,
                    shrinkage=plain.shrinkage * train.x.shape[1],
                    diagonal=plain.diagonal,
                    weight=train.weight,
                    start=self._starts.get((alike, i)),
                    iterations=40,
                    tolerance=1e-3,
                    seed=self.seed + i,
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
        """The best mixture of Gaussians: component count first, then its shrinkage."""
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
        return best

    def grow_flows(self, mixture: Structure) -> list[Structure]:
        """The mixture and smaller ones of its kind, each with flows."""
        counts = {1, *(mixture.components // 2**i for i in range(4))} - {0}
        return [
            replace(
                mixture, components=k, flow=True, shrinkage=mixture.shrinkage if k > 1 else 0.0
            )
            for k in sorted(counts)
        ]


def select(
    rows: Rows,
    *,
    seed: int,
    layering: Layering,
    minutes: float | None = None,
    report: Callable[[str, float], None],
    checkpoint: Checkpoint | None = None,
) -> Selection:
    """Choose, stack and refit.

    1. Mixtures of Gaussians of growing size, with and without a marginal layer.
    2. Sliced flows on the components of the best.
    3. Weights of the best few by stacking on the held-out rows (Smyth & Wolpert, *Linearly
       combining density estimators via stacking*, 1999).
    4. Refits on re-drawn splits of all rows, averaged: each row trains nearly all members.

    Args:
        rows: all rows.
        seed: seed of everything random.
        layering: how flow layers are made.
        minutes: budget; what does not fit into it is left out.
        report: called with (what is being done, share done).
        checkpoint: where finished trials, members and flows are kept.
    """
    checkpoint = checkpoint or Checkpoint()
    begun = time.monotonic() - checkpoint.seconds
    deadline = math.inf if minutes is None else begun + 60 * minutes
    search_end = math.inf if minutes is None else begun + 0.5 * 60 * minutes
    n, d = rows.x.shape
    if d == 0 or rows.distinct() < 20:
        return _too_small(rows)

    few = n < 3000
    looked = rows.take(_permutation(n, seed)[:_SEARCH_ROWS])
    splits = [_split(looked, seed + i, 0.2) for i in range(2 if few else 1)]
    search = _Search(splits, layering, seed, search_end, checkpoint)
    floor = GAUSSIAN
    gaussian = search.value(floor)
    # one look at each kind of margin: what is far behind with few Gaussians stays behind
    looks = {
        m: max(search.value(Structure(m)), search.value(Structure(m, 4, 1.0)))
        for m in (False, True)
    }
    lead = max(looks.values())
    bests = []
    for margins in (False, True):
        if lead - looks[margins] < max(4.0, 0.15 * d):
            report(
                "mixtures" + (" behind a marginal layer" if margins else ""), 0.1 + 0.15 * margins
            )
            bests.append(search.climb(margins))
    bests.sort(key=search.value, reverse=True)
    # flows add more where the mixture is poor, so both kinds of margin get one try
    tries = [search.grow_flows(b)[-2:][0] for b in bests]
    for i, structure in enumerate(tries):
        if not search.out_of_time():
            report(f"trying {structure}", 0.4 + 0.1 * i)
            search.value(structure)
    ranked = sorted(search.trials.values(), key=lambda t: -t.value)
    margins = ranked[0].structure.margins
    for structure in search.grow_flows(next(b for b in bests if b.margins == margins)):
        if not search.out_of_time():
            report(f"trying {structure}", 0.6)
            search.value(structure)

    trials = sorted(search.trials.values(), key=lambda t: -t.value)
    notes = _explain(trials, gaussian, floor)
    members = _stack(trials, *((3, 5) if few else (2, 2)))
    report("refitting", 0.7)
    density, scores, out_weight, value, reference = _refit(
        rows,
        members,
        layering,
        seed,
        deadline,
        checkpoint,
        lambda share: report("refitting", 0.7 + 0.3 * share),
    )
    if value < reference and members[0][0] != floor:
        notes.append("the refits fell behind one Gaussian on their held-out rows: it is returned")
        density, scores, out_weight, value, _ = _refit(
            rows, [(floor, 1.0)], layering, seed, deadline, checkpoint
        )
    return Selection(density, trials, gaussian, value, scores, out_weight, notes)


def _permutation(n: int, seed: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def _split(rows: Rows, seed: int, share: float) -> _Split:
    train, out = rows.split(min(max(5, round(share * len(rows))), 5000), seed)
    return _Split(rows.take(train), rows.take(out))


def _stack(trials: list[Trial], most: int, count: int) -> list[tuple[Structure, float]]:
    """Members of the final average with their weights: ``most`` structures, ``count`` fits.

    EM for the weights of a mixture whose terms are fixed; structures that get less than a
    twentieth are left out.
    """
    margins = trials[0].structure.margins
    near = [t for t in trials if t.structure.margins == margins and t.value > trials[0].value - 2]
    near = near[:8]
    terms = torch.stack([t.held_out for t in near], dim=1)
    weight = torch.full((len(near),), 1 / len(near), dtype=terms.dtype)
    for _ in range(200):
        weight = (terms + weight.log()).softmax(1).mean(0)
    weight[weight < 0.05] = 0
    keep = weight.argsort(descending=True)[:most]
    weight = weight[keep] / weight[keep].sum()
    members: list[tuple[Structure, float]] = []
    for i, share in zip(keep.tolist(), weight.tolist(), strict=True):
        if share > 0:
            near[i].weight = share
            copies = max(1, round(share * count))
            members += [(near[i].structure, share / copies)] * copies
    return members


def _refit(
    rows: Rows,
    members: list[tuple[Structure, float]],
    layering: Layering,
    seed: int,
    deadline: float,
    checkpoint: Checkpoint,
    tell: Callable[[float], None] = lambda share: None,
) -> tuple[SlicedDensity, Tensor, Tensor | None, float, float]:
    """Fit every member on its own split of all rows, behind one marginal layer."""
    margins: Margins | None = rows.fit_margins() if members[0][0].margins else None
    inner = rows.through(margins)
    terms: list[Component] = []
    scores, outs, values, references = [], [], [], []
    for i, (structure, weight) in enumerate(members):
        if i > 0 and time.monotonic() > deadline:
            break
        held_out = min(max(5, round((0.15 if len(rows) < 3000 else 0.1) * len(rows))), 5000)
        train, out = rows.split(held_out, seed + 1000 + i)
        step = f"member {i}, {structure!r}"
        kept = checkpoint.get(step)
        if kept is not None:
            fitted = SlicedDensity.from_state(dict(kept))
        else:
            fitted = fit_structure(
                structure,
                inner.take(train),
                inner.take(out),
                layering=layering,
                seed=seed + 1000 + i,
                deadline=deadline,
                checkpoint=checkpoint,
                step=step,
            )
            checkpoint.keep(step, fitted.state_dict())
        scores.append(fitted.log_prob(inner.x[out]) + inner.log_det[out])
        outs.append(out)
        values.append(rows.take(out).mean(scores[-1]))
        one = fit_structure(GAUSSIAN, rows.take(train), None, layering=layering, seed=seed)
        references.append(rows.take(out).mean(one.log_prob(rows.x[out]) + rows.log_det[out]))
        terms += [
            Component(t.log_weight + math.log(weight), t.mean, t.factor, t.layers)
            for t in fitted.components()
        ]
        tell((i + 1) / len(members))
    density = SlicedDensity.assemble(terms, margins)
    value, reference = (sum(v) / len(v) for v in (values, references))
    out_weight = None if rows.weight is None else rows.weight[torch.cat(outs)]
    return density, torch.cat(scores), out_weight, value, reference


def _too_small(rows: Rows) -> Selection:
    """A Gaussian, shrunk to its diagonal: fewer than 20 rows do not support a choice."""
    d = rows.x.shape[1]
    if d == 0:
        empty = torch.zeros(1, 0, dtype=torch.float64)
        density = SlicedDensity.assemble([Component(0.0, empty[0], empty[0].expand(0, 0), [])])
        note = "all columns are constant: there is nothing to model"
    else:
        density = fit_structure(
            Structure(margins=False, diagonal=0.5), rows, None, layering=Layering(1), seed=0
        )
        note = f"{rows.distinct()} different rows are too few to hold any out (20 are needed)"
        note += ": one Gaussian"
    scores = density.log_prob(rows.x) + rows.log_det
    value = rows.mean(scores)
    return Selection(density, [], value, value, scores, rows.weight, [note])


def _explain(trials: list[Trial], gaussian: float, floor: Structure) -> list[str]:
    best = trials[0]
    if best.structure == floor:
        return [f"nothing beat one Gaussian on held-out rows ({gaussian:.3f} nats a row)"]
    return [
        f"{best.structure} has the highest held-out density: {best.value:.3f} nats a row, "
        f"{best.value - gaussian:+.3f} over one Gaussian"
    ]
