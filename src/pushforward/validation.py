"""Rules for parameters, one declaration each, checked before any work and quoted in errors.

``_rules`` of a class holds those of its own parameters by name; a subclass that narrows one
declares it again. The model is scikit-learn's ``_parameter_constraints``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import ParameterError
from .wording import did_you_mean, setting, worded

__all__ = [
    "COUNT",
    "FLAG",
    "MINUTES",
    "POSITIVE",
    "SHARE",
    "Device",
    "Function",
    "Instance",
    "Integer",
    "Integers",
    "Name",
    "Number",
    "OneOf",
    "Rule",
    "Seed",
    "Strings",
    "Verbosity",
    "as_seed",
    "check",
]


LARGEST = 2**53  # of a whole number: what a double holds, and more than an index


class Rule:
    """A rule for values; its text follows "Expected" in errors."""

    #: The words it takes, if it takes some.
    words: tuple[str | int, ...] = ()

    def fits(self, value: Any) -> bool:
        """Whether a value may be used."""
        raise NotImplementedError

    def __or__(self, other: "Rule | None") -> "Rule":
        return _Either((self, _NONE if other is None else other))


@dataclass(frozen=True)
class _Either(Rule):
    rules: tuple[Rule, ...]

    @property
    def words(self) -> tuple[str | int, ...]:  # type: ignore[override]
        return tuple(word for rule in self.rules for word in rule.words)

    def fits(self, value: Any) -> bool:
        return any(rule.fits(value) for rule in self.rules)

    def __str__(self) -> str:
        return ", or ".join(map(str, self.rules))


class _Nothing(Rule):
    def fits(self, value: Any) -> bool:
        return value is None

    def __str__(self) -> str:
        return worded("None", "leave it out")


_NONE = _Nothing()


@dataclass(frozen=True)
class Integer(Rule):
    """A whole number from ``least`` to ``most``; True and 1.0 are none.

    >>> Integer(1).fits(np.int64(3)), Integer(1).fits(True), str(Integer(1) | None)
    (True, False, 'a whole number of at least 1, or None')
    """

    least: int
    most: float = math.inf
    why: str = ""  # why others are refused

    def fits(self, value: Any) -> bool:
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        return whole and bool(self.least <= value <= min(self.most, LARGEST))

    def __str__(self) -> str:
        why = f" ({self.why})" * bool(self.why)
        if self.most < math.inf:
            return f"a whole number from {self.least} to {self.most}{why}"
        return f"a whole number of at least {self.least}{why}"


@dataclass(frozen=True)
class Number(Rule):
    """A finite number in an interval, with or without its ends; True is none.

    >>> Number(0, 1, ends="]").fits(1.0), Number(0).fits(0), str(Number(0, 1, ends="]"))
    (True, False, 'a number above 0 and at most 1')
    """

    low: float
    high: float = math.inf
    ends: str = ""  # "[": low itself as well; "]": high itself as well

    def fits(self, value: Any) -> bool:
        number = isinstance(value, (int, float, np.integer, np.floating))
        if not number or isinstance(value, bool) or not math.isfinite(value):
            return False
        above = value >= self.low if "[" in self.ends else value > self.low
        below = value <= self.high if "]" in self.ends else value < self.high
        return bool(above and below)

    def __str__(self) -> str:
        if (self.low, self.high) == (-math.inf, math.inf):
            return "a finite number"
        if self.ends == "[]":
            return f"a number from {self.low:g} to {self.high:g}"
        low = f"{'of at least' if '[' in self.ends else 'above'} {self.low:g}"
        if self.high == math.inf:
            return f"a number {low}"
        return f"a number {low} and {'at most' if ']' in self.ends else 'below'} {self.high:g}"


@dataclass(frozen=True)
class Integers(Rule):
    """A sequence of whole numbers of at least 1, one at the least."""

    def fits(self, value: Any) -> bool:
        several = isinstance(value, (list, tuple, np.ndarray)) and len(value) > 0
        return several and all(COUNT.fits(one) for one in value)

    def __str__(self) -> str:
        return "a list of whole numbers of at least 1"


class Strings(Rule):
    """A sequence of texts, which one text is not.

    >>> Strings().fits(["a", "b"]), Strings().fits("ab"), Strings().fits([1])
    (True, False, False)
    """

    def fits(self, value: Any) -> bool:
        several = isinstance(value, Sequence) and not isinstance(value, str)
        return several and all(isinstance(one, str) for one in value)

    def __str__(self) -> str:
        return "a list of texts"


class OneOf(Rule):
    """One of some words or numbers; True is none.

    Args:
        words: those.
        why: why others are refused.

    >>> OneOf("cpu", "cuda").fits("gpu"), str(OneOf("a", "b", why="c is not made"))
    (False, 'one of a, b (c is not made)')
    """

    def __init__(self, *words: str | int, why: str = "") -> None:
        self.words = words
        self.why = why

    def fits(self, value: Any) -> bool:
        scalar = isinstance(value, (str, int, float, np.integer, np.floating))
        return scalar and not isinstance(value, bool) and value in self.words

    def __str__(self) -> str:
        if len(self.words) == 1:
            return repr(self.words[0])
        return f"one of {', '.join(map(str, self.words))}" + (f" ({self.why})" * bool(self.why))


class Instance(Rule):
    """An object of some types.

    Args:
        types: those.
        description: what they are called.
    """

    def __init__(self, *types: type, description: str) -> None:
        self.types = types
        self.description = description

    def fits(self, value: Any) -> bool:
        return isinstance(value, self.types)

    def __str__(self) -> str:
        return self.description


@dataclass(frozen=True)
class Function(Rule):
    """What can be called.

    >>> Function("a function of rows").fits(abs), str(Function("a function of rows"))
    (True, 'a function of rows')
    """

    description: str

    def fits(self, value: Any) -> bool:
        return callable(value)

    def __str__(self) -> str:
        return self.description


class Name(Rule):
    """The name of a column of a frame, or the position of one of an array."""

    def fits(self, value: Any) -> bool:
        return isinstance(value, str | int | np.integer) and not isinstance(value, bool)

    def __str__(self) -> str:
        return "the name of a column, or its position in an array"


class Seed(Rule):
    """What scikit-learn takes as ``random_state``."""

    def fits(self, value: Any) -> bool:
        source = value is None or isinstance(value, np.random.RandomState)
        return source or Integer(0, 2**32 - 1).fits(value)

    def __str__(self) -> str:
        return f"a whole number from 0 to {2**32 - 1}, a numpy.random.RandomState, or None"


class Device(Rule):
    """A device of torch that is there, by name."""

    def fits(self, value: Any) -> bool:
        import torch

        from .devices import is_here

        return isinstance(value, (str, torch.device)) and is_here(value)

    def __str__(self) -> str:
        from .devices import expected

        return expected()


class Verbosity(Rule):
    """True or False, or a level, as scikit-learn has it."""

    def fits(self, value: Any) -> bool:
        return FLAG.fits(value) or Integer(0).fits(value)

    def __str__(self) -> str:
        return "True or False"


FLAG = Instance(bool, np.bool_, description="True or False")
COUNT = Integer(1)
POSITIVE = Number(0)
SHARE = Number(0, 1, ends="[")
MINUTES = POSITIVE | None


def check(rules: Mapping[str, Rule], values: Mapping[str, Any]) -> None:
    """Refuse the first value that does not fit its rule.

    Raises:
        ParameterError: naming it, what it is, and what it may be.
    """
    for name, rule in rules.items():
        if not rule.fits(values[name]):
            value = values[name]
            too_large = type(value) is int and value > LARGEST
            limit = f", and {LARGEST:,} at most" if too_large else ""
            hint = did_you_mean(value, rule.words) if isinstance(value, str) else ""
            raise ParameterError(f"{setting(name)} is {value!r}{hint}. Expected {rule}{limit}.")


def as_seed(random_state: Any) -> int:
    """A seed of what scikit-learn takes as ``random_state``.

    Args:
        random_state: a seed, which it is; a ``RandomState``, from which one is drawn; None for
            numpy's global ``RandomState``, as scikit-learn has it: after ``numpy.random.seed``
            the same seeds are drawn again, and without it they are fresh in every process.

    Raises:
        ParameterError: for anything else.

    Examples:
        >>> as_seed(3)
        3
    """
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return int((random_state or np.random).randint(2**31 - 1))
    if not Seed().fits(random_state):
        raise ParameterError(f"{setting('random_state')} is {random_state!r}. Expected {Seed()}.")
    return int(random_state)
