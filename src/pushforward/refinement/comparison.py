"""All methods on one generator, by the same logits and rows, at one cost a sample."""

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..deprecation import renamed
from ..errors import ParameterError, PushforwardError
from ..metrics.measure import Measure
from ..wording import did_you_mean
from .logit import Logit
from .methods import METHODS
from .pipeline import Refinement, run
from .presets import published
from .ratio_trees import TreeRatio
from .refined_model import RefinedModel
from .sample_spaces import Space
from .samplers.dgflow import PUBLISHED
from .setup import Setup
from .state import State
from .streams import Stream

__all__ = ["Compared", "compare_methods"]

_TIMED = 1000  # samples that cost is measured on
_APART = 1 << 20  # what methods learn is numbered from here, apart from what "auto" learned
PAPER = "dgflow, published"


@dataclass(frozen=True)
class Compared:
    """One method, as it did.

    Attributes:
        method: by name; "generator" is the generator as it was.
        auc: of fresh samples against held-out rows; None where the method cannot be used.
        helped: whether it passes the gate.
        draws, evaluations: that a sample takes.
        milliseconds: of the processor, likewise.
        reason: why it cannot be used, or "".
        model: what "auto" made, as :func:`refine` returns it; None for all others.
    """

    method: str
    auc: Measure | None
    helped: bool
    draws: float
    evaluations: float
    milliseconds: float
    reason: str = ""
    model: RefinedModel | None = None
    _space: Space | None = None
    _base: RefinedModel | None = None

    def sample(self, n_samples: int = 1, random_state: int = 0) -> Any:
        """Draw samples of the method, whether it helped or not."""
        if self._space is None or self._base is None:
            raise ParameterError(f"{self.method} could not be used: {self.reason}")
        with self._base.frozen_networks():
            return self._base.adapter_.to_user(
                self._space.rows(n_samples, random_state, Stream.COMPARISON)
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the line as JSON values."""
        return {
            "method": self.method,
            "helped": self.helped,
            "draws": self.draws,
            "evaluations": self.evaluations,
            "milliseconds": self.milliseconds,
            "reason": self.reason,
            "auc": None if self.auc is None else self.auc.to_dict(),
        }


@renamed(seed="random_state", labels="y")
def compare_methods(
    generator: Any,
    data: Any,
    *,
    methods: Sequence[str] | None = None,
    evaluations: float | None = None,
    y: Any = None,
    report: Callable[[str, float], None] | None = None,
    **options: Any,
) -> list[Compared]:
    """Refine a generator by every method, each at the cost of "auto" or of a budget.

    All share the rows, the test and, where there is no critic, the networks of the generator's
    samples: what moves points a smooth one, what weighs them a sharp one. What a method learns
    besides has random numbers by its name alone: leaving one out changes no other. DGflow is
    there with published settings as well, which have their own cost.

    Args:
        generator, data, y, report: as of :func:`refine`.
        methods: by name; all by default. Of ``minutes`` "auto" has half; a method that there is
            no time for says so.
        evaluations: logits that a sample may take; by default as many as "auto" comes to.
        options: further ones of :func:`refine`: ``prior``, ``logit``, ``features``,
            ``random_state`` ...

    Returns:
        The generator as it was, "auto", and a line for each method.

    Raises:
        DataError, ParameterError, UnsupportedError: as :func:`refine`.

    Examples:
        >>> import torch
        >>> draw = torch.Generator().manual_seed(0)
        >>> data = torch.randn(200, 1, generator=draw) + 1
        >>> lines = compare_methods(lambda z: z, data, prior=1, logit=lambda x: x[:, 0] - 0.5,
        ...                         methods=["rejection", "mh"], evaluations=8)
        >>> [line.method for line in lines]
        ['generator', 'auto', 'rejection', 'mh']
    """
    model = RefinedModel(generator, **{"random_state": 0, **options})
    names = list(METHODS) if methods is None else list(methods)
    if unknown := [name for name in names if name not in METHODS and name != PAPER]:
        raise ParameterError(
            f"methods has {unknown[0]!r}{did_you_mean(unknown[0], METHODS)}. Expected some of "
            f"{', '.join(METHODS)}."
        )
    if methods is None:
        names.insert(1, PAPER)
    progress = report or (lambda text, share: None)
    with model.prepare(data, y, None) as setup:
        minutes = setup.budget.minutes
        half = None if minutes is None or not names else minutes / 2  # the rest is for the others
        started = time.process_time()
        progress("auto", 0.0)
        budget = replace(setup.budget, evaluations=evaluations, minutes=half or minutes)
        auto = run(replace(setup, budget=budget), "auto", {}, model.space)
        model.set_refinement(auto)
        lines = _of_auto(model, auto)
        cost = evaluations or max(10.0, round(auto.report.evaluations))
        spent = time.process_time() - started
        progress(f"auto took {spent:.0f} s of the processor; the others get {cost:g} logits", 0.3)
        budget = replace(budget, evaluations=cost, minutes=minutes)
        setup, state = _with_logits(model, replace(auto.setup, budget=budget), auto, bool(names))
        longest = 0.0  # seconds of a method
        for number, name in enumerate(names):
            if setup.budget.out_of_time(longest):
                lines.append(Compared(name, None, False, 0, 0, 0, "there was no time"))
                continue
            progress(name, 0.4 + 0.6 * number / len(names))
            start = time.monotonic()
            lines.append(_of_method(name, model, setup, _begun(state, name), cost))
            longest = max(longest, time.monotonic() - start)
    return lines


def _of_auto(model: RefinedModel, auto: Refinement) -> list[Compared]:
    """The lines of the generator as it was, and of "auto"."""
    report, setup = auto.report, auto.setup
    line = _line("auto", model, setup, auto.state.space, report.after, report.helped)
    start, _ = setup.space("auto")
    return [
        _line("generator", model, setup, start, report.before, False),
        replace(line, model=model),
    ]


def _with_logits(
    model: RefinedModel, setup: Setup, auto: Refinement, learns: bool
) -> tuple[Setup, State]:
    """The setup with the logits that all methods share, and the state they go on from.

    Args:
        model: whose space is asked for.
        setup: of "auto".
        auto: what it came to.
        learns: whether there are methods to learn for.
    """
    known: dict[bool, Logit] = {}
    if not isinstance(auto.first.network, TreeRatio):  # by which nothing moves
        known[True] = auto.first
    state = auto.state
    if learns and setup.logit is None:  # what only weighs is sharper than what moves
        state = replace(state, learned=state.learned + 1)
        space, left = setup.space(model.space)[0], setup.budget.minutes_left
        known[False] = setup.estimator.learned(
            space, moves=False, number=state.learned, minutes=None if left is None else left / 2
        )
    else:
        known[False] = auto.first
    return replace(setup, known=known), state


def _begun(state: State, name: str) -> State:
    """What a method goes on from: what it learns has random numbers by its name alone.

    Which other methods are compared, and what becomes of them, changes nothing for it.
    """
    return replace(state, learned=_APART + zlib.crc32(name.encode()) % _APART)


def _of_method(
    name: str, model: RefinedModel, setup: Setup, state: State, cost: float
) -> Compared:
    """The line of a method that may take so many logits."""
    settings: dict[str, Any] = {}
    method, space, own = name, model.space, setup
    if name in (PAPER, "ddls") and setup.adapter.prior is not None:
        space = "latent"
    if name == PAPER:
        method, settings = "dgflow", {"preset": published(setup.adapter)}
        most = max(cost, PUBLISHED[settings["preset"]]["steps"])
        own = replace(setup, budget=replace(setup.budget, evaluations=most))
    elif name in ("rejection", "resampling"):  # as many as all can have; alone they take fewer
        start, _ = setup.space(space)
        most = cost / (start.evaluations + 1)
        settings = {"budget": max(1.5, most)}
        if name == "resampling":
            settings = {"pool": max(2, int(most))}
    try:
        refinement = run(own, method, settings, space, earlier=state)
    except PushforwardError as error:
        return Compared(name, None, False, 0, 0, 0, str(error))
    if (tried := refinement.state.tried) is None:
        return Compared(name, None, False, 0, 0, 0, "its logit is flat")
    stage = refinement.report.stages[-1]
    return _line(name, model, refinement.setup, tried, stage.auc, stage.kept)


def _line(
    name: str, model: RefinedModel, setup: Setup, space: Space, auc: Measure, helped: bool
) -> Compared:
    started = time.process_time()
    space.rows(_TIMED, setup.seed, Stream.COMPARISON)
    milliseconds = 1e3 * (time.process_time() - started) / _TIMED
    return Compared(
        name, auc, helped, space.draws, space.evaluations, milliseconds, _space=space, _base=model
    )
