"""Packages whose names are imported when first used: torch and narwhals take their time."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["lazily"]


def lazily(
    package: str, home: Mapping[str, Iterable[str]], rooms: Iterable[str] = ()
) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package.

    Args:
        package: its ``__name__``.
        home: names by the module of the package that they are in.
        rooms: modules that are names themselves.
    """
    places = {name: module for module, names in home.items() for name in names}

    def __getattr__(name: str) -> Any:
        if name in places:
            return getattr(importlib.import_module(f".{places[name]}", package), name)
        if name in rooms:
            return importlib.import_module(f".{name}", package)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return __getattr__
