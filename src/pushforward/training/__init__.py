"""The one training loop: phases, averages, checkpoints, several processes."""

from .average import Average
from .batches import Batch, Source, Stream, TensorSource, generator_of
from .captured import cuda_graphs
from .loop import Loop
from .phase import Optimiser, Phase
from .processes import Processes

__all__ = [
    "Average",
    "Batch",
    "Loop",
    "Optimiser",
    "Phase",
    "Processes",
    "Source",
    "Stream",
    "TensorSource",
    "cuda_graphs",
    "generator_of",
]
