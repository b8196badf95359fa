"""Models made of slices: GIS, and the automatic model for tables."""

from .auto import AutoDensity, fit
from .gis import GIS

__all__ = ["GIS", "AutoDensity", "fit"]
