"""Refinement: better samples from any generator, by what a ratio of densities knows.

``refine`` does the whole; the methods are functions on tensors, to be used by themselves.
"""

from .calibration import Calibration, calibrate, calibration_statistic
from .ddls import langevin
from .dgflow import DIVERGENCES, PUBLISHED, dgflow, dgflow_path
from .dot import dot, lipschitz_estimate
from .mh import metropolis_hastings
from .outcome import RefinementReport, Stage
from .ratio import RatioNetwork, fit_ratio
from .refining import RefinedModel, refine
from .rejection import budgeted_acceptance, budgeted_constant, drs_acceptance, drs_gamma
from .resampling import effective_sample_size, importance_weights, resample
from .slopes import frozen, value_and_slope
from .spaces import Prior

__all__ = [
    "DIVERGENCES",
    "PUBLISHED",
    "Calibration",
    "Prior",
    "RatioNetwork",
    "RefinedModel",
    "RefinementReport",
    "Stage",
    "budgeted_acceptance",
    "budgeted_constant",
    "calibrate",
    "calibration_statistic",
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
