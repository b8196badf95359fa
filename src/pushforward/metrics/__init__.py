"""Measures of generative models: figures with their uncertainty, on arrays you bring.

>>> import numpy as np
>>> from pushforward.metrics import fid
>>> rng = np.random.default_rng(0)
>>> print(fid(rng.normal(size=(500, 4)), rng.normal(size=(500, 4)) + 1).name)
fid
"""

from ..deprecation import warn_of_old_name
from .dependence import broken_dependence
from .evaluate import compare, evaluate
from .frechet import fid, frechet_distance, frechet_influence
from .inception_score import inception_score
from .independent_critic import independent_critic
from .kid import kid
from .likelihood import bits_per_dimension, nats_per_row
from .limitations import LIMITATIONS, limitation_of
from .measure import Measure
from .mmd import mmd
from .modes import class_modes, grid_of_gaussians, modes, swiss_roll_curve
from .moments import Moments
from .ms_ssim import ms_ssim, ms_ssim_diversity
from .ngrams import ngram_divergence
from .out_of_distribution import auroc, average_precision, fpr_at_95, input_complexity, typicality
from .prdc import prdc
from .privacy import nearest_neighbour_privacy
from .results import Comparison, Evaluation
from .sweep import Run, Sweep, sweep
from .tabular import column_fidelity, pair_fidelity, train_on_synthetic
from .two_sample import classifier_two_sample
from .wasserstein import (
    max_sliced_wasserstein,
    sliced_wasserstein,
    wasserstein,
    wasserstein_1d,
)

__all__ = [
    "LIMITATIONS",
    "Comparison",
    "Evaluation",
    "Measure",
    "Moments",
    "Run",
    "Sweep",
    "auroc",
    "average_precision",
    "bits_per_dimension",
    "broken_dependence",
    "class_modes",
    "classifier_two_sample",
    "column_fidelity",
    "compare",
    "evaluate",
    "fid",
    "fpr_at_95",
    "frechet_distance",
    "frechet_influence",
    "grid_of_gaussians",
    "inception_score",
    "independent_critic",
    "input_complexity",
    "kid",
    "limitation_of",
    "max_sliced_wasserstein",
    "mmd",
    "modes",
    "ms_ssim",
    "ms_ssim_diversity",
    "nats_per_row",
    "nearest_neighbour_privacy",
    "ngram_divergence",
    "pair_fidelity",
    "prdc",
    "sliced_wasserstein",
    "sweep",
    "swiss_roll_curve",
    "train_on_synthetic",
    "typicality",
    "wasserstein",
    "wasserstein_1d",
]

_OLD_NAMES = {
    "BLIND_TO": ("LIMITATIONS", LIMITATIONS),
    "blind_to": ("limitation_of", limitation_of),
}


def __getattr__(name: str) -> object:
    if name not in _OLD_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    new, value = _OLD_NAMES[name]
    warn_of_old_name(name, new)
    return value
