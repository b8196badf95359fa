"""Models made of slices: GIS, and the automatic model for tables."""

from .auto import AutoDensity, fit
from .gis import GIS
from .sig import SIG

__all__ = ["GIS", "SIG", "AutoDensity", "fit"]
