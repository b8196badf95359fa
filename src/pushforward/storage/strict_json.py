"""JSON that means one thing: exact numbers, no repeated keys, bounded depth and size.

``dumps`` writes only what ``loads`` gives back equal; ``loads`` is safe on hostile bytes. Both
raise ``ValueError`` and no other exception.
"""

import json
import math
import re
import reprlib
from typing import Any

import numpy as np

__all__ = ["MAX_BYTES", "dumps", "dumps_canonical", "loads", "plain", "written_so"]

MAX_BYTES = 64 * 2**20
MAX_TOKENS = 1_000_000  # bounds the Python objects a hostile file can make us build
MAX_DEPTH = 100
MAX_DIGITS = 400  # room for the state of a random generator; parsing long ones is quadratic

# Possessive, so that no long string costs memory. A lone quote is a string that never ends.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)


def plain(value: Any, where: str = "config", depth: int = 0) -> Any:
    """Copy ``value`` as JSON will give it back; refuse what JSON cannot hold exactly.

    NumPy scalars become Python's and tuples become lists.

    Example:
        >>> plain({"shape": (2, 3)})
        {'shape': [2, 3]}
        >>> plain({"alpha": [float("nan")]})
        Traceback (most recent call last):
        ValueError: config['alpha'][0] is nan; JSON has finite numbers only
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"{where[:80]}... is nested over {MAX_DEPTH} deep")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        if bad := [key for key in value if not isinstance(key, str)]:
            raise ValueError(f"{where} has the key {bad[0]!r}; JSON has only string keys")
        return {k: plain(v, f"{where}[{reprlib.repr(k)}]", depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}; JSON has finite numbers only")
    if isinstance(value, int) and abs(value) >= 10 ** (MAX_DIGITS - 1):
        raise ValueError(f"{where} is an integer of {MAX_DIGITS} digits or more")
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError(f"{where} is of type {type(value).__name__}, which JSON has not")
    return value


def dumps(value: Any) -> bytes:
    """Readable JSON in ASCII; floats are written so that they come back bit for bit."""
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


def written_so(value: Any, data: bytes) -> bool:
    """Whether ``dumps`` gives these bytes; no more of it is made than is equal to them.

    >>> written_so([1.5], dumps([1.5])), written_so([1.5], b"[1.50]")
    (True, False)
    """
    at = 0
    for part in json.JSONEncoder(indent=2, allow_nan=False).iterencode(value):
        if not data.startswith(part.encode(), at):
            return False
        at += len(part)
    return data[at:] == b"\n"


def dumps_canonical(value: Any) -> bytes:
    """The same value always as the same bytes: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def loads(data: bytes) -> Any:
    """Parse hostile JSON; its depth and number of values are bounded before anything is built.

    Example:
        >>> loads(b'{"a": 1, "a": 2}')
        Traceback (most recent call last):
        ValueError: the key 'a' stands twice in one object
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"{len(data)} bytes, over {MAX_BYTES}")
    depth = 0
    for count, match in enumerate(_TOKEN.finditer(data)):
        token = match[0]
        if token == b'"':
            raise ValueError(f"the string at byte {match.start()} never ends")
        depth += (token in {b"[", b"{"}) - (token in {b"]", b"}"})
        if depth > MAX_DEPTH:
            raise ValueError(f"nested over {MAX_DEPTH} deep")
        if count >= MAX_TOKENS:
            raise ValueError(f"over {MAX_TOKENS} values")
    try:
        return json.loads(
            data.decode("ascii"),
            object_pairs_hook=_unique,
            parse_float=_finite,
            parse_int=_integer,
            parse_constant=_finite,
        )
    except RecursionError as error:  # a caller deep in its own recursion
        raise ValueError("nested too deep for this call") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {reprlib.repr(key)} stands twice in one object")
        result[key] = value
    return result


def _finite(text: str) -> float:
    if len(text) > MAX_DIGITS or not math.isfinite(number := float(text)):
        raise ValueError(f"the number {reprlib.repr(text)} is not a finite double")
    return number


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer has {len(text)} digits, over {MAX_DIGITS}")
    return int(text)
