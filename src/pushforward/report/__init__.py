"""Figures and pages of models. They need matplotlib, which is loaded when the first is drawn."""

from ..deprecation import warn_of_old_name
from .figures import table_figure
from .page import Page, page
from .refinement_page import RefinementPage, refinement_page
from .unlikely_rows import Reason, UnlikelyRow, least_likely_rows

__all__ = [
    "Page",
    "Reason",
    "RefinementPage",
    "UnlikelyRow",
    "least_likely_rows",
    "page",
    "refinement_page",
    "table_figure",
]

_OLD_NAMES = {
    "Strange": ("UnlikelyRow", UnlikelyRow),
    "strangest_rows": ("least_likely_rows", least_likely_rows),
}


def __getattr__(name: str) -> object:
    if name not in _OLD_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    new, value = _OLD_NAMES[name]
    warn_of_old_name(name, new)
    return value
