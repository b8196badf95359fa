"""Packages whose names are imported when first used: torch and narwhals take their time."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["lazily"]


def lazily(
    package: str, names_by_module: Mapping[str, Iterable[str]], modules: Iterable[str] = ()
) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package.

    Args:
        package: its ``__name__``.
        names_by_module: names by the module of the package that they are in.
        modules: modules that are names themselves.
    """
    places = {name: module for module, names in names_by_module.items() for name in names}

    def __getattr__(name: str) -> Any:
        if name in places:
            # a name that was asked for as an attribute
            return getattr(importlib.import_module(f".{places[name]}", package), name)
        if name in modules:
            return importlib.import_module(f".{name}", package)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return __getattr__
