"""Refinement: better samples from any generator, by what a ratio of densities knows.

``refine`` does the whole; the methods are functions on tensors, to be used by themselves.
"""

from .calibration import Calibration, calibrate, calibration_statistic
from .collapsing import Look, collapse
from .comparing import Compared, compare_methods
from .ddls import langevin
from .dgflow import DIVERGENCES, PUBLISHED, dgflow, dgflow_path
from .dot import dot, lipschitz_estimate
from .mh import metropolis_hastings
from .outcome import RefinementReport, Stage
from .prior import Prior
from .ratio import ImageRatio, LineRatio, RatioNetwork, fit_ratio
from .refined_model import RefinedModel
from .refining import refine
from .rejection import budgeted_acceptance, budgeted_constant, drs_acceptance, drs_gamma
from .resampling import effective_sample_size, importance_weights, resample
from .slopes import frozen, value_and_slope

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
