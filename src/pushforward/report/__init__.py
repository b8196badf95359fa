"""Figures of fitted models. They need matplotlib, which is loaded when the first is drawn."""

from .figures import table_figure
from .strange import Reason, Strange, strangest_rows

__all__ = ["Reason", "Strange", "strangest_rows", "table_figure"]
