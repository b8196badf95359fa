"""Advice in errors: worded for Python or for the command; and names that were probably meant."""

import difflib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["did_you_mean", "near_file", "nearest", "setting", "worded", "wording"]

_LISTED = 10_000  # names of a folder that are looked at

# How the command writes a parameter by its name; None outside it. A process is one or the other.
_written: Callable[[str, str | None], str] | None = None


@contextmanager
def wording(written: Callable[[str, str | None], str]) -> Iterator[None]:
    """Inside, advice is worded for the command.

    Args:
        written: how the command gives the parameter of a name a value, such as
            ``--missing drop``, and how it is called, where the value is None.
    """
    global _written
    before, _written = _written, written
    try:
        yield
    finally:
        _written = before


def worded(python: str, command: str) -> str:
    """The first text, or in the command the second.

    >>> worded("Call fit first.", "Fit it first: pushforward fit.")
    'Call fit first.'
    """
    return python if _written is None else command


def setting(name: str, *value: Any) -> str:
    """A parameter as the user writes it, with a value or without.

    >>> setting("missing", "drop")
    "missing='drop'"
    >>> with wording(lambda name, value: f"--{name} {value}"):
    ...     setting("missing", "drop")
    '--missing drop'
    """
    if _written is None:
        return "=".join([name, *map(repr, value)])
    return _written(name, str(value[0]) if value else None)


def nearest(name: Any, known: Iterable[Any]) -> Any:
    """The known name that was probably meant, or None.

    Capitals, blanks and marks do not count; a name that only one of the known ones holds is near.

    >>> nearest("Sex", ["sex", "age"]), nearest("bill", ["total_bill", "tip"]), nearest("a", "xyz")
    ('sex', 'total_bill', None)
    """
    plain: dict[str, Any] = {}
    for one in known:
        plain.setdefault(_plain(one), one)
    asked = _plain(name)
    found = difflib.get_close_matches(asked, plain, n=1)
    if not found and len(asked) > 2:
        holding = [one for one in plain if asked in one]
        found = holding if len(holding) == 1 else []
    return plain[found[0]] if found else None


def did_you_mean(name: Any, known: Iterable[Any]) -> str:
    """A hint to put behind a name that is not known, empty where none is near.

    >>> did_you_mean("Sex", ["sex", "age"])
    " (did you mean 'sex'?)"
    """
    found = nearest(name, known)
    return "" if found is None else f" (did you mean {found!r}?)"


def near_file(path: str | os.PathLike[str], has: str = "") -> str:
    """A hint at a neighbour of a file or folder that is not there, empty where none is near.

    Args:
        path: that was named.
        has: a file that neighbours have to hold, so that they are folders of a kind.
    """
    place = Path(path)
    folder = place.parent
    if not folder.is_dir():
        there = next(one for one in (*folder.parents, folder) if one.is_dir() or one == folder)
        return f" (there is no folder {str(folder)!r})" if there != folder else ""
    try:
        names = [entry.name for entry, _ in zip(os.scandir(folder), range(_LISTED), strict=False)]
    except OSError:
        return ""
    shown = [name for name in names if not name.startswith(".")]
    found = nearest(place.name, [x for x in shown if not has or (folder / x / has).is_file()])
    return "" if found is None else f" (did you mean {str(folder / found)!r}?)"


def _plain(name: Any) -> str:
    """A name without capitals and marks; what has nothing else, as it is."""
    text = str(name).casefold()
    return "".join(one for one in text if one.isalnum()) or text
