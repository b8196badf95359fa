"""Figures and pages of models. They need matplotlib, which is loaded when the first is drawn."""

from .figures import table_figure
from .page import Page, page
from .refinement_page import RefinementPage, refinement_page
from .unlikely_rows import Reason, Strange, strangest_rows

__all__ = [
    "Page",
    "Reason",
    "RefinementPage",
    "Strange",
    "page",
    "refinement_page",
    "strangest_rows",
    "table_figure",
]
