"""Columns that say nothing of their rows: identifiers, free text, empty ones."""

import re
from typing import Any

import numpy as np

__all__ = ["LEFT_OUT", "is_identifier", "is_row_number", "names_note", "replacement_cells"]

LEFT_OUT = ("identifier", "text", "empty", "drop")
FEWEST = 20
FEWEST_UNNAMED = 5  # rows that a column without a name numbers
# of the rows, those with a text that no other has: as likely has a new row one that was never seen
# (Good, The population frequencies of species, 1953)
NAMES, SEVERAL_NAMES = 0.75, 0.5
MAX_CATEGORIES = 1000  # levels that have a cell each
NAMED_ID = re.compile(
    r"(^|[^a-z])(id|ids|uuid|guid|key|index|idx|rownames?|row ?(no|num|nr|number)|unnamed: 0)$"
    r"|[a-z][ _.-](no|num)\.?$|[a-z][ _.-]?(nr\.?|number|nummer)$"
    r"|^(id|uuid|guid|x|no|nr|#)$|^id[^a-z]|^unnamed: \d+$",
    re.IGNORECASE,
)
UNNAMED = re.compile(r"^unnamed: \d+$", re.IGNORECASE)
ENDS_IN_ID = re.compile(r"[a-z]I[dD]$|ID$")


def is_row_number(values: np.ndarray, label: str | int) -> str | None:
    """Say why a column of whole numbers, shape (n,), numbers the rows; None if it does not.

    It counts 0, 1, 2, ... or 1, 2, 3, ... through them, or all its values differ and its name is
    that of an identifier.
    """
    if not isinstance(label, str):
        return None
    few = len(values) < FEWEST
    if len(values) < FEWEST_UNNAMED or (few and not UNNAMED.match(label)):
        return None
    low, high = int(values.min()), int(values.max())
    if high - low + 1 < len(values) or len(np.unique(values)) < len(values):
        return None
    if low in (0, 1) and high - low + 1 == len(values):
        return f"numbers the rows from {low}"
    named = NAMED_ID.search(label.strip()) or ENDS_IN_ID.search(label.strip())
    if named and not few:
        return "another whole number in every row, by name an identifier"
    return None


def is_identifier(cells: np.ndarray) -> tuple[str, str] | None:
    """Say what a column of text, shape (n,) and none missing, is if no category.

    It is none where most rows have a text of their own: these are names of the rows, and of new
    rows that many would have others. Of more than 1,000 texts half of the rows have to share
    theirs, and some to be more frequent than others, so that the rarest can share a cell.

    Returns:
        "identifier" or "text", and why; None for a category.
    """
    counts = _counts(cells)
    n, distinct, alone = len(cells), len(counts), int((counts == 1).sum())
    names = n >= FEWEST and alone >= NAMES * n
    if distinct <= MAX_CATEGORIES and not names:
        return None
    if alone <= SEVERAL_NAMES * n and counts[0] > max(1, counts[MAX_CATEGORIES - 1]):
        return None
    some = [str(cell) for cell in cells[:500]]
    words = float(np.mean([len(text.split()) for text in some]))
    why = f"{distinct:,} different texts in {n:,} rows"
    if alone < distinct:
        why += f", {alone:,} of them in one row alone"
    return ("identifier" if names and words < 4 else "text"), why


def names_note(cells: np.ndarray) -> str:
    """What to know of a category, text of shape (n,), of which many texts are in one row alone."""
    counts = _counts(cells)
    n, alone = len(cells), int((counts == 1).sum())
    if n < FEWEST or alone < SEVERAL_NAMES * n:
        return ""
    return (
        f"{alone:,} of its {n:,} texts are in one row alone, and samples repeat them; declare it "
        '"identifier" to leave it out'
    )


def _counts(cells: np.ndarray) -> np.ndarray:
    """Cells (n,) of each different text, in falling order."""
    import pandas as pd

    return pd.Series(cells).value_counts().to_numpy()


def replacement_cells(kind: str, family: str, first: int, n: int) -> np.ndarray:
    """Return the cells of a left-out column in n sampled rows, objects of shape (n,).

    Identifiers are numbered from ``first``, as whole numbers or as "id-1", "id-2", ...; other
    cells are None.
    """
    cells: Any = np.full(n, None, dtype=object)
    if kind == "identifier":
        numbers = range(first, first + n)
        cells[:] = [f"id-{k}" for k in numbers] if family == "text" else list(numbers)
    return cells
