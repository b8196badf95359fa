"""Checks of JSON values that a model folder holds: what no version of it has is refused."""

import math
from itertools import pairwise
from typing import Any

from ...errors import ModelFileError

__all__ = ["CELL", "check_entry", "expect", "fields_of", "rising"]

#: Types of the values of a cell.
CELL = (str, int, float, bool)


def expect(fine: bool, where: str, value: object) -> None:
    """Refuse a value that no version writes.

    Raises:
        ModelFileError: where it is not fine, naming the place and the value.
    """
    if not fine:
        raise ModelFileError(
            f"The data description has {value!r} in {where}, which no version of it has. The "
            "model folder is damaged or was altered: fit the model again or fetch a fresh copy."
        )


def check_entry(entry: Any, schema: dict[str, Any], where: str) -> None:
    """Check that a dict has exactly the keys of a schema, with values of their types.

    Raises:
        ModelFileError: naming the key that is unknown, missing or wrong.
    """
    expect(isinstance(entry, dict), where, entry)
    unknown, missing = sorted(map(str, set(entry) - set(schema))), sorted(set(schema) - set(entry))
    if unknown or missing:
        raise ModelFileError(
            f"The data description has unknown entries {unknown} and lacks {missing} in {where}. "
            f"Expected {sorted(schema)}: the folder was altered or is from another version."
        )
    for key, types in schema.items():
        value = entry[key]
        types = types if isinstance(types, tuple) else (types,)
        # bool is an int to Python, and it is never meant where a number is.
        fine = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        expect(fine, f"{where}.{key}", value)
        if isinstance(value, float):
            expect(math.isfinite(value), f"{where}.{key}", value)


def rising(values: list, types: tuple[type, ...] = (float,)) -> bool:
    """Whether these are finite numbers of some types, each larger than that before."""
    numbers = all(type(value) in types and math.isfinite(value) for value in values)
    return numbers and all(a < b for a, b in pairwise(values))


def fields_of(part: Any, schema: dict[str, Any]) -> dict[str, Any] | None:
    """The attributes of a part of a column that a schema names; None for no part."""
    if part is None:
        return None
    values = {key: vars(part)[key] for key in schema}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
