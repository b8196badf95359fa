"""The methods as stages: a space in, another out, with the settings that were chosen."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from inspect import signature
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from ..errors import DataError, ParameterError, UnsupportedError
from ..training import generator_of
from .ddls import langevin
from .dgflow import PUBLISHED, dgflow, dgflow_path
from .dot import dot, lipschitz_estimate
from .judging import RealRows
from .rejection import budgeted_acceptance, budgeted_constant, drs_acceptance, drs_gamma
from .slopes import Score, value_and_slope
from .spaces import Mover, Space, chained, moved, resampled, thinned

__all__ = ["METHODS", "Made", "make"]

_POOL = 10_000  # samples that constants are taken from
_SHARES = (0.005, 0.01, 0.02, 0.05)  # of the spread of points: a step's mean length
_STEPS = (5, 10, 25, 50)
_MOST = 1000  # rows a candidate is tried on
_REACH = 5.0  # mean lengths that no drift exceeds


@dataclass(frozen=True)
class Made:
    """A stage before it is judged.

    Attributes:
        space: after it.
        settings: JSON values.
        mover: where it moves points.
    """

    space: Space
    settings: dict[str, Any]
    mover: Mover | None = None


def make(
    method: str, space: Space, logit: Score, real: RealRows, settings: Mapping[str, Any], seed: int
) -> Made | None:
    """Build a stage; None where there is nothing the logit could do.

    Args:
        method: one of :data:`METHODS`.
        space: to refine.
        logit: of rows, calibrated.
        real: rows in parts.
        settings: that replace the method's own.
        seed: of all that is drawn to choose.

    Raises:
        ParameterError: for settings the method does not have.
    """
    build = METHODS[method]
    known = list(signature(build).parameters)[4:]
    if unknown := [name for name in settings if name not in known]:
        raise ParameterError(
            f"{method} has no setting {unknown[0]!r}. Expected some of {', '.join(known)}."
        )
    return build(space, logit, real, seed, **settings)


def _dgflow(
    space: Space, logit: Score, real: RealRows, seed: int, *,
    preset: str | None = None, step: float | None = None, steps: int = 25,
    divergence: str = "kl", noise: float = 0.0, longest: float | None = None,
) -> Made | None:  # fmt: skip
    """Settings as given, as published, or, with neither a preset nor a step, chosen."""
    settings: dict[str, Any] | None = {
        "divergence": divergence, "step": step, "noise": noise, "longest": longest,
        "steps": steps,
    }  # fmt: skip
    if preset is not None:
        if preset not in PUBLISHED:
            raise ParameterError(f"preset is {preset!r}. Expected one of {', '.join(PUBLISHED)}.")
        settings = {"longest": longest, **PUBLISHED[preset]}
    elif step is None:
        settings = _chosen_flow(space, logit, real, seed)
    if settings is None:
        return None
    score = _score(space, logit)

    def mover(points: Tensor, generator: torch.Generator) -> Tensor:
        return dgflow(points, score, **settings, generator=generator, batch_size=space.batch_size)

    return _moving(space, mover, settings, settings["steps"])


def _chosen_flow(space: Space, logit: Score, real: RealRows, seed: int) -> dict[str, Any] | None:
    """Settings by the portable rule, and of those the ones the two-sample test likes best.

    The step is such that drifts have a mean length of a share of the spread of the points, and
    the noise such that it is as long. All numbers of steps come from one run.
    """
    score = _score(space, logit)
    start = space.draw(min(_MOST, len(real.choose)), generator_of(seed, 0))
    _, slope = value_and_slope(score, start, space.batch_size)
    steepness = float(slope.flatten(1).norm(dim=1).mean())
    centred = (start - start.mean(dim=0)).flatten(1)
    spread = float(centred.square().sum(dim=1).mean().sqrt())
    if not (steepness > 0 and spread > 0):
        return None
    best, lowest = None, 1.1
    for share in _SHARES:
        length = share * spread
        step = length / steepness
        for divergence in ("kl", "log_d"):
            for noise in (0.0, length**2 / (2 * step * centred.shape[1])):
                settings = {
                    "divergence": divergence, "step": step, "noise": noise,
                    "longest": _REACH * length,
                }  # fmt: skip
                path = dgflow_path(
                    start, score, **settings,
                    generator=generator_of(seed, 1), batch_size=space.batch_size,
                )  # fmt: skip
                with suppress(DataError):  # a step to where no logit is finite ends the run
                    for steps, points in enumerate(islice(path, max(_STEPS)), start=1):
                        if steps in _STEPS:
                            auc = real.auc(space.decoded(points), real.choose).value
                            if auc < lowest:
                                best, lowest = {**settings, "steps": steps}, auc
    return best


def _dot(
    space: Space, logit: Score, real: RealRows, seed: int, *,
    constant: float | None = None, steps: int = 100, rate: float = 0.01,
    low: float | None = None, high: float | None = None, sphere: bool = False,
) -> Made:  # fmt: skip
    score = _score(space, logit)
    if constant is None:
        generator = generator_of(seed, 0)
        pool = space.draw(2000, generator)
        constant = lipschitz_estimate(score, pool, generator=generator)
    settings = {
        "constant": constant, "steps": steps, "rate": rate, "low": low, "high": high,
        "sphere": sphere,
    }  # fmt: skip
    mover = partial(dot, score=score, **settings, batch_size=space.batch_size)
    return _moving(space, lambda u, g: mover(u), settings, steps)


def _ddls(
    space: Space, logit: Score, real: RealRows, seed: int, *,
    step: float = 0.01, steps: int = 200, metropolis: bool = True,
) -> Made:  # fmt: skip
    prior, score = space.log_prior, _score(space, logit)
    if prior is None:
        raise UnsupportedError(
            "Langevin dynamics needs the density of what it moves: latents of a prior with "
            "log_prob. Give prior= and space='latent', or take another method."
        )
    settings = {"step": step, "steps": steps, "metropolis": metropolis}

    def density(z: Tensor) -> Tensor:
        return prior(z) + score(z)

    def mover(points: Tensor, generator: torch.Generator) -> Tensor:
        return langevin(
            points, density, **settings, generator=generator, batch_size=space.batch_size
        )[0]

    return _moving(space, mover, settings, steps + 1)


def _rejection(
    space: Space, logit: Score, real: RealRows, seed: int, *, budget: float = 2.0
) -> Made:
    constant = budgeted_constant(_pool(space, logit, seed), budget)
    accept = partial(budgeted_acceptance, constant=constant)
    return Made(thinned(space, logit, accept, 1 / budget), {"budget": budget})


def _drs(
    space: Space, logit: Score, real: RealRows, seed: int, *, percentile: float = 95.0
) -> Made:
    pool = _pool(space, logit, seed)
    highest = float(pool.max())
    gamma = drs_gamma(pool, highest, percentile)
    accept = partial(drs_acceptance, highest=highest, gamma=gamma)
    rate = max(float(accept(pool).mean()), 1e-3)
    return Made(thinned(space, logit, accept, rate), {"percentile": percentile})


def _mh(space: Space, logit: Score, real: RealRows, seed: int, *, length: int = 100) -> Made:
    starts = logit(real.choose)
    return Made(chained(space, logit, starts, length), {"length": length})


def _resampling(space: Space, logit: Score, real: RealRows, seed: int, *, pool: int = 8) -> Made:
    return Made(resampled(space, logit, pool), {"pool": pool})


#: Each method by name.
METHODS: dict[str, Callable[..., Made | None]] = {
    "dgflow": _dgflow,
    "dot": _dot,
    "ddls": _ddls,
    "mh": _mh,
    "drs": _drs,
    "rejection": _rejection,
    "resampling": _resampling,
}


def _score(space: Space, logit: Score) -> Score:
    return lambda points: logit(space.decode(points))


def _moving(space: Space, mover: Mover, settings: Mapping[str, Any], evaluations: int) -> Made:
    return Made(moved(space, mover, evaluations), dict(settings), mover)


def _pool(space: Space, logit: Score, seed: int) -> Tensor:
    logits = space.logits(logit, space.draw(_POOL, generator_of(seed, 0)))
    if not logits.isfinite().all():
        raise DataError("There are samples whose logit is not finite.")
    return logits
