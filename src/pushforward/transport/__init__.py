"""Invertible maps as plain tensor mathematics; nothing here knows about tables or files."""

from .density import Component, SlicedDensity
from .directions import max_sliced_directions, sliced_distances
from .margins import Margins
from .mixture import GaussianMixture
from .novelty import Novelty
from .rows import Rows
from .sliced_flow import SlicedFlow, SliceLayer
from .smooth import gaussianising_splines
from .spline import Splines
from .trimmed import TrimmedPair

__all__ = [
    "Component",
    "GaussianMixture",
    "Margins",
    "Novelty",
    "Rows",
    "SliceLayer",
    "SlicedDensity",
    "SlicedFlow",
    "Splines",
    "TrimmedPair",
    "gaussianising_splines",
    "max_sliced_directions",
    "sliced_distances",
]
