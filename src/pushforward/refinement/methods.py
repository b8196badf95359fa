"""The methods by name: what each decides from samples and real rows, and the space it makes.

What is decided are settings, as the user knows them, and constants, which samples gave; both are
JSON values, so that a space is made again from a file.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from inspect import signature
from typing import Any, get_args, get_type_hints

import torch
from torch import Tensor

from ..deprecation import current_words
from ..errors import DataError, ParameterError, UnsupportedError
from ..training import generator_of
from .acceptance_test import RealRows
from .dgflow_search import Search, search_of
from .logit_gradients import Score, in_batches
from .repeated_values import Margins
from .sample_spaces import Mover, Space, chained, moved, resampled, thinned
from .samplers.ddls import langevin
from .samplers.dgflow import PUBLISHED, dgflow
from .samplers.dot import dot, lipschitz_estimate
from .samplers.rejection import budgeted_acceptance, budgeted_constant, drs_acceptance, drs_gamma
from .streams import Stream

__all__ = [
    "MARGINS",
    "METHODS",
    "Decision",
    "Surroundings",
    "check_settings",
    "current_settings",
    "decide",
    "made",
]

MARGINS = "margins"  # goes by no logit, and is not asked for by name
_POOL = 10_000  # samples that constants are taken from
_STARTS = 500  # real rows that chains begin at
_MOVES = ("dgflow", "dot", "ddls")
_WORDS = {
    float: "a finite number", int: "a whole number", bool: "True or False", str: "a name",
    type(None): "None",
}  # fmt: skip


@dataclass(frozen=True)
class Surroundings:
    """What a method may look at to decide.

    Attributes:
        space: to refine.
        logit: of rows, calibrated.
        real: rows in parts.
        seed: of all that is drawn.
        evaluations: of logits that a sample may take, or None.
        draws: of the generator that a sample may take, or None.
        late: whether time will be up, once samples that take so many seconds each are judged.
    """

    space: Space
    logit: Score
    real: RealRows
    seed: int
    evaluations: float | None = None
    draws: float | None = None
    late: Callable[[float], bool] = lambda each: False

    @cached_property
    def drawn(self) -> Tensor:
        """Points of the space that constants are taken from."""
        return self.space.points(_POOL, self.seed, Stream.CONSTANTS)

    @cached_property
    def pool(self) -> Tensor:
        """Logits of their rows."""
        logits = self.space.logits(self.logit, self.drawn)
        if not logits.isfinite().all():
            raise DataError("There are samples whose logit is not finite.")
        return logits

    def most_steps(self, usual: int) -> int:
        """The usual number of steps, or as many as the budget has left."""
        space = self.space
        if self.evaluations is None:
            return usual
        return max(1, min(usual, int((self.evaluations - space.evaluations) / space.draws)))

    def most_draws(self, usual: int) -> int:
        """The usual number of proposals, or as many as the budgets have."""
        most = [float(usual)]
        if self.evaluations is not None:
            most.append(self.evaluations / (self.space.evaluations + 1))
        if self.draws is not None:
            most.append(self.draws / self.space.draws)
        return max(1, int(min(most)))


@dataclass(frozen=True)
class Decision:
    """A method with all that is needed to make its space.

    Attributes:
        method: by name.
        settings: as the function of that name takes them.
        constants: what samples gave.
    """

    method: str
    settings: dict[str, Any]
    constants: dict[str, Any]


def decide(method: str, around: Surroundings, settings: Mapping[str, Any]) -> Decision | None:
    """Decide what a method does; None where there is nothing its logit could do.

    Args:
        method: one of :data:`METHODS`.
        around: what it may look at.
        settings: that replace the method's own.

    Raises:
        ParameterError: for settings the method does not have.
    """
    check_settings(method, settings)
    decided = METHODS[method](around, **settings)
    return None if decided is None else Decision(method, *decided)


def current_settings(method: str, settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings of a method under their present names."""
    words = {"rate": "learning_rate"} if method == "dot" else {}
    return current_words("settings", settings or {}, words)


def check_settings(method: str, settings: Mapping[str, Any]) -> None:
    """Refuse settings that a method does not have, or of another kind.

    Raises:
        ParameterError: naming the setting.
    """
    kinds = {k: v for k, v in get_type_hints(METHODS[method]).items() if k in _settings(method)}
    for name, value in settings.items():
        if name not in kinds:
            known = ", ".join(k for k, kind in kinds.items() if Search not in get_args(kind))
            raise ParameterError(f"{method} has no setting {name!r}. Expected some of {known}.")
        asked: tuple[type, ...] = get_args(kinds[name]) or (kinds[name],)
        allowed = (*asked, int) if float in asked else asked
        number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))
        if not fits or (number and not math.isfinite(value)):
            words = " or ".join(_WORDS.get(kind, kind.__name__) for kind in asked)
            raise ParameterError(f"{name} of {method} is {value!r}. Expected {words}.")


def _settings(method: str) -> list[str]:
    return list(signature(METHODS[method]).parameters)[1:]


def made(decision: Decision, space: Space, logit: Score | None) -> tuple[Space, Mover | None]:
    """The space after a decision, and what moves its points, if they are moved."""
    s, c = decision.settings, decision.constants
    if decision.method == MARGINS:
        margins, before = Margins.from_config(c), space.decode
        return replace(space, decode=lambda points: margins(before(points))), None
    assert logit is not None
    if decision.method in _MOVES:
        mover, evaluations = _mover(decision, space, logit)
        return moved(space, mover, evaluations), mover
    if decision.method == "rejection":
        accept = partial(budgeted_acceptance, constant=float(c["constant"]))
        return thinned(space, logit, accept, 1 / s["budget"]), None
    if decision.method == "drs":
        accept = partial(drs_acceptance, highest=float(c["highest"]), gamma=float(c["gamma"]))
        return thinned(space, logit, accept, float(c["rate"])), None
    if decision.method == "mh":
        return chained(space, logit, torch.tensor(c["starts"]), s["length"]), None
    return resampled(space, logit, s["pool"]), None


