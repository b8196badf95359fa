"""What becomes of samples that move on and on: better by the logit, worse by the test."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..deprecation import renamed
from ..errors import DataError
from ..estimators.base import check_fitted
from ..validation import as_seed
from .acceptance_test import RealRows
from .logit_gradients import in_batches, value_and_gradient
from .ratio_trees import TreeRatio
from .refined_model import RefinedModel
from .row_features import features_for
from .samplers.dgflow import dgflow_path
from .stages import generator_space
from .streams import Stream

__all__ = ["StepResult", "collapse"]

_STEPS = (0, 1, 2, 5, 10, 25, 50, 100, 200)
_SHARE, _REACH = 0.01, 5.0
_GOOD = 0.05  # of real rows have a lower logit than what counts as good


@dataclass(frozen=True)
class StepResult:
    """Measures of the samples after a number of steps.

    Attributes:
        steps: of DGflow without noise.
        good: share whose logit is above that of the worst twentieth of real rows.
        auc: of the two-sample test against real rows; 0.5 cannot be told apart.
    """

    steps: int
    good: float
    auc: float


@renamed(seed="random_state", labels="y")
def collapse(
    model: RefinedModel,
    data: Any,
    *,
    y: Any = None,
    steps: Sequence[int] = _STEPS,
    n: int = 1000,
    random_state: Any = 0,
    minutes: float | None = None,
) -> list[StepResult]:
    """Move samples of the generator on and on by the first logit, without noise and without stop.

    The logit is that of the samples at the start and does not know that they moved. They pile up
    on its peaks: by the logit they get ever better, and by the two-sample test they get worse.

    Args:
        model: a refined model.
        data, y: as of :func:`refine`.
        steps: at which to look, rising.
        n: samples, and real rows.
        random_state: of what is drawn.
        minutes: time to stop after, with the looks there are then.

    Returns:
        A look at each number of steps; fewer where the logit is flat, of trees, or ends.

    Examples:
        >>> from pushforward.refinement import refine
        >>> draw = torch.Generator().manual_seed(0)
        >>> data = torch.randn(1000, 1, generator=draw) + 1
        >>> model = refine(lambda z: z, data, prior=1, logit=lambda x: x[:, 0] - 0.5,
        ...                method="dgflow", settings={"step": 0.1, "steps": 10})
        >>> results = collapse(model, data, steps=(0, 100, 400))
        >>> results[2].good > results[0].good, results[1].auc < results[0].auc < results[2].auc
        (True, True)
    """
    seed = as_seed(random_state)
    check_fitted(model)
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    adapter, size = model.adapter_, model.block_size(model.adapter_)
    with model.frozen_networks():
        rows = adapter.encode(data, seed)
        features = model.row_features_ or features_for(
            adapter, model.features, data, y, rows, seed, size, minutes
        )
        order = torch.from_numpy(np.random.default_rng(seed).permutation(len(rows)))
        real = RealRows(rows[:0], rows[order[:n]], rows[:0], features.by_test, features.classifier)
        space = generator_space(adapter, model.place_, size)
        start = space.points(min(n, len(rows)), seed, Stream.OVER_OPTIMISATION)
        score = space.score(model.first_logit_)

        if isinstance(model.first_logit_.network, TreeRatio):  # nothing moves by trees
            return []
        worst = torch.quantile(
            in_batches(model.first_logit_, real.validation, size).double(), _GOOD
        )
        _, slope = value_and_gradient(score, start, size)
        steepness = float(slope.flatten(1).norm(dim=1).mean())
        spread = float((start - start.mean(dim=0)).flatten(1).norm(dim=1).square().mean().sqrt())
        results, length = [], _SHARE * spread
        if not steepness > 0:
            return results
        path = dgflow_path(
            start, score, step=length / steepness, longest=_REACH * length, batch_size=size
        )
        try:
            for number, points in enumerate(_with(start, path, max(steps))):
                if time.monotonic() > deadline:
                    break
                if number in steps:
                    good = in_batches(score, points, size).double() > worst
                    auc = real.auc(space.quantise(space.decoded(points)), n).value
                    results.append(StepResult(number, float(good.double().mean()), auc))
        except DataError:  # the logit ends somewhere
            pass
    return results


def _with(start: Tensor, path: Any, most: int) -> Any:
    yield start
    yield from islice(path, most)
