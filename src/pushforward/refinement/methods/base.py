"""What a method of refinement is: settings that are tuned on samples, and what it applies."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar, Self, get_args, get_type_hints

from torch import Tensor

from ...errors import DataError, ParameterError
from ...validation import Rule, check
from ...wording import did_you_mean
from ..acceptance_test import RealRows
from ..budget import Budget
from ..logit_gradients import Score
from ..sample_spaces import Mover, Space, moved
from ..streams import Stream

__all__ = ["Context", "Method", "Moving"]

_POOL = 10_000  # samples that constants are taken from
_MARGIN = 1.3  # times what was timed, for a machine that has other work as well
_WORDS = {
    float: "a finite number", int: "a whole number", bool: "True or False", str: "a name",
    type(None): "None",
}  # fmt: skip


@dataclass(frozen=True)
class Context:
    """What a method is tuned on.

    Attributes:
        space: whose points it will move or choose.
        logit: of rows, calibrated.
        real: real rows in parts; a method may look at those that learn and choose.
        seed: of all that is drawn.
        budget: of the refinement.
        samples: that will be drawn to judge the method.
        testing: seconds that judging them takes, once they are drawn.
    """

    space: Space
    logit: Score
    real: RealRows
    seed: int
    budget: Budget = field(default_factory=Budget)
    samples: int = 0
    testing: float = 0.0

    @cached_property
    def drawn(self) -> Tensor:
        """Points of the space that constants are taken from."""
        return self.space.points(_POOL, self.seed, Stream.CONSTANTS)

    @cached_property
    def pool(self) -> Tensor:
        """Logits (10000,) of the rows of these points.

        Raises:
            DataError: for logits that are not finite.
        """
        logits = self.space.logits(self.logit, self.drawn)
        if not logits.isfinite().all():
            raise DataError("There are samples whose logit is not finite.")
        return logits

    def out_of_time(self, each: float) -> bool:
        """Whether time will be up once samples that take so many seconds each are judged."""
        return self.budget.out_of_time(_MARGIN * each * self.samples + self.testing)

    def most_steps(self, usual: int) -> int:
        """The usual number of steps, or as many as the budget has left."""
        return self.budget.most_steps(self.space, usual)

    def most_draws(self, usual: int) -> int:
        """The usual number of proposals, or as many as the budget has left."""
        return self.budget.most_draws(self.space, usual)


@dataclass(frozen=True)
class Method(ABC):
    """One way to make samples better.

    The fields of a method are its settings, None where :meth:`tune` is to choose. Settings and
    constants are JSON values, so that a method is made again from a file.

    Attributes:
        constants: what :meth:`tune` took from samples and real rows, besides settings.
        name: as users write it.
        moves: whether points are moved, or else chosen.
        papers: keys of the citations of its source.
    """

    constants: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    name: ClassVar[str]
    moves: ClassVar[bool] = False
    papers: ClassVar[tuple[str, ...]] = ()
    _rules: ClassVar[Mapping[str, Rule]] = {}  # of settings, besides their types
    _only_tuned_by: ClassVar[frozenset[str]] = frozenset()  # fields that tuning turns into others

    def __post_init__(self) -> None:
        check(self._rules, vars(self))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by name, in order."""
        left_out = {"constants", *self._only_tuned_by}
        # the fields of a dataclass are known by name
        return {f.name: vars(self)[f.name] for f in fields(self) if f.name not in left_out}

    @abstractmethod
    def tune(self, context: Context) -> Self | None:
        """Choose what is not set, and take the constants.

        Returns:
            The method with all that :meth:`apply` needs; None where it can do nothing.

        Raises:
            ParameterError: for settings that are out of their range.
            DataError: for logits that are not finite.
            UnsupportedError: for a space that the method cannot work in.
        """

    @abstractmethod
    def apply(self, space: Space, logit: Score) -> Space:
        """The space of refined points.

        Args:
            space: of the points before.
            logit: of rows, calibrated, log of real over generated density.
        """

    def mover(self, space: Space, logit: Score) -> Mover | None:
        """What moves points of the space; None of a method that chooses."""
        return None

    @classmethod
    def with_settings(cls, settings: Mapping[str, Any]) -> Self:
        """The method with settings of the user, which are checked by name and by kind.

        Raises:
            ParameterError: naming the setting.
        """
        hints = get_type_hints(cls)
        kinds = {f.name: hints[f.name] for f in fields(cls) if f.name != "constants"}
        for name, value in settings.items():
            if name not in kinds:
                raise ParameterError(
                    f"{cls.name} has no setting {name!r}{did_you_mean(name, kinds)}. Expected "
                    f"some of {', '.join(kinds)}."
                )
            _check_kind(cls.name, name, value, get_args(kinds[name]) or (kinds[name],))
        return cls(**settings)

    def tuned(self, constants: Mapping[str, Any] | None = None, /, **settings: Any) -> Self:
        """A copy with other settings and constants."""
        return replace(self, **settings, constants=dict(constants or {}))


class Moving(Method):
    """A method that moves every point, and leaves none out."""

    moves: ClassVar[bool] = True
    _at_start: ClassVar[int] = 0  # logits before the first step

    steps: int | None  # a setting of every such method

    @property
    def evaluations(self) -> int:
        """Logits with gradients that moving a point takes: one a step, and those at the start."""
        assert self.steps is not None
        return self.steps + self._at_start

    @abstractmethod
    def mover(self, space: Space, logit: Score) -> Mover:
        """What moves points of the space."""

    def apply(self, space: Space, logit: Score) -> Space:
        """The space of the points that are moved."""
        return moved(space, self.mover(space, logit), self.evaluations)


def _check_kind(method: str, name: str, value: Any, kinds: tuple[type, ...]) -> None:
    allowed = (*kinds, int) if float in kinds else kinds
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))
    if not fits or (number and not math.isfinite(value)):
        words = " or ".join(_WORDS.get(kind, kind.__name__) for kind in kinds)
        raise ParameterError(f"{name} of {method} is {value!r}. Expected {words}.")
