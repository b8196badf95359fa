"""The settings of DGflow, found by a two-sample test on rows that taught nothing."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from ..errors import DataError
from ..training import Processes, generator_of
from .acceptance_test import RealRows
from .logit_gradients import Score, value_and_slope
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
        late: Callable[[float], bool] = lambda each: False,
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
            late: whether samples that take so many seconds each could not be judged in time any
                more: then a run ends, and the best so far is taken.

        Returns:
            Settings, and under "auc" what the test said; None where the logit is flat, or there
            is no time for the first steps of one setting.
        """
        n = min(self.rows, len(real.choose))
        began = time.perf_counter()
        start = space.points(n, seed, Stream.SEARCH_START)
        drawing = (time.perf_counter() - began) / n  # with all the stages before this one

        def score(points: Tensor) -> Tensor:
            return logit(space.decode(points))

        _, slope = value_and_slope(score, start, space.batch_size)
        steepness = float(slope.flatten(1).norm(dim=1).mean())
        centred = (start - start.mean(dim=0)).flatten(1)
        spread = float(centred.square().sum(dim=1).mean().sqrt())
        if not (steepness > 0 and spread > 0):
            return None

        processes = Processes(start.device)

        def nearness(points: Tensor) -> Tensor:
            return torch.tensor(real.nearness(space.quantise(space.decoded(points)), n))

        def settings(divergence: str, share: float, noise: float) -> dict[str, Any]:
            length = share * spread
            step = length / steepness
            gamma = (noise * length) ** 2 / (2 * step * centred.shape[1])
            longest = _REACH * length
            return {"divergence": divergence, "step": step, "noise": gamma, "longest": longest}

        def tried(tries: list[dict[str, Any]]) -> Tensor:
            """The test's word on each setting (rows) after each number of steps (columns).

            Areas, and as often Fréchet distances.
            """
            said = torch.zeros(2, len(tries), len(self.steps))
            each = drawing
            for k in range(processes.rank, len(tries), processes.count):
                path = dgflow_path(
                    start, score, **tries[k],
                    generator=generator_of(seed, Stream.SEARCH_NOISE), batch_size=space.batch_size,
                )  # fmt: skip
                said[:, k] = _UNSEEN
                if late(each):
                    continue
                began = time.perf_counter()
                with suppress(DataError):  # a step to where nothing is finite ends the run
                    for column, points in self._looks(path):
                        here = drawing + (time.perf_counter() - began) / n
                        if late(here):  # as many steps could not be judged in time
                            break
                        each = max(each, here)
                        said[:, k, column] = nearness(points)
                        if _leaves(said[0, k, : column + 1]):
                            break
            return processes.sum(said.to(start.device)).cpu()

        tries = [settings(*place) for place in self._first]
        said = tried(tries)
        begun = nearness(start) if processes.rank == 0 else torch.zeros(2)
        far = float(processes.sum(begun.to(start.device))[1])  # of one, so that all choose alike
        _, best, _ = self._first[_least(said, far) // len(self.steps)]
        others = [settings(*place) for place in self._then(best)]
        said = torch.cat([said, tried(others)], dim=1)
        run, look = divmod(_least(said, far), len(self.steps))
        lowest = float(said[0, run, look])
        if lowest == _UNSEEN:
            return None
        return {**[*tries, *others][run], "steps": self.steps[look], "auc": lowest}

    def _looks(self, path: Iterator[Tensor]) -> Iterator[tuple[int, Tensor]]:
        for number, points in enumerate(islice(path, max(self.steps)), start=1):
            if number in self.steps:
                yield self.steps.index(number), points


def _least(said: Tensor, far: float) -> int:
    """The place of the least area: of those that are no more than chance, the first.

    They come in the order they are tried in, then of the number of steps.

    Args:
        said: areas and distances (2, runs, looks).
        far: the distance at the start. Where a run ends farther off it is not taken, unless all
            do: then the one that ends least far.
    """
    area, distance = said.flatten(1)
    nearer = distance <= far
    if not nearer.any():
        return int(distance.argmin())
    return int(area.clamp(min=0.5).where(nearer, _UNSEEN).argmin())


def _leaves(said: Tensor) -> bool:
    """Whether the last two looks of a run each found it farther off than the one before."""
    return len(said) > 2 and bool((said[-2:] > said[-3:-1]).all())


def search_of(numbers: int) -> Search:
    """The search that suits rows of so many numbers: what is dear is tried less often."""
    if is_narrow([numbers]):
        return Search(2000)
    # images of some generators jump where latents hardly move: the last share is for those
    return Search(500, (0.01, 0.05, 0.002), (0.0, 0.5), crossed=False)
