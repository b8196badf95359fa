"""The recipe: move, learn anew, move, learn anew, thin; each stage kept only if it helps."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor

from ..data import Columns
from ..errors import DataError, ParameterError
from ..training import Processes, generator_of
from .acceptance_test import SAME, RealRows, Verdict, improves, likelihood_gain
from .adapters import Adapter, check_rows_alone
from .density_ratio import Logit, Teacher
from .dgflow_search import search_of
from .logit_gradients import Score, in_batches, one_each
from .methods import MARGINS, Decision, Surroundings, decide, made
from .repeated_values import Margins
from .report import RefinementReport, Stage
from .sample_spaces import Mover, Space
from .samplers.rejection import budgeted_log_acceptance
from .samplers.resampling import effective_sample_size, importance_weights
from .stages import Kept, chain, place_of, placed
from .streams import Stream
from .thinning_search import divergence, draws_for

__all__ = ["Budget", "Recipe"]

_ROUNDS = 3  # the most, of moving; one more where the first was by a critic that did not help
_BUDGETS = (1.25, 1.5, 2.0, 3.0, 4.0)  # draws a sample that thinning is tried with,
_DRAWS = 4.0  # and the most of them where the user says nothing
_LEAST = 0.5  # of the time a network wants: half of that is a fourth of its steps
_TIMED = 128  # samples that tell what drawing takes
_FOR_JUDGING = 0.15  # of the time, that drawing the samples of one verdict may take
_MOVED_COSTS = 15  # times what a sample costs that two steps move, by a critic and back
_ROOM = 1.3  # times what was timed, for a machine that has other work as well
_LOOKED_AT = 1000  # samples that displacement and weights are measured on
_MOVE = ("dgflow", "dot", "ddls")

Tell = Callable[[str, float], None]


@dataclass
class Budget:
    """What a refinement may take.

    Attributes:
        minutes: of the run.
        evaluations: logits that one refined sample may take.
        draws: samples of the generator that one refined sample may take.
    """

    minutes: float | None = None
    evaluations: float | None = None
    draws: float | None = None
    _began: float = field(default_factory=lambda: time.monotonic(), init=False)

    @property
    def seconds(self) -> float:
        """Spent so far."""
        return time.monotonic() - self._began

    def left(self) -> float | None:
        """Minutes there are left; a breath at the least, so that what was begun can end."""
        return None if self.minutes is None else max(0.02, self.minutes - self.seconds / 60)

    def late(self, ahead: float = 0.0) -> bool:
        """Whether time is up, or will be after so many seconds more."""
        return self.minutes is not None and self.seconds + ahead > 60 * self.minutes

    def check(self, space: Space, method: str) -> None:
        """Refuse a space whose samples cost more.

        Raises:
            ParameterError: naming the budget.
        """
        for name in ("evaluations", "draws"):
            limit, cost = getattr(self, name), getattr(space, name)
            if limit is not None and cost > 1.001 * limit:
                raise ParameterError(
                    f"A sample of {method} takes {cost:.3g} {name}. The budget is {limit:g}: "
                    "raise it, or lower the settings of the method."
                )


@dataclass
class Recipe:
    """One refinement of a adapter by real rows.

    Attributes:
        adapter: of the generator.
        real: rows in parts.
        teacher: of logits.
        budget: that is not exceeded.
        logit: of rows, that is there already; None for the generator's own critic, or none.
        seed: of all that is drawn.
        batch_size: points whose activations are held at once.
        tell: told what is going on, and the share done.
        before: stages of a refinement before this one.
        first_place: what the first of them moves or draws.
        known: logits of the generator's samples that need not be learned: under True what moves
            points, under False what weighs them.
        told_by: the logit whose percentiles are reported; by default the first.
        notes: sentences that the report begins with.
        space: that the stages kept so far make.
        last: the space that was tried last, whether or not it was kept.
    """

    adapter: Adapter
    real: RealRows
    teacher: Teacher
    budget: Budget
    logit: Score | None
    seed: int
    batch_size: int
    tell: Tell
    before: Sequence[Kept] = ()
    first_place: str = "data"
    known: dict[bool, Logit] = field(default_factory=dict)
    told_by: Logit | None = None
    notes: Sequence[str] = ()
    space: Any = None
    last: Space | None = None
    _first: Logit | None = None
    _judging: float = 0.0  # seconds that the last stage took to judge; the next takes no less
    _testing: float = 0.0  # of these, what the test took
    _learning: float = 0.0  # seconds that a network wants

    @property
    def first(self) -> Logit:
        """The logit that the run began with."""
        assert self._first is not None
        return self._first

    def run(
        self, method: str, settings: Mapping[str, Any], asked: str
    ) -> tuple[list[Kept], RefinementReport]:
        """Refine by one method, or by all of the recipe.

        Args:
            method: "auto", or one of the methods.
            settings: of that method.
            asked: "auto", "data" or "latent".

        Returns:
            The stages that are kept, those from before first, and what became of them.
        """
        self._kept, self._stages, self._notes = list(self.before), [], [*self.notes]
        self.space, self._place = self.beginning(asked)
        self._first = None
        few = self.space.quantised(_TIMED, self.seed, Stream.START)
        self._check(few)
        self._fit_in(moves=method in _MOVE or (method == "auto" and self._moving))
        n, began = self.real.drawn, time.monotonic()
        start = self.space.quantised(n, self.seed, Stream.START)
        self._check(start)
        drawing = time.monotonic() - began
        searches = (method == "auto" and self._moving) or (
            method == "dgflow" and not {"step", "preset"} & {*settings}
        )
        expected = self._expected(method, searches, start)
        self._said = 0.0
        self._say(expected, 0.0)
        began = time.monotonic()
        self._best = before = self.real.verdict(start)
        self._testing = time.monotonic() - began
        self._judging = drawing + self._testing
        self._helped, self._rows = False, start
        if method == "auto":
            try:
                self._automatic()
            except DataError as error:
                if self._first is None:  # before there is a logit nothing else is at fault
                    raise
                self._leave_out("what was to follow", error)
        else:
            self._by_itself(method, settings)
        after_rows, after = self._rows, self._best
        if self._helped and not self._late(self._judging):  # others than those it was kept for
            after_rows = self.space.quantised(n, self.seed, Stream.FINAL)
            after = self.real.verdict(after_rows)
        if self._helped and after.measure.value > before.measure.value:
            self._take_back(asked)
            after_rows, after = start, before
        told = {"real": self.real.judge, "before": start, "after": after_rows}
        logits = {
            name: _percentiles(in_batches(self.told_by or self.first, part, self.batch_size))
            for name, part in told.items()
        }
        sizes = (len(self.real.learn), len(self.real.choose), len(self.real.judge))
        self._say("done", 1.0)
        report = RefinementReport(
            self.real.floor(),
            before.measure,
            after.measure,
            tuple(self._stages),
            logits,
            sizes,
            expected,
            self.budget.seconds,
            tuple(self._notes),
        )
        return self._kept, report

    def _take_back(self, asked: str) -> None:
        """Keep nothing: what a stage was kept for may have been a lucky draw of samples."""
        self._kept, self._helped = list(self.before), False
        self._stages = [replace(stage, kept=False) for stage in self._stages]
        self.space, self._place = self.beginning(asked)
        self._note("all was taken back: samples drawn anew are no nearer to the data")

    def beginning(self, asked: str) -> tuple[Space, str]:
        """The space there is before this refinement, and what its points are."""
        place = place_of(self.adapter, asked) if not self.before else self.first_place
        if not self.before:
            self.first_place = place
        *_, (space, _) = chain(self.adapter, self.before, place, self.batch_size)
        here = self.before[-1].place if self.before else place
        wanted = here if self.before and asked == "auto" else place_of(self.adapter, asked)
        if (here, wanted) == ("latent", "data"):
            return placed(space, self.adapter), "data"
        if (here, wanted) == ("data", "latent"):
            raise ParameterError(
                "space is 'latent', and the model was refined in the space of the data before. "
                "Expected 'data' or 'auto': there is no way back to latents."
            )
        return space, here

    def _fit_in(self, *, moves: bool) -> None:
        """Judge by fewer rows and samples where the budget is short for all of them.

        Args:
            moves: whether samples are to be moved, which makes them dearer.
        """
        if self.budget.minutes is None:
            return
        began = time.monotonic()
        self.real.features(self.space.quantised(_TIMED, self.seed, Stream.START))
        each = (time.monotonic() - began) / _TIMED
        if moves:
            each *= _MOVED_COSTS
        most = _FOR_JUDGING * 60 * (self.budget.left() or 0.0) / each
        processes = Processes(self.real.judge.device)
        first = torch.tensor(most if processes.first else 0.0, device=self.real.judge.device)
        most = float(processes.sum(first))  # of one, so that all judge alike
        if most < self.real.drawn:
            self.real = self.teacher.real = self.real.fewer(int(most))
            self._notes.append(  # what to expect is said first
                f"{len(self.real.judge)} rows judge and {self.real.drawn} samples are drawn for "
                "it: there was no time for more"
            )

    def _by_itself(self, method: str, settings: Mapping[str, Any]) -> None:
        """One method, by the logit there is; by a network where the generator's critic is no use.

        A logit of the user is what was asked for, and stays.
        """
        moves = method in _MOVE
        logit = self._logit_of(moves=moves, share=0.05)
        if self._try(method, logit, settings) or logit.kind not in ("given", "critic"):
            return
        if logit.kind == "given":
            self._note(
                f"{method} went by the given logit alone, which does not help: leave logit out, "
                "or method, for a network that is learned"
            )
        elif not self._no_time("a network instead of the critic", self._judging):
            self._try(method, self._logit_of(moves=moves, share=0.5), settings)

    def _automatic(self) -> None:
        """Move while that helps, then thin; of mixed rows the margins come in between."""
        rounds, number = _ROUNDS if self._moving else 0, 0
        while number < rounds and not (number and self._no_time("moving further", self._judging)):
            logit = self._logit_of(moves=True, share=0.9 * number / (rounds + 1))
            helped = False
            with self._sparing(f"dgflow by a {logit.kind} logit"):
                helped = self._try("dgflow", logit, {})
            if not helped and number == 0 and logit.kind in ("critic", "given"):
                rounds += 1  # what a critic cannot do, a network learned afterwards may
            elif not helped:
                break
            number += 1
        if self.adapter.numbers is not None:
            with self._sparing(MARGINS):
                self._set_margins()
        pool = (1 + _DRAWS) * self._judging  # samples to draw, and those that are kept
        if self._first is not None and self._no_time("thinning", pool):
            return
        if self.logit is not None and not self._helped and self._thinned_by(self.first):
            return
        self._thinned_by(self._logit_of(moves=False, share=0.9 * rounds / (rounds + 1)))

    @property
    def _moving(self) -> bool:
        """Whether rows are moved: mixed ones that come from no latents are chosen only.

        Categories do not move, and a network hardly sees what gives such rows away.
        """
        adapter = self.adapter
        logit = self.logit is not None or adapter.critic is not None
        return adapter.numbers is None or adapter.prior is not None or logit

    def _set_margins(self) -> None:
        """Give numbers whose values repeat the margins of the data, where that helps."""
        points = self.space.points(self.real.drawn, self.seed, Stream.MARGINS)
        known = torch.cat([self.real.learn, self.real.choose])  # all that are not judged
        margins = Margins.learn(known, self.space.decoded(points))
        if margins is not None:
            names = cast(Columns, self.adapter.codec).names
            columns = ", ".join(names[j] for j in margins.coordinates)
            decision = Decision(MARGINS, {"columns": columns}, margins.to_config())
            self._judge(decision, None)

    def _thinned_by(self, logit: Logit) -> bool:
        """Thin by a logit, where that helps."""
        around = self._around(logit)  # whose pool of samples serves both
        budget = self._thinning(around)
        if budget is not None:
            with self._sparing(f"rejection by a {logit.kind} logit"):
                return self._try("rejection", logit, {"budget": budget}, around)
        return False

    def _logit_of(self, *, moves: bool, share: float) -> Logit:
        """The logit of what the space draws now: one that is there, or one that is learned."""
        there = self.logit if self.logit is not None else self.adapter.critic
        if self._first is None and moves in self.known:
            logit = self.known[moves]
        elif there is not None and self._first is None and not self.before:
            if self.logit is not None:
                eight = self.real.judge[:8]
                check_rows_alone("logit", there, eight)
                one_each(there(eight), len(eight))
            kind = "given" if self.logit is not None else "critic"
            logit = self.teacher.calibrated(kind, there, self.space)
        else:
            self._say("learning the ratio of densities", share)
            logit = self.teacher.learned(self.space, moves=moves, near=bool(self._kept))
        self._first = self._first or logit
        return logit

    def _thinning(self, around: Surroundings) -> float | None:
        """Draws a kept sample may cost, by the rows that choose; None where none helps."""
        most = _DRAWS if self.budget.draws is None else self.budget.draws / self.space.draws
        tries = [b for b in _BUDGETS if b <= most]
        if self.budget.evaluations is not None:
            each = self.space.evaluations + 1
            tries = [b for b in tries if b * each <= self.budget.evaluations]
        return draws_for(around, tries)

    @property
    def _looked_at(self) -> int:
        """Samples that displacement and weights are measured on."""
        return min(_LOOKED_AT, len(self.real.judge))

    def _around(self, logit: Logit) -> Surroundings:
        samples = self.real.drawn + self._looked_at

        def late(each: float) -> bool:  # samples are yet to be drawn, and judged
            return self.budget.late(_ROOM * each * samples + self._testing)

        budget = self.budget
        return Surroundings(
            self.space, logit, self.real, self.seed, budget.evaluations, budget.draws, late
        )

    def _try(
        self,
        method: str,
        logit: Logit,
        settings: Mapping[str, Any],
        around: Surroundings | None = None,
    ) -> bool:
        """Decide a stage, judge it, and keep it if it helps."""
        number = len(self._stages)
        self._say(f"trying {method}", 0.3 * (number + 0.5))
        decision = decide(method, around or self._around(logit), settings)
        if decision is None:
            if self._late(self._judging):
                self._note(f"{method} was left out: there was no time")
            else:
                text = f"the {logit.kind} logit is flat: nothing moves by it"
                self._say(text, 0.3 * (number + 1))
            return False
        return self._judge(decision, logit)

    def _judge(self, decision: Decision, logit: Logit | None) -> bool:
        """Judge a stage, and keep it if it helps."""
        number, method = len(self._stages), decision.method
        space, mover = made(decision, self.space, logit)
        self.budget.check(space, method)
        self.last = space
        began = time.monotonic()
        rows = space.quantised(self.real.drawn, self.seed, Stream.JUDGED, len(self._kept), number)
        if not rows.isfinite().all():
            raise DataError(
                f"{method} with {decision.settings} makes samples that are not finite. Lower the "
                "step, or see where the generator ends."
            )
        drawn = time.monotonic()
        verdict = self.real.verdict(rows)
        self._testing = time.monotonic() - drawn
        self._judging = time.monotonic() - began
        if method == "rejection" and logit is not None:
            verdict = self._with_gain(verdict, logit, decision.constants["constant"])
        stage = self._stage(decision, space, mover, logit, verdict)
        self._stages.append(stage)
        self._say(str(stage), 0.3 * (number + 1))
        if stage.kept:
            self._kept.append(Kept(decision, logit, self._place))
            self.space, self._best, self._rows, self._helped = space, verdict, rows, True
        return stage.kept

    @contextmanager
    def _sparing(self, what: str) -> Iterator[None]:
        """Leave out, like what harms, a stage whose samples cannot be judged."""
        try:
            yield
        except DataError as error:
            self._leave_out(what, error)

    def _leave_out(self, what: str, error: DataError) -> None:
        self._note(f"{what} was left out: {error}")

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self._say(text, self._said)

    def _with_gain(self, verdict: Verdict, logit: Logit, constant: float) -> Verdict:
        """The verdict on samples that were thinned, with what that adds to the likelihood."""
        points = self.space.points(self.real.drawn, self.seed, Stream.LIKELIHOOD)
        drawn = self.space.logits(logit, points)
        real = in_batches(logit, self.real.judge, self.batch_size)
        kept = [budgeted_log_acceptance(x, constant) for x in (real, drawn)]
        if divergence(kept[1], torch.zeros_like(kept[1])) < SAME:
            return (
                verdict  # all samples are taken as often: whatever real rows are, none is nearer
            )
        gain = likelihood_gain(*kept)
        verdict.measure.details["gain"] = gain[0]
        return replace(verdict, gain=gain)

    def _stage(
        self,
        decision: Decision,
        space: Space,
        mover: Mover | None,
        logit: Logit | None,
        verdict: Verdict,
    ) -> Stage:
        points = self.space.points(self._looked_at, self.seed, Stream.DISPLACEMENT)
        displacement = None
        if mover is not None:
            start = self.space.decoded(points).flatten(1).double()
            moved = mover(points, generator_of(self.seed, Stream.DISPLACEMENT))
            end = self.space.decoded(moved).flatten(1).double()
            spread = (start - start.mean(dim=0)).square().sum(dim=1).mean().clamp(min=1e-30)
            displacement = float(((end - start).square().sum(dim=1).mean() / spread).sqrt())
            displacement = displacement if math.isfinite(displacement) else None
        effective = 1.0
        if logit is not None:
            weights = importance_weights(self.space.logits(logit, points).double())
            effective = effective_sample_size(weights) / len(points)
        return Stage(
            decision.method, decision.settings, "" if logit is None else logit.kind,
            self._place, verdict.measure,
            improves(self._best, verdict), displacement, space.draws, space.evaluations, effective,
        )  # fmt: skip

    def _say(self, text: str, share: float) -> None:
        """Tell what is going on; the share done never falls."""
        self._said = 1.0 if share == 1 else max(self._said, min(0.97, share))
        self.tell(text, self._said)

    def _check(self, rows: Tensor) -> None:
        if rows.shape[1:] != self.real.judge.shape[1:]:
            raise DataError(
                f"The generator makes rows of shape {tuple(rows.shape[1:])} and data has "
                f"{tuple(self.real.judge.shape[1:])}. Expected the same."
            )
        if not rows.isfinite().all():
            raise DataError("The generator makes rows that are not finite. Mend it first.")

    def _expected(self, method: str, searches: bool, rows: Tensor) -> str:
        """What the run will take at most, from a sample and steps of learning that are timed."""
        points = self.space.points(256, self.seed)
        began = time.perf_counter()
        self.space.decoded(points)
        each = (time.perf_counter() - began) / 256
        search = search_of(points[0].numel())
        trials = search.evaluations if searches else 0
        rounds = (_ROUNDS if self._moving else 0) if method == "auto" else 1
        steps = max(search.steps) if rounds else 0
        drawn = (_ROUNDS + 2) * 2 * (self.real.drawn + len(self.real.learn)) * (steps / 2 + 1)
        seconds = 3 * each * (rounds * trials + drawn)
        seconds += self._learning_all(method, rows)
        limit = "" if self.budget.minutes is None else f", {self.budget.minutes:g} min at most"
        most = _DRAWS if self.budget.draws is None else self.budget.draws
        logits = most * (rounds * steps + 1)
        if self.budget.evaluations is not None:
            logits = min(logits, self.budget.evaluations)
        cost = f"a sample then takes at most {most:g} draws and {logits:g} logits"
        if method != "auto":
            cost = "a sample then takes what the method's settings say"
        return (
            f"expected: {trials * rounds:,} trial steps, about "
            f"{max(1, round(seconds))} s{limit}; {cost}"
        )

    def _learning_all(self, method: str, rows: Tensor) -> float:
        """Seconds that learning all networks takes; those of one that moves are kept."""
        known = self.logit is not None or (self.adapter.critic is not None and not self.before)
        if method != "auto" and known:
            return 0.0
        if method == "auto" and not self._moving:
            return self.teacher.seconds(rows, moves=False)
        first = self._learning = self.teacher.seconds(rows, moves=method in (*_MOVE, "auto"))
        if method != "auto":
            return first
        later = self.teacher.seconds(rows, moves=True, near=True) if self.teacher.few else first
        weighs = self.teacher.seconds(rows, moves=False)
        return (_ROUNDS - 1) * later + (later if known else first) + weighs

    def _no_time(self, what: str, judging: float) -> bool:
        """Whether what is left is too little for a network to learn in half of it and to judge.

        Args:
            what: is left out then, which a note says.
            judging: seconds that what comes after takes.
        """
        if not self._late(max(2 * judging, _LEAST * self._learning)):
            return False
        self._note(f"{what} was left out: there was no time")
        return True

    def _late(self, ahead: float) -> bool:
        """Whether time will be up after so many seconds, by the clock of the first process."""
        return Processes(self.real.judge.device).agree(self.budget.late(ahead))


def _percentiles(values: Tensor) -> list[float]:
    share = torch.linspace(0, 1, 101, dtype=torch.float64, device=values.device)
    return torch.quantile(values.double(), share).tolist()
