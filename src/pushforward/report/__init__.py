"""Figures and pages of models. They need matplotlib, which is loaded when the first is drawn."""

from typing import TYPE_CHECKING

from .._lazy import lazily
from ..deprecation import warn_of_old_name

if TYPE_CHECKING:
    from .figures import table_figure
    from .models_page import Page, page
    from .refined_page import RefinementPage, refinement_page
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

# no module may be called like a name of it: the import of one would hide the other
_HOME = {
    "figures": ("table_figure",),
    "models_page": ("Page", "page"),
    "refined_page": ("RefinementPage", "refinement_page"),
    "unlikely_rows": ("Reason", "UnlikelyRow", "least_likely_rows"),
}

_OLD_NAMES = {"Strange": "UnlikelyRow", "strangest_rows": "least_likely_rows"}

_new_name = lazily(__name__, _HOME)


def __getattr__(name: str) -> object:
    if name in _OLD_NAMES:
        warn_of_old_name(name, _OLD_NAMES[name])
    return _new_name(_OLD_NAMES.get(name, name))
