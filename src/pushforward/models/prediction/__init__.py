"""Prediction of one column of a table given the others, as whole distributions."""

from .distribution import ClassDistribution, PredictiveDistribution
from .predictor import Predictor

__all__ = ["ClassDistribution", "PredictiveDistribution", "Predictor"]
