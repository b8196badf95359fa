"""Networks of images and codes from builders: generators, critics, encoders, plain MLPs."""

from .architecture import ARCHITECTURES, Architecture, find_architecture, halvings
from .critic import Critic
from .generator import Generator
from .mlp import MLP

__all__ = [
    "ARCHITECTURES",
    "MLP",
    "Architecture",
    "Critic",
    "Generator",
    "find_architecture",
    "halvings",
]
