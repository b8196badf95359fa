"""The protocol of feature extractors, and the provenance that every score records."""

from typing import Any, Protocol, runtime_checkable

import numpy as np

__all__ = ["ClassProbabilities", "FeatureExtractor", "digest_of", "provenance"]


@runtime_checkable
class FeatureExtractor(Protocol):
    """Images in, one row of numbers an image out.

    An extractor with a classifier head also has ``probabilities(images) -> (n, k)``. One that
    has a ``digest`` (a string that names its weights and settings) has its features cached.

    Attributes:
        name: the network and, where weights are learned, on what; printed beside every score.
        preprocessing: what happens to an image before the network sees it.
        precision: the floating-point type it computes in.
        dimension: numbers an image, d; 0 while not known.
    """

    name: str
    preprocessing: str
    precision: str

    @property
    def dimension(self) -> int:
        """Numbers an image, d; 0 while not known."""
        ...

    def __call__(self, images: np.ndarray, /) -> np.ndarray:
        """Features (n, d), float32, of images (n, C, H, W), uint8."""
        ...


@runtime_checkable
class ClassProbabilities(Protocol):
    """A feature extractor with a classifier head."""

    def probabilities(self, images: np.ndarray, /) -> np.ndarray:
        """Class probabilities (n, k), float32, of uint8 images (n, C, H, W)."""
        ...


@runtime_checkable
class _HasDigest(Protocol):
    """A feature extractor whose weights and settings have a name."""

    digest: str | None


def digest_of(extractor: Any) -> str | None:
    """The key of an extractor in a cache: the same digest means the same features.

    None where it has no ``digest``, so that its features are computed anew each time.
    """
    digest = _own_digest(extractor)
    return None if digest is None else f"{extractor.name}|{extractor.preprocessing}|{digest}"


def _own_digest(extractor: Any) -> str | None:
    return extractor.digest if isinstance(extractor, _HasDigest) else None


def provenance(extractor: FeatureExtractor, **counts: int) -> dict[str, Any]:
    """The details of a score on the features it was computed from.

    Args:
        extractor: what made the features.
        counts: sample counts, as ``n_real=10_000, n_generated=5_000``.

    Returns:
        JSON values: ``features``, ``preprocessing``, ``precision``, ``dimension``, the first
        twelve digits of the extractor's digest where it has one, and the counts.

    Example:
        >>> from pushforward.metrics.features import find_features
        >>> provenance(find_features("pixels"), n_real=100)["features"]
        'pixels'
    """
    digest = _own_digest(extractor)
    facts = {
        "features": extractor.name,
        "preprocessing": extractor.preprocessing,
        "precision": extractor.precision,
        "dimension": extractor.dimension,
    }
    return facts | ({"features_digest": digest[:12]} if digest else {}) | counts
