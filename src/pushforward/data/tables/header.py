"""Whether the first record of a file holds names: judged by the records below it."""

import re
from collections.abc import Sequence
from itertools import pairwise

from .reading_options import Expected

__all__ = ["blank", "is_names"]

_SAMPLED = 200  # rows and columns that are looked at
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?|\d\d?/\d\d?/\d{2,4}|\d\d?\.\d\d?\.\d{2,4}")
_SIGNS = re.compile(r"[$€£%\s]")


def blank(cell: str) -> bool:
    """Whether a cell is empty or holds blanks only."""
    return not cell.strip()


def is_names(
    first: Sequence[str],
    rows: Sequence[Sequence[str]],
    decimal: str = ".",
    expected: Expected | None = None,
) -> bool:
    """Whether a record names the columns of the rows below it.

    A text above numbers is a name; a number above numbers is a value, unless the numbers of the
    record are rising years, or positions from 0 or 1. In columns of text, a cell that is among
    the values below is a value. Without evidence, the record holds names.

    Args:
        first: the record.
        rows: those below it.
        decimal: the decimal mark.
        expected: what the model that will get the table knows: one of its names settles it.

    >>> is_names(["age", "town"], [["3", "Bern"], ["5", "Rome"]])
    True
    >>> is_names(["3", "Bern"], [["4", "Bern"], ["5", "Rome"]])
    False
    """
    if expected is not None and any(cell in expected.families for cell in first):
        return True
    if expected is not None and expected.unnamed:
        return False
    if not rows:
        return not all(_kind(cell, decimal) in ("number", "date") for cell in first)
    if _row_names(first, rows) or _labels(first, rows, decimal):
        return True
    names = values = matches = misses = 0
    for j, cell in enumerate(first[:_SAMPLED]):
        if blank(cell):
            continue
        below = [row[j] for row in rows[:_SAMPLED] if j < len(row) and not blank(row[j])]
        kinds = [_kind(one, decimal) for one in below]
        if not below:
            continue
        usual = max(("number", "date", "text"), key=kinds.count)
        mine = _kind(cell, decimal)
        if usual != "text" and kinds.count(usual) >= 0.7 * len(kinds):
            if mine == usual:
                values += 1
            elif mine == "text" and any(letter.isalpha() for letter in cell):
                names += 1
        elif usual == "text" and len(set(below)) <= 0.7 * len(below):
            matches += cell in below
            misses += cell not in below
    if names or values:
        return names >= values
    return matches <= misses


def _kind(cell: str, decimal: str) -> str:
    cell = _SIGNS.sub("", cell)
    if _DATE.match(cell):
        return "date"
    try:
        float(cell.replace(",", ".") if decimal == "," else cell.replace(",", ""))
    except ValueError:
        return "text"
    return "text" if cell.strip("+-").lower()[:3] in ("nan", "inf") else "number"


def _labels(first: Sequence[str], rows: Sequence[Sequence[str]], decimal: str) -> bool:
    """Whether the numbers of a record are labels: rising years, or positions from 0 or 1."""
    places = [j for j, cell in enumerate(first) if cell.strip().isdecimal()]
    numbers = [int(first[j].strip()) for j in places]
    others = [cell for cell in first if not cell.strip().isdecimal()]
    if not numbers or any(_kind(cell, decimal) == "number" for cell in others):
        return False
    below = [row[j].strip() for row in rows[:_SAMPLED] for j in places if j < len(row)]
    below = [cell for cell in below if cell]
    whole = [int(cell) for cell in below if cell.isdecimal()]
    steps = {after - before for before, after in pairwise(numbers)}
    years = all(1500 <= n <= 2200 for n in numbers)
    positions = steps <= {1} and numbers[0] <= 1
    if below and not whole and (positions or (years and len(numbers) == 1)):
        return True  # a whole number above fractions
    if years and steps and (min(steps) > 0 or max(steps) < 0):
        return sum(1500 <= n <= 2200 for n in whole) < 0.5 * len(below)
    if not positions or len(numbers) < 3 or len(others) > 1:
        return False
    return len(whole) < len(below) or any(n > numbers[-1] for n in whole)


def _row_names(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether only the first name is missing, above cells that number or name the rows."""
    if len(first) < 2 or not blank(first[0]) or any(map(blank, first[1:])):
        return False
    below = [row[0] for row in rows[:_SAMPLED] if row]
    return len(set(below)) == len(below) > 1 and not any(map(blank, below))
