"""The settings of DGflow, found by a two-sample test on held-out rows."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Self

import torch
from torch import Tensor

from ..errors import DataError
from ..training import Processes, generator_of
from .acceptance_test import RealRows
from .logit_gradients import Score, value_and_gradient
from .row_width import is_narrow
from .sample_spaces import Space
from .samplers.dgflow import dgflow_path
from .streams import Stream

__all__ = ["Search", "search_of"]

_REACH = 5.0  # mean lengths that no drift exceeds
_UNSEEN = math.inf  # area and distance of what was not come to

_Place = tuple[str, float, float]  # divergence, share, noise


@dataclass(frozen=True)
class Search:
    """Which settings are tried.

    Attributes:
        rows: samples that a setting is tried on.
        shares: of the spread of points: a step's mean length.
        noises: lengths of the noise, over that of the drift; the first is the usual one.
        steps: after which a run is looked at.
        crossed: whether every noise is tried with every share; or else only with the best.
    """

    rows: int
    shares: tuple[float, ...] = (0.005, 0.01, 0.02, 0.05)
    noises: tuple[float, ...] = (0.0, 0.5, 1.0)
    steps: tuple[int, ...] = (2, 5, 10, 25, 50)
    crossed: bool = True

    @property
    def runs(self) -> int:
        """Settings that are run to their last step."""
        return len(self._first) + len(self._then(0.0))

    @property
    def _first(self) -> list[_Place]:
        """What is tried first, by the KL flow."""
        noises = self.noises if self.crossed else self.noises[:1]
        return [("kl", share, noise) for share in self.shares for noise in noises]

    def _then(self, share: float) -> list[_Place]:
        """What is tried with the best share."""
        further = () if self.crossed else self.noises[1:]
        return [
            *(("kl", share, noise) for noise in further),
            *(("log_d", share, noise) for noise in self.noises),
        ]

    @property
    def evaluations(self) -> int:
        """Logits with gradients that the search takes."""
        return self.runs * self.rows * max(self.steps)

    def within(self, evaluations: float | None) -> "Search | None":
        """The search for runs of at most so many steps; None if that leaves none."""
        if evaluations is None:
            return self
        steps = tuple(k for k in self.steps if k <= evaluations)
        most = int(min(evaluations, max(self.steps)))
        if most < 1:
            return None
        steps = steps if steps and steps[-1] == most else (*steps, most)
        return replace(self, steps=steps)

    def best(
        self,
        space: Space,
        logit: Score,
        real: RealRows,
        seed: int,
        out_of_time: Callable[[float], bool] = lambda each: False,
    ) -> dict[str, Any] | None:
        """Settings of DGflow whose samples the test finds nearest to the data.

        The step is such that drifts have a mean length of a share of the spread of the points.
        All numbers of steps come from one run, which ends where it only leads away. The KL flow
        is tried with every share, the one of log D, which stops by itself, with the best. Where
        several processes run, they share the settings out.

        Args:
            space: whose points are moved.
            logit: of rows.
            real: rows in parts.
            seed: of start and noise, the same for all settings.
            out_of_time: whether samples that take so many seconds each could not be judged in
                time any more: then a run ends, and the best so far is taken.

        Returns:
            Settings, and under "auc" the area of the test; None where the logit is flat, or there
            is no time for the first steps of one setting.
        """
        trials = _Trials.started(self, space, logit, real, seed, out_of_time)
        if not (trials.steepness > 0 and trials.spread > 0):
            return None
        tries = [trials.settings(*place) for place in self._first]
        found = trials.run(tries)
        far = trials.distance_at_start()
        _, best, _ = self._first[_least(found, far) // len(self.steps)]
        others = [trials.settings(*place) for place in self._then(best)]
        found = torch.cat([found, trials.run(others)], dim=1)
        run, place = divmod(_least(found, far), len(self.steps))
        lowest = float(found[0, run, place])
        if lowest == _UNSEEN:
            return None
        return {**[*tries, *others][run], "steps": self.steps[place], "auc": lowest}


@dataclass(frozen=True)
class _Trials:
    """Runs of DGflow that begin at the same points and have the same noise.

    Attributes:
        steps: after which a run is looked at.
        start: points (n, ...).
        score: their logits.
        space: they are of.
        real: rows in parts, of which those that choose are looked at.
        seed: of the noise.
        out_of_time: as of :meth:`Search.best`.
        drawing: seconds that drawing one point takes, with all stages before this one.
        steepness: mean length of the gradient of the logit at the start.
        spread: root mean square distance of the points from their mean.
        processes: that share the runs out.
    """

    steps: tuple[int, ...]
    start: Tensor
    score: Score
    space: Space
    real: RealRows
    seed: int
    out_of_time: Callable[[float], bool]
    drawing: float
    steepness: float
    spread: float
    processes: Processes

    @classmethod
    def started(
        cls,
        search: Search,
        space: Space,
        logit: Score,
        real: RealRows,
        seed: int,
        out_of_time: Callable[[float], bool],
    ) -> Self:
        """Draw the points that all runs begin at."""
        n = min(search.rows, len(real.validation))
        started = time.perf_counter()
        start = space.points(n, seed, Stream.SEARCH_START)
        drawing = (time.perf_counter() - started) / n
        score = space.score(logit)
        _, slope = value_and_gradient(score, start, space.batch_size)
        centred = (start - start.mean(dim=0)).flatten(1)
        return cls(
            search.steps, start, score, space, real, seed, out_of_time, drawing,
            float(slope.flatten(1).norm(dim=1).mean()),
            float(centred.square().sum(dim=1).mean().sqrt()),
            Processes(),
        )  # fmt: skip

    def settings(self, divergence: str, share: float, noise: float) -> dict[str, Any]:
        """Settings of a run whose drifts and noise have such lengths, by the spread."""
        length = share * self.spread
        step = length / self.steepness
        gamma = (noise * length) ** 2 / (2 * step * self.start[0].numel())
        return {
            "divergence": divergence, "step": step, "noise": gamma, "longest": _REACH * length,
        }  # fmt: skip

    def nearness(self, points: Tensor) -> Tensor:
        """Area and Fréchet distance (2,) of points that were moved."""
        rows = self.space.quantise(self.space.decoded(points))
        return torch.tensor(self.real.nearness(rows, len(self.start)))

    def distance_at_start(self) -> float:
        """Fréchet distance before any step; of one process, so that all choose alike."""
        first = self.processes.rank == 0
        near = self.nearness(self.start) if first else torch.zeros(2)
        return float(self.processes.sum(near.to(self.start.device))[1])

    def run(self, tries: list[dict[str, Any]]) -> Tensor:
        """Areas and Fréchet distances (2, settings, steps) of runs with such settings."""
        found = torch.zeros(2, len(tries), len(self.steps))
        slowest = self.drawing
        for k in range(self.processes.rank, len(tries), self.processes.count):
            found[:, k], slowest = self._evaluated_run(tries[k], slowest)
        return self.processes.sum(found.to(self.start.device)).cpu()

    def _evaluated_run(self, settings: dict[str, Any], slowest: float) -> tuple[Tensor, float]:
        """Areas and distances (2, steps) of one run, until they grow or time is up.

        Beside them, the seconds a point that the slowest evaluation so far took.
        """
        found = torch.full((2, len(self.steps)), _UNSEEN)
        path = dgflow_path(
            self.start, self.score, **settings, batch_size=self.space.batch_size,
            generator=generator_of(self.seed, Stream.SEARCH_NOISE),
        )  # fmt: skip
        if self.out_of_time(slowest):
            return found, slowest
        started = time.perf_counter()
        with suppress(DataError):  # a step to where nothing is finite ends the run
            for number, points in enumerate(islice(path, max(self.steps)), start=1):
                if number not in self.steps:
                    continue
                place = self.steps.index(number)
                each = self.drawing + (time.perf_counter() - started) / len(self.start)
                if self.out_of_time(each):  # as many steps could not be evaluated in time
                    break
                slowest = max(slowest, each)
                found[:, place] = self.nearness(points)
                if _leads_away(found[0, : place + 1]):
                    break
        return found, slowest


def _least(found: Tensor, far: float) -> int:
    """The place of the least area: of those that are no more than chance, the first.

    They come in the order they are tried in, then of the number of steps.

    Args:
        found: areas and distances (2, runs, steps).
        far: the distance at the start. Where a run ends farther off it is not taken, unless all
            do: then the one that ends least far.
    """
    area, distance = found.flatten(1)
    nearer = distance <= far
    if not nearer.any():
        return int(distance.argmin())
    return int(area.clamp(min=0.5).where(nearer, _UNSEEN).argmin())


def _leads_away(areas: Tensor) -> bool:
    """Whether the area of a run has grown at each of its last two evaluations."""
    return len(areas) > 2 and bool((areas[-2:] > areas[-3:-1]).all())


def search_of(numbers: int) -> Search:
    """The search that suits rows of so many numbers: what is dear is tried less often."""
    if is_narrow([numbers]):
        return Search(2000)
    # images of some generators jump where latents hardly move: the last share is for those
    return Search(500, (0.01, 0.05, 0.002), (0.0, 0.5), crossed=False)
