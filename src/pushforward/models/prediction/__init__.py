"""Prediction of one column of a table given the others, as whole distributions."""

from .predictor import Predictor

__all__ = ["Predictor"]
