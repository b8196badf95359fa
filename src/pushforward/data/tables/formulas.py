"""Text that a spreadsheet would take for a formula, in files of text."""

from typing import Any

from ...errors import DataError
from ...wording import setting

__all__ = ["FORMULAS", "without_formulas"]

FORMULAS = ("keep", "escape", "refuse")
_BEGIN = ("=", "+", "-", "@", "\t", "\r")


def without_formulas(frame: Any, how: str) -> Any:
    """A pandas frame whose names and texts no spreadsheet runs as formulas.

    Args:
        frame: the table.
        how: "keep" leaves it as it is, "escape" puts an apostrophe before each that would be one
            (which then is part of the text), "refuse" raises.

    Raises:
        DataError: naming the first, for "refuse".

    >>> import pandas as pd
    >>> without_formulas(pd.DataFrame({"word": ["=1+1", "-5", "a"]}), "escape")["word"].tolist()
    ["'=1+1", '-5', 'a']
    """
    if how == "keep":
        return frame
    texts = [name for name in frame.columns if not _is_of_numbers(frame[name].dtype)]
    frame = frame.assign(**{str(name): frame[name].map(lambda x: _text(x, how)) for name in texts})
    return frame.set_axis([_text(name, how) for name in frame.columns], axis=1)


def _is_of_numbers(dtype: Any) -> bool:
    from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype

    return is_numeric_dtype(dtype) or is_bool_dtype(dtype) or is_datetime64_any_dtype(dtype)


def _text(value: Any, how: str) -> Any:
    if not isinstance(value, str) or not value.startswith(_BEGIN) or _is_number(value):
        return value
    if how == "refuse":
        raise DataError(
            f"The table has {value[:40]!r}, which a spreadsheet takes for a formula. Expected "
            f"none, as {setting('formulas', 'refuse')} says: "
            f"{setting('formulas', 'escape')} puts an apostrophe before it."
        )
    return f"'{value}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
