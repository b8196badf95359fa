"""All methods on one generator, by the same logits and rows, at one cost a sample."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..deprecation import renamed
from ..errors import ParameterError, PushforwardError
from ..metrics.measure import Measure
from .methods import METHODS
from .pipeline import Recipe
from .presets import published
from .ratio_trees import TreeRatio
from .refined_model import RefinedModel
from .sample_spaces import Space
from .samplers.dgflow import PUBLISHED
from .streams import Stream

__all__ = ["Compared", "compare_methods"]

_TIMED = 1000  # samples that cost is measured on
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
        with self._base._frozen():
            return self._base._adapter.to_user(
                self._space.rows(n_samples, random_state, Stream.COMPARISON)
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the line as JSON values."""
        own = ("method", "helped", "draws", "evaluations", "milliseconds", "reason")
        told = {name: getattr(self, name) for name in own}
        return told | {"auc": None if self.auc is None else self.auc.to_dict()}


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
    samples: what moves points a smooth one, what weighs them a sharp one. DGflow is there with
    published settings as well, which have their own cost.

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
        >>> data = torch.randn(600, 1, generator=draw) + 1
        >>> lines = compare_methods(lambda z: z, data, prior=1, logit=lambda x: x[:, 0] - 0.5,
        ...                         methods=["rejection", "mh"], evaluations=8)
        >>> [line.method for line in lines]
        ['generator', 'auto', 'rejection', 'mh']
    """
    model = RefinedModel(generator, **{"random_state": 0, **options})
    names = list(METHODS) if methods is None else list(methods)
    if unknown := [name for name in names if name not in METHODS and name != PAPER]:
        raise ParameterError(f"methods has {unknown[0]!r}. Expected some of {', '.join(METHODS)}.")
    if methods is None:
        names.insert(1, PAPER)
    tell = report or (lambda text, share: None)
    with model._recipe(data, y, None) as recipe:
        recipe.budget.evaluations = evaluations
        minutes = recipe.budget.minutes
        if minutes is not None and names:  # the other half is for all the others
            recipe.budget.minutes = minutes / 2
        began = time.process_time()
        tell("auto", 0.0)
        kept, told = recipe.run("auto", {}, model.space)
        model._keep(recipe, kept, told)
        auto = _line("auto", model, recipe, recipe.space, told.after, told.helped)
        lines = [
            _line("generator", model, recipe, None, told.before, False),
            replace(auto, model=model),
        ]
        cost = evaluations or max(10.0, round(told.evaluations))
        spent = time.process_time() - began
        tell(f"auto took {spent:.0f} s of the processor; the others get {cost:g} logits", 0.3)
        recipe.budget.evaluations, recipe.budget.minutes = cost, minutes
        by_trees = isinstance(recipe.first.network, TreeRatio)  # by which nothing moves
        recipe.known = {} if by_trees else {True: recipe.first}
        if names and recipe.logit is None:  # what only weighs is sharper than what moves
            recipe.space, _ = recipe.beginning(model.space)
            recipe.known[False] = recipe.teacher.learned(recipe.space, moves=False)
        else:
            recipe.known[False] = recipe.first
        longest = 0.0  # seconds of a method
        for number, name in enumerate(names):
            if recipe.budget.late(longest):
                lines.append(Compared(name, None, False, 0, 0, 0, "there was no time"))
                continue
            tell(name, 0.4 + 0.6 * number / len(names))
            start = time.monotonic()
            lines.append(_of_method(name, model, recipe))
            longest = max(longest, time.monotonic() - start)
    return lines


def _of_method(name: str, model: RefinedModel, recipe: Recipe) -> Compared:
    settings: dict[str, Any] = {}
    space = model.space
    method, cost = name, recipe.budget.evaluations
    assert cost is not None
    if name in (PAPER, "ddls") and recipe.adapter.prior is not None:
        space = "latent"
    if name == PAPER:
        method, settings = "dgflow", {"preset": published(recipe.adapter)}
        recipe.budget.evaluations = max(cost, PUBLISHED[settings["preset"]]["steps"])
    elif name in ("rejection", "resampling"):  # as many as all can have; alone they take fewer
        start, _ = recipe.beginning(space)
        most = cost / (start.evaluations + 1)
        budget = {"budget": max(1.5, most)}
        settings = budget if name == "rejection" else {"pool": max(2, int(most))}
    try:
        recipe.last = None
        _, told = recipe.run(method, settings, space)
        if recipe.last is None:
            return Compared(name, None, False, 0, 0, 0, "its logit is flat")
        stage = told.stages[-1]
        return _line(name, model, recipe, recipe.last, stage.auc, stage.kept)
    except PushforwardError as error:
        return Compared(name, None, False, 0, 0, 0, str(error))
    finally:
        recipe.budget.evaluations = cost


def _line(
    name: str, model: RefinedModel, recipe: Recipe, space: Space | None, auc: Measure, helped: bool
) -> Compared:
    if space is None:
        space, _ = recipe.beginning("auto")
    began = time.process_time()
    space.rows(_TIMED, recipe.seed, Stream.COMPARISON)
    milliseconds = 1e3 * (time.process_time() - began) / _TIMED
    return Compared(
        name, auc, helped, space.draws, space.evaluations, milliseconds, _space=space, _base=model
    )
