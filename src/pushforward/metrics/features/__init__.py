"""Features: the numbers that measures of images compare, each with its name and provenance."""

from .classifier import ClassifierFeatures
from .extract import extract
from .find import FEATURES, find_features
from .inception import InceptionFeatures
from .pca import PCAFeatures
from .pixels import PixelFeatures
from .provenance import FeatureExtractor, provenance
from .users import UserFeatures

__all__ = [
    "FEATURES",
    "ClassifierFeatures",
    "FeatureExtractor",
    "InceptionFeatures",
    "PCAFeatures",
    "PixelFeatures",
    "UserFeatures",
    "extract",
    "find_features",
    "provenance",
]