Decided = tuple[dict[str, Any], dict[str, Any]] | None


def _dgflow(
    around: Surroundings, *, preset: str | None = None, step: float | None = None,
    steps: int | None = None, divergence: str | None = None, noise: float | None = None,
    longest: float | None = None, search: Search | None = None,
) -> Decided:  # fmt: skip
    """Settings as given, as published, or, with neither a preset nor a step, chosen."""
    said = {
        "divergence": divergence, "step": step, "noise": noise, "longest": longest, "steps": steps,
    }  # fmt: skip
    given = {name: value for name, value in said.items() if value is not None}
    if preset is not None:
        if preset not in PUBLISHED:
            raise ParameterError(f"preset is {preset!r}. Expected one of {', '.join(PUBLISHED)}.")
        return {"longest": None, **PUBLISHED[preset], **given}, {}
    if step is not None:
        return {"divergence": "kl", "noise": 0.0, "longest": None, "steps": 25, **given}, {}
    if given:
        raise ParameterError(
            f"dgflow has {', '.join(given)} and no step. Expected a step with them, or none of "
            "them: without a step all are chosen on held-out rows."
        )
    space, evaluations = around.space, around.evaluations
    numbers = space.points(1, around.seed).numel()
    wanted = search or search_of(numbers)
    left = None if evaluations is None else evaluations / space.draws - space.evaluations
    found = wanted.within(left)
    chosen = found and found.best(space, around.logit, around.real, around.seed, around.late)
    if not chosen:
        return None
    return {k: v for k, v in chosen.items() if k != "auc"}, {}


def _dot(
    around: Surroundings, *, constant: float | None = None, steps: int | None = None,
    learning_rate: float = 0.01, low: float | None = None, high: float | None = None,
    sphere: bool = False,
) -> Decided:  # fmt: skip
    if constant is None:
        pool = around.space.points(2000, around.seed, Stream.LIPSCHITZ)
        score = _score(around.space, around.logit)
        generator = generator_of(around.seed, Stream.LIPSCHITZ)
        size = around.space.batch_size
        constant = lipschitz_estimate(score, pool, generator=generator, batch_size=size)
    steps = around.most_steps(100) if steps is None else steps
    return {
        "constant": constant, "steps": steps, "learning_rate": learning_rate, "low": low,
        "high": high, "sphere": sphere,
    }, {}  # fmt: skip


def _ddls(
    around: Surroundings, *, step: float = 0.01, steps: int | None = None, metropolis: bool = True
) -> Decided:
    if around.space.log_prior is None:
        raise UnsupportedError(
            "Langevin dynamics needs the density of what it moves: latents of a prior with "
            "log_prob. Give space='latent' to a generator that has them, or take another method."
        )
    steps = max(1, around.most_steps(201) - 1) if steps is None else steps
    return {"step": step, "steps": steps, "metropolis": metropolis}, {}


def _rejection(around: Surroundings, *, budget: float = 2.0) -> Decided:
    return {"budget": budget}, {"constant": budgeted_constant(around.pool, budget)}


def _drs(around: Surroundings, *, percentile: float | None = None) -> Decided:
    if percentile is not None and not 0 < percentile < 100:
        raise ParameterError(f"percentile is {percentile!r}. Expected a number between 0 and 100.")
    if percentile is None:  # of those it keeps, one in so many
        percentile = 100 * (1 - 1 / around.most_draws(20))
    pool = around.pool
    highest = float(pool.max())
    gamma = drs_gamma(pool, highest, percentile)
    rate = max(float(drs_acceptance(pool, highest, gamma).mean()), 1e-3)
    return {"percentile": percentile}, {"highest": highest, "gamma": gamma, "rate": rate}


def _mh(around: Surroundings, *, length: int | None = None) -> Decided:
    size = around.space.batch_size
    starts = in_batches(around.logit, around.real.choose[:_STARTS], size).double().tolist()
    return {"length": _at_least_one("length", length, around.most_draws(100))}, {"starts": starts}


def _resampling(around: Surroundings, *, pool: int | None = None) -> Decided:
    return {"pool": _at_least_one("pool", pool, around.most_draws(8))}, {}


def _at_least_one(name: str, value: int | None, usual: int) -> int:
    if value is None:
        return usual
    if not value >= 1:
        raise ParameterError(f"{name} is {value!r}. Expected a whole number of at least 1.")
    return value


#: Each method by name.
METHODS: dict[str, Callable[..., Decided]] = {
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


def _mover(decision: Decision, space: Space, logit: Score) -> tuple[Mover, int]:
    """What moves points, and the logits that takes."""
    score, settings, size = _score(space, logit), decision.settings, space.batch_size

    def flow(points: Tensor, generator: torch.Generator) -> Tensor:
        return dgflow(points, score, **settings, generator=generator, batch_size=size)

    def transport(points: Tensor, generator: torch.Generator) -> Tensor:
        return dot(points, score, **settings, batch_size=size)

    def diffusion(points: Tensor, generator: torch.Generator) -> Tensor:
        prior = space.log_prior
        assert prior is not None

        def density(z: Tensor) -> Tensor:
            return prior(z) + score(z)

        return langevin(points, density, **settings, generator=generator, batch_size=size)[0]

    steps = settings["steps"]
    if decision.method == "ddls":
        return diffusion, steps + 1
    return (flow if decision.method == "dgflow" else transport), steps
