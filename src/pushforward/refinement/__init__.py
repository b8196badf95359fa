"""Refinement: better samples from any generator, by the density ratio of data to samples.

``refine`` does the whole; the methods are functions on tensors, to be used by themselves.
"""

from ..deprecation import warn_of_old_name
from ..estimators.prior import Prior
from .calibration import Calibration, calibrate, calibration_statistic
from .comparison import Compared, compare_methods
from .logit_gradients import frozen, value_and_gradient
from .over_optimisation import StepResult, collapse
from .ratio_network import ImageRatio, LineRatio, RatioNetwork, fit_ratio
from .refine import refine
from .refined_model import RefinedModel
from .report import RefinementReport, Stage
from .samplers.ddls import langevin
from .samplers.dgflow import DIVERGENCES, PUBLISHED, dgflow, dgflow_path
from .samplers.dot import dot, lipschitz_estimate
from .samplers.mh import metropolis_hastings
from .samplers.rejection import budgeted_acceptance, budgeted_constant, drs_acceptance, drs_gamma
from .samplers.resampling import effective_sample_size, importance_weights, resample

__all__ = [
    "DIVERGENCES",
    "PUBLISHED",
    "Calibration",
    "Compared",
    "ImageRatio",
    "LineRatio",
    "Prior",
    "RatioNetwork",
    "RefinedModel",
    "RefinementReport",
    "Stage",
    "StepResult",
    "budgeted_acceptance",
    "budgeted_constant",
    "calibrate",
    "calibration_statistic",
    "collapse",
    "compare_methods",
    "dgflow",
    "dgflow_path",
    "dot",
    "drs_acceptance",
    "drs_gamma",
    "effective_sample_size",
    "fit_ratio",
    "frozen",
    "importance_weights",
    "langevin",
    "lipschitz_estimate",
    "metropolis_hastings",
    "refine",
    "resample",
    "value_and_gradient",
]

_OLD_NAMES = {
    "Look": ("StepResult", StepResult),
    "value_and_slope": ("value_and_gradient", value_and_gradient),
}


def __getattr__(name: str) -> object:
    if name not in _OLD_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    new, value = _OLD_NAMES[name]
    warn_of_old_name(name, new)
    return value
