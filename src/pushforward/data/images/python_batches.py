"""Reads the Python version of CIFAR's batches as data: nothing in them is called or imported.

Such a file is a program for a stack machine. The opcodes that build numbers, text, lists, tuples
and dicts are understood here, and five names that stand for the steps by which NumPy writes an
array of bytes; any other opcode or name is an error. The published batches use protocols 0 and 2;
copies written by Python 3 (protocols 2 to 4) are read too.
"""

import enum
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError

__all__ = ["read_batch"]


class _Step(enum.Enum):
    """A step in the writing of an array of bytes."""

    MAKE = "an empty array"
    ARRAY = "the class of arrays"
    DTYPE = "a dtype from its name"
    ENCODE = "bytes from text"
    BYTES = "the dtype uint8"


_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): _Step.MAKE,
    ("numpy._core.multiarray", "_reconstruct"): _Step.MAKE,
    ("numpy", "ndarray"): _Step.ARRAY,
    ("numpy", "dtype"): _Step.DTYPE,
    ("_codecs", "encode"): _Step.ENCODE,
}


class _Array:
    """An array on the stack: empty until its state has been read."""

    value: np.ndarray | None = None


class _Refused(Exception):
    """Why a file is refused."""


def read_batch(path: Path) -> dict[str, Any]:
    """Return the dict of a batch: text, bytes, numbers, lists and uint8 arrays by name.

    Raises:
        DataError: for a file that is cut short or holds anything else.
    """
    try:
        found = _Machine(path.read_bytes()).run()
        if not isinstance(found, dict):
            raise _Refused("it holds no dict")
    except (OSError, _Refused) as error:
        raise DataError(
            f"{path} cannot be read: {error}. Expected a batch of CIFAR's Python version as it "
            "was published; its binary version is read too."
        ) from error
    return {
        key.decode("latin-1") if isinstance(key, bytes) else str(key): (
            value.value if isinstance(value, _Array) else value
        )
        for key, value in found.items()
    }


class _Machine:
    """The stack machine: ``run`` takes the steps that a file says."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Return what is on top of the stack when the file says stop."""
        while (code := self.take(1)) != b".":
            if code not in _OPCODES:
                raise _Refused(f"opcode {code!r} at byte {self.at - 1:,} is none of a batch's")
            _OPCODES[code](self)
        return self.pop()

    # The file

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if not 0 <= count <= len(self.data) - self.at:
            raise _Refused(f"it is cut short at byte {len(self.data):,}")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> int:
        """Return the next number, little-endian; the form is one letter of struct."""
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))[0]

    def line(self) -> str:
        """Return what comes before the next line feed."""
        end = self.data.find(b"\n", self.at, self.at + 4096)
        if end < 0:
            raise _Refused(f"the line at byte {self.at:,} has no end")
        text = self.take(end - self.at).decode("latin-1")
        self.at += 1
        return text

    def whole(self) -> int:
        """Return the number on the next line."""
        text = self.line()
        if not text.lstrip("-").isdecimal() or len(text) > 20:
            raise _Refused(f"{text[:20]!r} is no whole number")
        return int(text)

    def quoted(self) -> bytes:
        """Return the quoted text on the next line."""
        text = self.line()
        if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0] or "\\" in text:
            raise _Refused(f"{text[:20]!r} is no plain quoted text")
        return text[1:-1].encode("latin-1")

    def text(self, count: int) -> str:
        """Return the next bytes as text."""
        try:
            return self.take(count).decode("utf-8")
        except UnicodeDecodeError as error:
            raise _Refused("it has text that is not UTF-8") from error

    # The stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise _Refused("it takes from an empty stack")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        """Return what is on top, which must be of a kind."""
        self.push(value := self.pop())
        if not isinstance(value, kind):
            raise _Refused(f"it adds to a {type(value).__name__} as if to a {kind.__name__}")
        return value

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def since_mark(self) -> list[Any]:
        """Take all that was pushed since the last mark."""
        if not self.marks:
            raise _Refused("it goes back to a mark that was never set")
        start = self.marks.pop()
        values, self.stack[start:] = self.stack[start:], []
        return values

    def last(self, count: int) -> tuple:
        return tuple([self.pop() for _ in range(count)][::-1])

    def store(self, place: int) -> None:
        self.push(value := self.pop())
        self.memo[place] = value

    def fetch(self, place: int) -> None:
        if place not in self.memo:
            raise _Refused(f"it recalls {place}, which it never stored")
        self.push(self.memo[place])

    def set_items(self, values: list[Any]) -> None:
        """Put keys and values, one after the other, into the dict on top."""
        found = self.top(dict)
        if len(values) % 2 or not all(isinstance(key, (str, bytes, int)) for key in values[::2]):
            raise _Refused("it has a dict with other keys than text")
        found.update(zip(values[::2], values[1::2], strict=True))

    def make_dict(self) -> None:
        values = self.since_mark()
        self.push({})
        self.set_items(values)

    # Arrays of bytes

    def name(self, module: Any, name: Any) -> None:
        known = isinstance(module, str) and isinstance(name, str)
        if not known or (module, name) not in _NAMES:
            words = f"{module}.{name}"[:80] if known else "something"
            raise _Refused(f"it asks for {words}, which is none of an array of bytes")
        self.push(_NAMES[module, name])

    def reduce(self) -> None:
        """Take one of the steps that make an array."""
        step, arguments = self.last(2)
        first = arguments[0] if isinstance(arguments, tuple) and arguments else None
        if step is _Step.MAKE and first is _Step.ARRAY:
            self.push(_Array())
        elif step is _Step.DTYPE and first in ("u1", b"u1"):
            self.push(_Step.BYTES)
        elif step is _Step.ENCODE and isinstance(first, str) and arguments[1:] == ("latin1",):
            try:
                self.push(first.encode("latin-1"))
            except UnicodeEncodeError as error:
                raise _Refused("it has text that is not Latin-1") from error
        else:
            raise _Refused("it makes something other than an array of uint8")

    def build(self) -> None:
        """Give the array, or the dtype, below the top the state on top."""
        target, state = self.last(2)
        self.push(target)
        if target is _Step.BYTES:
            return
        if not isinstance(target, _Array) or not isinstance(state, tuple) or len(state) != 5:
            raise _Refused("it gives a state to something other than an array")
        _, shape, dtype, by_columns, data = state
        sides = isinstance(shape, tuple) and len(shape) <= 4
        sides = sides and all(type(side) is int and side >= 0 for side in shape)
        if not sides or dtype is not _Step.BYTES or not isinstance(data, bytes):
            raise _Refused("it has an array of something other than uint8")
        if math.prod(shape) != len(data):
            raise _Refused(f"it has an array of shape {shape} in {len(data):,} bytes")
        order = "F" if by_columns is True or by_columns == 1 else "C"
        target.value = np.frombuffer(data, np.uint8).reshape(shape, order=order)


