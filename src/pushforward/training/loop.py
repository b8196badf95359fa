"""The loop: phases, one after the other, within a budget. Every gradient-trained model uses it.

loop = Loop({"flow": network}, [Phase("flow", ("flow",), loss, Optimiser())], source)
loop.run(minutes=10, folder=Path("run"))
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..devices import inference
from ..errors import DataError, ParameterError, TrainingError
from ..storage.checkpoint import RunCheckpoint
from ..validation import COUNT, MINUTES, SHARE, OneOf, Rule, check
from .average import Average
from .batches import Source, Stream
from .captured import graphs_on
from .gradients import with_gradients
from .interrupt import Interrupt
from .log import Log, is_recorded
from .optimiser_step import OptimiserStep
from .phase import Phase
from .processes import Processes
from .save_pace import SavePace

__all__ = ["Loop"]

#: Shares of the budget at which samples are drawn and the model is judged.
MARKS = (0.01, 0.02, 0.05, *(k / 10 for k in range(1, 11)))
_GROUPS = ("network", "optimiser", "average", "best")  # the tensors of a run, as they are kept

_RULES: Mapping[str, Rule] = {
    "batch_size": COUNT,
    "ema": SHARE | None,
    "precision": OneOf("float32", "bfloat16"),
}
_BUDGET: Mapping[str, Rule] = {"steps": COUNT | None, "minutes": MINUTES}

Judge = Callable[[], Mapping[str, float]]
Report = Callable[[str, float], None]


class Loop:
    """Trains networks by phases, and owns all that is the same for every model.

    A step is every phase in order, each as often as it repeats, each time on a fresh batch.

    Args:
        networks: by name; on their device, with the parameters they begin with.
        phases: in order.
        source: the rows.
        batch_size: rows a move, over all processes.
        seed: decides order, noise and dropout.
        ema: decay of an exponential moving average of the networks; None keeps none.
        precision: "float32" or "bfloat16" (autocast of the losses).
        identity: JSON values that say what is trained; a run is resumed only by its like, and
            with the same seed.

    Attributes:
        step: steps taken.
        seconds: spent on them, interruptions not counted.
        history: records of steps, terms, rates, and measures at the marks.
        best: step, measures and "which" ("own" or "averaged") of the weights that are kept, and
            the least value so far; None where nothing judges.
        stopped: why the run ended.

    Raises:
        DataError: for a source without rows.
        ParameterError: for unusable settings.

    Examples:
        A normal distribution with a learned mean, by maximum likelihood:

        >>> import torch
        >>> from pushforward.training import Loop, Optimiser, Phase, TensorSource
        >>> data = torch.randn(512, 1, generator=torch.Generator().manual_seed(0)) + 3
        >>> mean = torch.nn.Linear(1, 1, bias=False)
        >>> def loss(batch):
        ...     return {"nats": 0.5 * (batch.x - mean.weight).square().mean()}
        >>> phase = Phase("fit", ("mean",), loss, Optimiser("adam", 0.05))
        >>> loop = Loop({"mean": mean}, [phase], TensorSource(data))
        >>> loop.run(steps=200)
        >>> bool((mean.weight - data.mean()).abs() < 0.1)
        True
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        phases: Sequence[Phase],
        source: Source,
        *,
        batch_size: int = 64,
        seed: int = 0,
        ema: float | None = None,
        precision: str = "float32",
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        if len(source) == 0:
            raise DataError("There are no rows to train on.")
        given = {"batch_size": batch_size, "ema": ema, "precision": precision}
        check(_RULES, given)
        self.networks = dict(networks)
        device = next(p for net in networks.values() for p in net.parameters()).device
        self.processes = Processes()
        for network in self.networks.values():
            self.processes.share(network)
        self._optimiser = OptimiserStep(
            self.networks, phases, self.processes, precision, seed, graphs_on(device)
        )
        self._average = None if ema is None else Average(self.networks, ema)
        place = (self.processes.rank, self.processes.count)
        self._stream = Stream(source, batch_size, seed, *place, device)
        if self._stream.batch_size < self.processes.count:
            raise ParameterError(
                f"A batch of {self._stream.batch_size} rows cannot be shared by "
                f"{self.processes.count} processes. Raise batch_size."
            )
        self.identity, self.seed = json.loads(json.dumps(identity or {})), seed
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None
        self.stopped = "not begun"
        self._draws = 0
        self._whole = True  # no step is under way
        self._best_state: dict[str, Tensor] = {}
        self._sums: dict[str, tuple[float, int]] = {}

    @with_gradients
    def run(
        self,
        *,
        steps: int | None = None,
        minutes: float | None = None,
        folder: Path | None = None,
        judge: Judge | None = None,
        tolerance: float = 0.0,
        refresh: Callable[[], object] | None = None,
        picture: Callable[[Path], object] | None = None,
        report: Report | None = None,
        tensorboard: bool = False,
    ) -> None:
        """Train until the budget is spent; then the networks hold the best weights there were.

        Args:
            steps, minutes: the budget, one or both; the first to run out ends the run.
            folder: where checkpoints, logs and pictures go; a run that is there is resumed.
            judge: returns measures of the networks as they are; the first decides, lower is
                better. Called at the marks, with and without the average.
            tolerance: how far above the least value so far later weights may be and still be
                kept: as much as equally good weights differ by, where the judge looks at few
                samples. The average comes after the weights it is an average of.
            refresh: called where the networks hold the average, before it is judged or kept:
                estimates anew what follows from weights, such as the moments of batch norm. An
                average of such moments is not that of the averaged weights.
            picture: draws samples into the given file, at the marks.
            report: called with a line of text and the share of the budget used.
            tensorboard: log for TensorBoard too.

        Raises:
            TrainingError: for a term or gradient that is not finite. The folder then has a
                checkpoint of the last good step, and the networks the best weights so far, or
                those of that step where nothing judges.
            ParameterError: if there is no budget, or the folder holds another run.
            KeyboardInterrupt: when interrupted; the last whole step has been saved.
        """
        check(_BUDGET, {"steps": steps, "minutes": minutes})
        if steps is None and minutes is None:
            raise ParameterError("There is no budget. Give steps, minutes or both.")
        work = self._resumed(folder)
        log = None
        if folder is not None and self.processes.first:
            folder.mkdir(parents=True, exist_ok=True)
            log = Log(folder, self.history, tensorboard)
        before, started = self.seconds, time.monotonic()
        pace, closing = SavePace(), 0.0  # the longest mark so far: the last is of the budget too

        def used() -> float:
            self.seconds = before + time.monotonic() - started
            return self._share(steps, minutes, self.seconds + closing)

        for network in self.networks.values():
            network.train()
        cuda = [self._stream.device] if self._stream.device.type == "cuda" else []
        share = used()
        marks = [mark for mark in MARKS if mark > share]
        try:
            with torch.random.fork_rng(cuda), self._optimiser.restored(), Interrupt() as interrupt:
                while not self.processes.agree(share >= 1.0):
                    self._take_step(share)
                    share = used()
                    if self.processes.agree(bool(marks) and share >= marks[0]):
                        marks = [mark for mark in marks if mark > share]
                        self._mark(judge, tolerance, refresh, picture, folder)
                        closing = max(closing, before + time.monotonic() - started - self.seconds)
                    elif is_recorded(self.step):
                        self._record()
                    if log is not None and self.history and self.history[-1]["step"] == self.step:
                        log.write(self.history[-1])
                    if report is not None and self.processes.first:
                        report(self._line(), share)
                    if self.processes.agree(interrupt.requested):
                        raise interrupt.error
                    if folder is not None and self.processes.agree(pace.due):
                        pace.save(lambda: self._save(work))
            self.stopped = self._spent(steps, minutes, before + time.monotonic() - started)
        except TrainingError as error:
            self._whole = True  # nothing was moved by the phase that failed
            self.stopped = f"step {self.step + 1}, {error}"
            raise TrainingError(self.stopped) from error
        except KeyboardInterrupt:
            self.stopped = "interrupted"
            raise
        finally:
            if log is not None:
                log.table(self.history)
                log.close()
            if folder is not None and self._whole:
                self._save(work)
            for network in self.networks.values():
                network.eval()
            self._settle(refresh)
            self._stream.close()

    def _share(self, steps: int | None, minutes: float | None, seconds: float) -> float:
        """Share of the budget that is used after so many seconds, at most 1."""
        of_steps = 0.0 if steps is None else self.step / steps
        of_time = 0.0 if minutes is None else seconds / (60 * minutes)
        return min(1.0, max(of_steps, of_time))

    def _spent(self, steps: int | None, minutes: float | None, seconds: float) -> str:
        """Which budget is spent, after so many seconds with the last mark."""
        self.seconds = seconds
        if steps is not None and self.step >= steps:
            return "the steps of the budget are spent"
        if minutes is not None:
            self.seconds = max(seconds, 60 * minutes)  # a run resumed takes no step more
        return "the minutes of the budget are spent"

    def _take_step(self, share: float) -> None:
        values: dict[str, float] = {}
        self._whole = False
        for index, phase in enumerate(self._optimiser.phases):
            for again in range(phase.repeats):
                batch = self._stream.batch(self._draws)
                values |= self._optimiser.move(
                    index,
                    batch,
                    step=self.step * phase.repeats + again,
                    draw=self._draws,
                    share=share,
                )
                self._draws += 1
        self.step += 1
        self._whole = True
        if self._average is not None:
            self._average.update()
        for name, value in values.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, count + 1)

    def _record(self, measures: Mapping[str, float] | None = None) -> None:
        """Add a record: means since the last one, and what was measured."""
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self._sums = {}
        head = {"step": self.step, "seconds": round(self.seconds, 3)}
        self.history.append({**head, **means, **(measures or {})})

    def _mark(
        self,
        judge: Judge | None,
        tolerance: float,
        refresh: Callable[[], object] | None,
        picture: Callable[[Path], object] | None,
        folder: Path | None,
    ) -> None:
        """Judge the weights as they are and as they average, keep the best, draw samples."""
        for network in self.networks.values():
            network.eval()
        measures: dict[str, float] = {}
        if judge is not None:
            with inference():
                measures = dict(self._judged(judge(), "own", tolerance))
                if self._average is not None:
                    with self._average.applied():
                        if refresh is not None:
                            refresh()
                        averaged = self._judged(judge(), "averaged", tolerance)
                    measures |= {f"averaged.{name}": value for name, value in averaged.items()}
        if picture is not None and folder is not None and self.processes.first:
            with inference():
                picture(folder / "samples" / f"{self.step:07d}.png")
        for network in self.networks.values():
            network.train()
        self._record(measures)

    def _judged(
        self, measures: Mapping[str, float], which: str, tolerance: float
    ) -> dict[str, float]:
        """Keep the weights as they are unless better ones are kept; returns the measures."""
        measures = {name: float(value) for name, value in measures.items()}
        value = next(iter(measures.values()))
        least = math.inf if self.best is None else self.best.get("least", self.best["value"])
        near = tolerance > 0 and value <= least + tolerance
        if math.isfinite(value) and (value < least or near):
            self.best = {
                "step": self.step,
                "which": which,
                "value": value,
                "least": min(value, least),
                "measures": measures,
            }
            self._best_state = {k: v.detach().clone() for k, v in self._state().items()}
        return measures

    def _settle(self, refresh: Callable[[], object] | None) -> None:
        """Leave the networks with the weights that judged best, or else the average."""
        if self.best is not None:
            self._load(self._best_state)
        elif self._average is not None and self._average.updates:
            self._load(self._average.state)
            if refresh is not None:
                refresh()

    def _line(self) -> str:
        parts = [f"step {self.step}"]
        shown = self.history[-1] if self.history else {}
        skip = ("rate", "gradient")
        parts += [
            f"{name} {value:.4g}"
            for name, value in shown.items()
            if name not in ("step", "seconds") and name.rsplit(".", 1)[-1] not in skip
        ]
        return ", ".join(parts)

    def _state(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": value
            for name, network in self.networks.items()
            for key, value in network.state_dict().items()
        }

    @torch.no_grad()
    def _load(self, state: Mapping[str, Tensor]) -> None:
        for key, value in self._state().items():
            value.copy_(state[key])

    def _save(self, work: RunCheckpoint) -> None:
        average = {} if self._average is None else self._average.state
        groups = self._state(), self._optimiser.state(), average, self._best_state
        for name, tensors in zip(_GROUPS, groups, strict=True):
            work.put(name, tensors)
        facts = {
            "step": self.step,
            "draws": self._draws,
            "history": self.history,
            "best": self.best,
            "updates": 0 if self._average is None else self._average.updates,
        }
        work.put("run", {}, facts)
        work.write(self.seconds)
        self.processes.barrier()

    def _resumed(self, folder: Path | None) -> RunCheckpoint:
        """The checkpoint in the folder of a run, which is taken up where there is one."""
        place = None if folder is None else folder / "checkpoint"
        work = RunCheckpoint(place, writes=self.processes.first)
        work.open(self.identity, self.seed)
        facts = work.facts("run")
        if facts is None:
            return work
        network, optimiser, average, best = (work.get(name) or {} for name in _GROUPS)
        self._load(network)
        self._optimiser.restore(optimiser)
        if self._average is not None:
            for key, value in average.items():
                self._average.state[key].copy_(value)
            self._average.updates = facts["updates"]
        self._best_state = {k: v.to(self._stream.device) for k, v in best.items()}
        self.best, self.history = facts["best"], list(facts["history"])
        self.step, self._draws = facts["step"], facts["draws"]
        self.seconds = work.seconds
        return work
