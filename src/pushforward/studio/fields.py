"""What a page asks, checked field by field before anything is done with it."""

import math
from collections.abc import Mapping
from typing import Any

from ..errors import PushforwardError

__all__ = ["Fields", "RequestError"]


class RequestError(PushforwardError, ValueError):
    """A request that cannot be answered: says what was got and what was expected.

    Args:
        text: for the person before the page.
        status: of HTTP, 400 to 499.
    """

    def __init__(self, text: str, status: int = 422) -> None:
        super().__init__(text)
        self.status = status


class Fields:
    """The JSON object of a request; each method reads one field and refuses what does not fit.

    Args:
        values: the parsed object.

    Raises:
        RequestError: for what is no object, and from every method for a field that does not fit.

    Examples:
        >>> asked = Fields({"n": 16, "temperature": 0.7})
        >>> asked.whole("n", 1, 100), asked.number("temperature", 0, 10), asked.text("name", "")
        (16, 0.7, '')
    """

    def __init__(self, values: Any) -> None:
        if not isinstance(values, dict):
            raise RequestError("The request is no JSON object. Expected one.", 400)
        self._values: dict[str, Any] = values

    def has(self, name: str) -> bool:
        """Whether there is a field of that name that is not null."""
        return self._values.get(name) is not None

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from low to high."""
        value = self._of(name, default)
        if type(value) is not int or not low <= value <= high:
            raise self._unfit(name, value, f"a whole number from {low} to {high}")
        return value

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """A finite number from low to high."""
        value = self._of(name, default)
        plain = type(value) in (int, float) and math.isfinite(value)
        if not plain or not low <= value <= high:
            raise self._unfit(name, value, f"a number from {low:g} to {high:g}")
        return float(value)

    def text(self, name: str, default: str | None = None, *, most: int = 200) -> str:
        """A text of at most so many characters."""
        value = self._of(name, default)
        if not isinstance(value, str) or len(value) > most:
            raise self._unfit(name, value, f"a text of at most {most} characters")
        return value

    def one_of(self, name: str, *known: str, default: str | None = None) -> str:
        """One of some words."""
        value = self._of(name, default)
        if not isinstance(value, str) or value not in known:
            raise self._unfit(name, value, f"one of {', '.join(known)}")
        return value

    def texts(self, name: str, *, most: int) -> list[str]:
        """A list of at most so many texts; empty where the field is not there."""
        value = self._values.get(name) or []
        plain = isinstance(value, list) and all(isinstance(one, str) for one in value)
        if not plain or len(value) > most or any(len(one) > 200 for one in value):
            raise self._unfit(name, value, f"a list of at most {most} short texts")
        return value

    def numbers(self, name: str, *, most: int, low: float, high: float) -> list[float]:
        """A list of at most so many numbers from low to high; empty where it is not there."""
        value = self._values.get(name) or []
        plain = isinstance(value, list) and all(type(one) in (int, float) for one in value)
        if not plain or len(value) > most or not all(low <= one <= high for one in value):
            raise self._unfit(name, value, f"at most {most} numbers from {low:g} to {high:g}")
        return [float(one) for one in value]

    def mapping(self, name: str, *, most: int) -> Mapping[str, Any]:
        """An object of at most so many entries; empty where the field is not there."""
        value = self._values.get(name) or {}
        if not isinstance(value, dict) or len(value) > most:
            raise self._unfit(name, value, f"an object of at most {most} entries")
        return value

    def objects(self, name: str, *, most: int) -> "list[Fields]":
        """A list of at most so many objects; empty where the field is not there."""
        value = self._values.get(name) or []
        if not isinstance(value, list) or len(value) > most:
            raise self._unfit(name, value, f"a list of at most {most} objects")
        return [Fields(one) for one in value]

    def _of(self, name: str, default: Any) -> Any:
        value = self._values.get(name)
        return default if value is None else value

    @staticmethod
    def _unfit(name: str, value: Any, expected: str) -> RequestError:
        shown = repr(value)
        shown = shown if len(shown) <= 60 else shown[:59] + "…"
        return RequestError(f"{name} is {shown}. Expected {expected}.")