_OPCODES: dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": lambda m: m.take(1),  # protocol
    b"\x95": lambda m: m.take(8),  # frame
    b"(": lambda m: m.mark(),
    b"0": lambda m: m.pop(),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"I": lambda m: m.push(m.whole()),
    b"J": lambda m: m.push(m.number("i")),
    b"K": lambda m: m.push(m.number("B")),
    b"M": lambda m: m.push(m.number("H")),
    b"S": lambda m: m.push(m.quoted()),
    b"T": lambda m: m.push(m.take(m.number("i"))),
    b"U": lambda m: m.push(m.take(m.number("B"))),
    b"B": lambda m: m.push(m.take(m.number("I"))),
    b"C": lambda m: m.push(m.take(m.number("B"))),
    b"X": lambda m: m.push(m.text(m.number("I"))),
    b"\x8c": lambda m: m.push(m.text(m.number("B"))),
    b"]": lambda m: m.push([]),
    b"}": lambda m: m.push({}),
    b")": lambda m: m.push(()),
    b"l": lambda m: m.push(m.since_mark()),
    b"t": lambda m: m.push(tuple(m.since_mark())),
    b"d": lambda m: m.make_dict(),
    b"\x85": lambda m: m.push(m.last(1)),
    b"\x86": lambda m: m.push(m.last(2)),
    b"\x87": lambda m: m.push(m.last(3)),
    b"a": lambda m: (value := m.pop(), m.top(list).append(value)),
    b"e": lambda m: (values := m.since_mark(), m.top(list).extend(values)),
    b"s": lambda m: m.set_items(list(m.last(2))),
    b"u": lambda m: m.set_items(m.since_mark()),
    b"p": lambda m: m.store(m.whole()),
    b"q": lambda m: m.store(m.number("B")),
    b"r": lambda m: m.store(m.number("I")),
    b"\x94": lambda m: m.store(len(m.memo)),
    b"g": lambda m: m.fetch(m.whole()),
    b"h": lambda m: m.fetch(m.number("B")),
    b"j": lambda m: m.fetch(m.number("I")),
    b"c": lambda m: m.name(m.line(), m.line()),
    b"\x93": lambda m: m.name(*m.last(2)),
    b"R": lambda m: m.reduce(),
    b"b": lambda m: m.build(),
}
