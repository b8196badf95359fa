"""Lines of text: how they are read, and as which numbers models see their characters."""

import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ...errors import DataError, ModelFileError
from ..files import open_bytes

__all__ = ["Alphabet", "as_lines", "open_text"]

_PADDING, _UNKNOWN, _FIRST = 0, 1, 2  # numbers that are no character of the text
_REPLACEMENT = "\ufffd"


def open_text(path: str | os.PathLike, *, blank: bool = False) -> list[str]:
    """Read the lines of a text file, without those that are blank.

    Args:
        path: of a file in UTF-8, a sentence a line; gzipped if its name ends in ``.gz``.
        blank: take blank lines too: of samples they are samples.

    Raises:
        DataError: for a file that is not there, is no text in UTF-8 or has no lines.

    Examples:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        ...     _ = file.write("One .\\n\\nTwo .\\n")
        ...     file.flush()
        ...     open_text(file.name)
        ['One .', 'Two .']
    """
    path = Path(path)
    try:
        with io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig") as file:
            lines = [raw.rstrip("\r\n") for raw in file if blank or raw.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}. Expected text in UTF-8.") from error
    if not lines:
        raise DataError(f"{path} has no lines. Expected a sentence on each.")
    return lines


@runtime_checkable
class _Array(Protocol):
    """An array or series of numpy, pandas or pyarrow."""

    def tolist(self) -> Any: ...


def as_lines(X: Any) -> list[str]:
    """Lines of whatever a user gives for text: the path of a file, or a sequence of str.

    Raises:
        DataError: for anything else, and for no lines at all.
    """
    if isinstance(X, (str, os.PathLike)):
        return open_text(X)
    lines = X.tolist() if isinstance(X, _Array) else X
    if not isinstance(lines, Sequence) or not all(isinstance(line, str) for line in lines):
        raise DataError(
            f"X is a {type(X).__name__}. Expected lines of text, a list of str, or the path of a "
            "file with one a line."
        )
    if not lines:
        raise DataError("X has no lines. Expected some.")
    return list(lines)


@dataclass(frozen=True)
class Alphabet:
    """Which characters a model knows, and how long its lines are.

    A line becomes ``length`` numbers: longer ones are cut, shorter ones padded. The numbers are 0
    for padding, 1 for any character that is not known, and from 2 on the known ones. What models
    see is a corner for each: 1 at the place of its number, 0 elsewhere. This is the
    :class:`~pushforward.data.Codec` of text.

    Attributes:
        characters: the known ones, most common first.
        length: of a line.

    Examples:
        >>> known = Alphabet.learn(["abba", "abc"], length=3, size=2)
        >>> known.numbers(["ab", "cab!"])
        array([[3, 2, 0],
               [1, 3, 2]])
        >>> known.lines(known.numbers(["ab", "cab!"]))
        ['ab', '\ufffdab']
        >>> z, _ = known.encode(["ab", "cab!"])
        >>> tuple(z.shape), known.decode(z)
        ((2, 3, 4), ['ab', '\ufffdab'])
    """

    characters: str
    length: int

    @classmethod
    def learn(cls, lines: Sequence[str], length: int, size: int) -> "Alphabet":
        """The ``size`` most common characters of lines; of equally common ones the first in order.

        Args:
            lines: of text; only their first ``length`` characters count.
            length: of a line as models see it.
            size: characters to know at most.
        """
        counts = Counter("".join(line[:length] for line in lines))
        order = sorted(counts, key=lambda one: (-counts[one], one))
        return cls("".join(order[:size]), length)

    @property
    def n_symbols(self) -> int:
        """How many different numbers there are, those for padding and the unknown among them."""
        return len(self.characters) + _FIRST

    @property
    def kind(self) -> str:
        """What the data are: "text"."""
        return "text"

    @property
    def event_shape(self) -> tuple[int, int]:
        """Shape of what models see of a line: (length, n_symbols)."""
        return self.length, self.n_symbols

    def open(self, X: Any) -> list[str]:
        """Lines of whatever a user gives for text, as :func:`as_lines` takes it."""
        return as_lines(X)

    def take(self, X: Sequence[str], rows: np.ndarray) -> list[str]:
        """The lines where the boolean mask (n,) is set."""
        return [X[i] for i in np.flatnonzero(rows).tolist()]

    def encode(self, X: Sequence[str], draw: Any = 0) -> tuple[Tensor, Tensor]:
        """Lines as corners.

        Args:
            X: lines.
            draw: not used: characters need no noise.

        Returns:
            ``(z, log_det)``: float32 of shape (n, length, n_symbols), and zeros (n,).
        """
        z = one_hot(torch.from_numpy(self.numbers(X)), self.n_symbols).float()
        return z, torch.zeros(len(z), dtype=torch.float64)

    def decode(self, z: Tensor) -> list[str]:
        """Shares of characters (n, length, n_symbols) as lines of the likeliest ones."""
        return self.lines(z.argmax(2).cpu().numpy())

    def quantise(self, z: Tensor) -> Tensor:
        """Shares of characters (n, length, n_symbols) as corners: all of the likeliest one."""
        return one_hot(z.argmax(dim=-1), self.n_symbols).to(z)

    def numbers(self, lines: Sequence[str]) -> np.ndarray:
        """Lines as numbers, int64 (n, length)."""
        numbers = {one: _FIRST + i for i, one in enumerate(self.characters)}
        encoded = np.full((len(lines), self.length), _PADDING)
        for row, line in zip(encoded, lines, strict=True):
            known = [numbers.get(one, _UNKNOWN) for one in line[: self.length]]
            row[: len(known)] = known
        return encoded

    def lines(self, numbers: np.ndarray) -> list[str]:
        """Numbers (n, length) as lines, which end at their first padding.

        Unknown characters become the replacement character, U+FFFD.
        """
        symbols = np.array(["\0", _REPLACEMENT, *self.characters], dtype=object)
        return ["".join(row).partition("\0")[0] for row in symbols[numbers]]

    def to_config(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {"characters": self.characters, "length": self.length}

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> "Alphabet":
        """What :meth:`to_config` described.

        Raises:
            ModelFileError: for a wrong entry.
        """
        characters, length = values["characters"], values["length"]
        good = isinstance(characters, str) and len(set(characters)) == len(characters)
        if not good or not isinstance(length, int) or not 1 <= length <= 100_000:
            raise ModelFileError("The alphabet is not one: the folder was altered.")
        return cls(characters, length)
