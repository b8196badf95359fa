"""Invertible maps as plain tensor mathematics; nothing here knows about tables or files."""

from .any_density import Density, density_from_state
from .directions import max_sliced_directions, sliced_distances
from .discrete_chain import DiscreteChain
from .joint_density import JointDensity
from .kernel_splines import gaussianising_splines
from .margins import Margins
from .mixture import GaussianMixture
from .mixture_density import MixtureDensity
from .novelty_score import Novelty
from .rows import Rows
from .sliced_density import Component, SlicedDensity
from .sliced_flow import SlicedFlow, SliceLayer
from .spline import Splines
from .trimmed_density import TrimmedPair

__all__ = [
    "Component",
    "Density",
    "DiscreteChain",
    "GaussianMixture",
    "JointDensity",
    "Margins",
    "MixtureDensity",
    "Novelty",
    "Rows",
    "SliceLayer",
    "SlicedDensity",
    "SlicedFlow",
    "Splines",
    "TrimmedPair",
    "density_from_state",
    "gaussianising_splines",
    "max_sliced_directions",
    "sliced_distances",
]
