"""Refinement: better samples from any generator, by what a ratio of densities knows.

``refine`` does the whole; the methods are functions on tensors, to be used by themselves.
"""

from ..estimators.prior import Prior
from .calibration import Calibration, calibrate, calibration_statistic
from .comparison import Compared, compare_methods
from .logit_gradients import frozen, value_and_slope
from .over_optimisation import Look, collapse
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
    "Look",
    "Prior",
    "RatioNetwork",
    "RefinedModel",
    "RefinementReport",
    "Stage",
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
    "value_and_slope",
]
