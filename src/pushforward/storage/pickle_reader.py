"""Reads data out of pickles without unpickling: a stack machine that can call nothing.

A pickle is a program for a stack machine, and Python's own runs whatever it says. This one knows
the opcodes that build numbers, text, lists, tuples and dicts. The names, calls, states and
outside objects that a file may hold besides are what its reader, a subclass, takes for them, and
those are values that are only ever compared: nothing is looked up, imported or called. What is
made takes no more memory than a fixed multiple of the program's own size.
"""

import itertools
import struct
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

__all__ = ["StackMachine", "UnsupportedPickle"]

_MOST_STEPS = 500_000  # of a program: each takes up to a hundred bytes and a microsecond
_LONGEST_LINE = 4096
_LONGEST_NUMBER = 16  # bytes


class UnsupportedPickle(ValueError):
    """Why a program is refused: a clause about "it", the file."""


class StackMachine:
    """The machine: a file, a stack with marks, and a memo.

    A reader is a subclass that has ``names`` and answers :meth:`call`, :meth:`set_state` and
    :meth:`outside` for the few cases that its files need; by default all are refused.

    Args:
        data: the file. Programs in it may follow each other: each :meth:`run` takes the next.

    Attributes:
        names: what stands for a global name, by module and name.
        at: number of bytes read so far.

    Example:
        >>> machine = StackMachine(b"]K\\x01a.K\\x02.")
        >>> machine.run(), machine.run()
        ([1], 2)
        >>> StackMachine(b"cos\\nsystem\\n.").run()
        Traceback (most recent call last):
        pushforward.storage.pickle_reader.UnsupportedPickle: it names 'os system', ...
    """

    names: ClassVar[Mapping[tuple[str, str], Any]] = {}

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Return what is on top of the stack when the program says stop.

        Raises:
            UnsupportedPickle: if it is cut short, or does anything that data do not need.
        """
        self._stack, self._marks, self._memo = [], [], {}
        for steps in itertools.count():
            if (code := self.take(1)) == b".":
                break
            if steps == _MOST_STEPS:
                raise UnsupportedPickle(f"it has more than {_MOST_STEPS:,} steps, unlike data")
            if code not in _OPCODES:
                raise UnsupportedPickle(
                    f"it has the opcode {code!r} at byte {self.at - 1:,}, unlike data"
                )
            _OPCODES[code](self)
        return self.pop()

    # What readers answer

    def call(self, function: Any, arguments: tuple) -> Any:
        """What a call comes to.

        Args:
            function: any value, of ``names`` if the program is well made.
            arguments: any values.
        """
        raise UnsupportedPickle("it makes a call")

    def set_state(self, target: Any, state: Any) -> None:
        """Give an object its state."""
        raise UnsupportedPickle("it gives an object a state")

    def outside(self, description: Any) -> Any:
        """What stands for an object that is kept outside the program ("persistent")."""
        raise UnsupportedPickle("it refers to something outside")

    # The file

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if not 0 <= count <= len(self.data) - self.at:
            raise UnsupportedPickle(f"it is cut short at byte {len(self.data):,}")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> int:
        """Return the next number, little-endian; the form is one letter of struct."""
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))[0]

    def long(self) -> int:
        """Return the next number, of as many bytes as the next byte says."""
        count = self.number("B")
        if count > _LONGEST_NUMBER:
            raise UnsupportedPickle(f"it has a whole number of {count} bytes")
        return int.from_bytes(self.take(count), "little", signed=True)

    def line(self) -> str:
        """Return what comes before the next line feed."""
        end = self.data.find(b"\n", self.at, self.at + _LONGEST_LINE)
        if end < 0:
            raise UnsupportedPickle(f"its line at byte {self.at:,} has no end")
        text = self.take(end - self.at).decode("latin-1")
        self.at += 1
        return text

    def whole(self) -> int:
        """Return the number on the next line."""
        text = self.line()
        if not text.removeprefix("-").isdecimal() or not text.isascii() or len(text) > 20:
            raise UnsupportedPickle(f"it has {text[:20]!r} for a whole number")
        return int(text)

    def quoted(self) -> bytes:
        """Return the quoted text on the next line."""
        text = self.line()
        if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0] or "\\" in text:
            raise UnsupportedPickle(f"it has {text[:20]!r} for a plain quoted text")
        return text[1:-1].encode("latin-1")

    def text(self, count: int) -> str:
        """Return the next bytes as text."""
        try:
            return self.take(count).decode("utf-8")
        except UnicodeDecodeError as error:
            raise UnsupportedPickle("it has text that is not UTF-8") from error

    # The stack

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise UnsupportedPickle("it takes from an empty stack")
        return self._stack.pop()

    def last(self, count: int) -> tuple:
        """Take the last values, in the order they were pushed."""
        return tuple([self.pop() for _ in range(count)][::-1])

    def top(self, kind: type) -> Any:
        """Return what is on top, which must be of a kind."""
        self.push(value := self.pop())
        if not isinstance(value, kind):
            raise UnsupportedPickle(
                f"it adds to a {type(value).__name__} as if to a {kind.__name__}"
            )
        return value

    def mark(self) -> None:
        self._marks.append(len(self._stack))

    def since_mark(self) -> list[Any]:
        """Take all that was pushed since the last mark."""
        if not self._marks:
            raise UnsupportedPickle("it goes back to a mark that was never set")
        start = self._marks.pop()
        values, self._stack[start:] = self._stack[start:], []
        return values

    def store(self, place: int | None = None) -> None:
        """Note what is on top in the memo, by default in the next place."""
        self.push(value := self.pop())
        self._memo[len(self._memo) if place is None else place] = value

    def fetch(self, place: int) -> None:
        if place not in self._memo:
            raise UnsupportedPickle(f"it recalls {place}, which it never stored")
        self.push(self._memo[place])

    def set_items(self, values: list[Any]) -> None:
        """Put keys and values, one after the other, into the dict on top."""
        found = self.top(dict)
        if len(values) % 2 or not all(isinstance(key, (str, bytes)) for key in values[::2]):
            raise UnsupportedPickle("it has a dict with other keys than text")
        found.update(zip(values[::2], values[1::2], strict=True))

    def make_dict(self) -> None:
        values = self.since_mark()
        self.push({})
        self.set_items(values)

    # What readers know

    def push_name(self, module: Any, name: Any) -> None:
        known = isinstance(module, str) and isinstance(name, str)
        if not known or (module, name) not in self.names:
            words = repr(f"{module} {name}"[:80]) if known else "something"
            raise UnsupportedPickle(f"it names {words}, which is no part of such data")
        self.push(self.names[module, name])

    def reduce(self) -> None:
        function, arguments = self.last(2)
        if not isinstance(arguments, tuple):
            raise UnsupportedPickle("it makes a call without a tuple of arguments")
        self.push(self.call(function, arguments))

    def build(self) -> None:
        target, state = self.last(2)
        self.set_state(target, state)
        self.push(target)


_OPCODES: dict[bytes, Callable[[StackMachine], Any]] = {
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
    b"\x8a": lambda m: m.push(m.long()),
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
    b"\x94": lambda m: m.store(),
    b"g": lambda m: m.fetch(m.whole()),
    b"h": lambda m: m.fetch(m.number("B")),
    b"j": lambda m: m.fetch(m.number("I")),
    b"c": lambda m: m.push_name(m.line(), m.line()),
    b"\x93": lambda m: m.push_name(*m.last(2)),
    b"R": lambda m: m.reduce(),
    b"b": lambda m: m.build(),
    b"Q": lambda m: m.push(m.outside(m.pop())),
}
