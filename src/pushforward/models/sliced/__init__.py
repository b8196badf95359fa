"""Models made of slices: GIS, and the automatic model for tables."""

from .auto import AutoDensity, fit
from .gis import GIS
from .sig import SIG
from .table_sig import TableSIG

__all__ = ["GIS", "SIG", "AutoDensity", "TableSIG", "fit"]
