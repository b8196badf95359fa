"""Networks of images and codes from builders: generators, critics, encoders, plain MLPs."""

from .architectures import ARCHITECTURES, Architecture, find_architecture, halvings
from .autoencoder import Autoencoder
from .characters import CharacterCritic, CharacterGenerator
from .critic import Critic
from .generator import Generator
from .hidden_features import layer_inputs
from .mlp import MLP
from .resnext import ResNeXtBlock, ResNeXtCritic, ResNeXtGenerator

__all__ = [
    "ARCHITECTURES",
    "MLP",
    "Architecture",
    "Autoencoder",
    "CharacterCritic",
    "CharacterGenerator",
    "Critic",
    "Generator",
    "ResNeXtBlock",
    "ResNeXtCritic",
    "ResNeXtGenerator",
    "find_architecture",
    "halvings",
    "layer_inputs",
]
