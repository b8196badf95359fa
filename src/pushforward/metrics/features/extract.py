"""Features of many images: in blocks, cached by content, shared between processes.

A block is what is read, hashed and kept on disk at a time, so that memory does not grow with the
data, an interrupted run goes on where it stopped, and the first 10,000 of 50,000 images are found
again.
"""

import hashlib
import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import torch

from ...devices import find_device
from ...errors import DataError, stacklevel_of_caller
from ...storage.atomic import write_file_atomically
from ...training.processes import Processes
from ...validation import COUNT, check
from .provenance import FeatureExtractor, digest_of
from .sources import as_source
from .users import UserFeatures
from .weights import cache_folder

__all__ = ["extract"]

_BLOCK_ROWS = 1024
_BLOCK_BYTES = 1 << 26
_SAME = 0.05  # of their spread: what rounding to 16 bits may change features by

Report = Callable[[str, float], object]


def extract(
    extractor: FeatureExtractor,
    source: Any,
    *,
    batch_size: int = 64,
    cache: str | os.PathLike | bool | None = None,
    report: Report | None = None,
) -> np.ndarray:
    """Features of every image of a source, at constant memory.

    In several processes (``torchrun``) each computes a share and all get the whole.

    Args:
        extractor: as :func:`~pushforward.metrics.features.find_features` gives.
        source: images as :func:`pushforward.data.as_images` takes them, or rows (n, d).
        batch_size: images that go through the network together.
        cache: folder to keep features in, by the SHA-256 of the images and the digest of the
            extractor; True for the user's cache folder; None keeps nothing. A damaged file in
            it is computed again.
        report: called with what is going on and the share done, 0 to 1.

    Returns:
        (n, d), float32, finite.

    Raises:
        ParameterError: ``batch_size`` is not a positive whole number.
        DataError: There are no images, they are of the wrong kind, or features came out that
            are not finite, or that change with the images beside an image in its batch.

    Example:
        >>> from pushforward.metrics.features import find_features
        >>> images = np.zeros((10, 1, 8, 8), dtype=np.uint8)
        >>> extract(find_features("pixels"), images).shape
        (10, 64)
    """
    check({"batch_size": COUNT}, {"batch_size": batch_size})
    source = as_source(source)
    rows = len(source)
    if not rows:
        raise DataError("There are no images to take features of.")
    folder = _folder(extractor, cache)
    device = find_device()
    processes = Processes()
    step = _block_rows(source)
    starts = range(0, rows, step)
    mine = starts[processes.rank :: processes.count]
    report_share = report if report and processes.first else _quiet
    features: np.ndarray | None = None
    failure: Exception | None = None
    try:
        if isinstance(extractor, UserFeatures):
            _refuse_batch_dependence(extractor, np.asarray(source[: min(batch_size, rows)]))
        for done, start in enumerate(mine):
            report_share(f"features by {extractor.name}", done / len(mine))
            stop = min(start + step, rows)
            block = _cached(extractor, np.asarray(source[start:stop]), batch_size, folder)
            if features is None:
                features = np.zeros((rows, block.shape[1]), dtype=np.float32)
            features[start:stop] = block
    except Exception as error:
        if processes.count == 1:
            raise
        failure = error  # raised below: the others wait for this process
    report_share(f"features by {extractor.name}", 1.0)
    if features is not None and processes.count == 1:
        return features
    return _joined(features, failure, rows, processes, device)


def _quiet(what: str, share: float) -> None:
    pass


def _folder(extractor: FeatureExtractor, cache: str | os.PathLike | bool | None) -> Path | None:
    if cache is None or cache is False or digest_of(extractor) is None:
        return None
    return cache_folder() / "features" if cache is True else Path(cache)


def _block_rows(source: Any) -> int:
    """A power of two, so that blocks of a set and of its beginning are the same."""
    shape = source.shape if not isinstance(source, np.ndarray) else source.shape[1:]
    size = math.prod(shape) * (source.itemsize if isinstance(source, np.ndarray) else 1)
    fits = max(_BLOCK_BYTES // max(size, 1), 1)
    return min(_BLOCK_ROWS, 1 << (fits.bit_length() - 1))


def _cached(
    extractor: FeatureExtractor, images: np.ndarray, batch_size: int, folder: Path | None
) -> np.ndarray:
    if folder is None:
        return _computed(extractor, images, batch_size)
    digest = hashlib.sha256(f"{digest_of(extractor)}|{images.dtype}|{images.shape}|".encode())
    digest.update(np.ascontiguousarray(images).data)
    path = folder / f"{digest.hexdigest()}.safetensors"
    if (found := _read(path, len(images))) is not None:
        return found
    features = _computed(extractor, images, batch_size)
    metadata = {
        "sha256": hashlib.sha256(features.data).hexdigest(),
        "features": extractor.name,
        "preprocessing": extractor.preprocessing,
        "precision": extractor.precision,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_file_atomically(path, safetensors.numpy.save({"features": features}, metadata))
    except OSError as error:
        warnings.warn(
            f"Features are not kept in {folder}: {error.strerror or error}.",
            stacklevel=stacklevel_of_caller(),
        )
    return features


def _read(path: Path, rows: int) -> np.ndarray | None:
    """The features in a file of the cache; None where it is missing or not as it was written."""
    try:
        with safetensors.safe_open(path, "np") as file:
            features, metadata = file.get_tensor("features"), file.metadata()
    except (OSError, ValueError, KeyError, safetensors.SafetensorError):
        return None
    whole = features.ndim == 2 and features.dtype == np.float32 and len(features) == rows
    digest = hashlib.sha256(np.ascontiguousarray(features).data).hexdigest()
    same = metadata is not None and metadata.get("sha256") == digest
    return features if whole and same else None


def _computed(extractor: FeatureExtractor, images: np.ndarray, batch_size: int) -> np.ndarray:
    parts = [extractor(images[i : i + batch_size]) for i in range(0, len(images), batch_size)]
    features = np.ascontiguousarray(np.concatenate(parts), dtype=np.float32)
    if features.ndim != 2 or len(features) != len(images):
        raise DataError(
            f"{extractor.name} gave features of shape {features.shape} for {len(images)} images; "
            f"expected ({len(images)}, d)."
        )
    if not np.isfinite(features).all():
        bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
        raise DataError(
            f"{extractor.name} gave features that are not finite for {len(bad)} of {len(images)} "
            "images. No measure can be made from them: look at these images and at the network."
        )
    return features


def _refuse_batch_dependence(extractor: FeatureExtractor, images: np.ndarray) -> None:
    """Refuse features of an image that depend on the other images of the batch.

    Raises:
        DataError: as they would change with the size of a batch, and so would every measure.
    """
    if len(images) == 1:
        return
    few = min(2, len(images) - 1)
    beside, alone = (np.asarray(extractor(part)) for part in (images, images[:few]))
    if beside.shape[1:] != alone.shape[1:] or not np.isfinite(beside).all():
        return  # whose own errors say more
    spread = beside.std(0).max() or np.abs(beside).max()
    change = np.abs(beside[:few] - alone).max()
    if not change <= _SAME * spread:
        raise DataError(
            f"The features {extractor.name} gives an image change by {change:.3g} (they spread by "
            f"{spread:.3g}) with the images beside it in a batch, or with chance. Expected "
            "features of each image alone: no statistics of the batch, no dropout, no noise."
        )


def _joined(
    features: np.ndarray | None,
    failure: Exception | None,
    rows: int,
    processes: Processes,
    device: torch.device,
) -> np.ndarray:
    """Sum the parts of all processes: each has zeros for the images of others."""
    outcomes = torch.zeros(processes.count, 2, device=device)
    width = 0 if features is None else features.shape[1]
    outcomes[processes.rank] = torch.tensor([failure is not None, width], dtype=torch.float32)
    failed, widths = processes.sum(outcomes).cpu().T
    if failure is not None:
        raise failure
    if failed.any():
        ranks = ", ".join(str(int(r)) for r in failed.nonzero())
        raise DataError(f"Features failed in process {ranks}; its own message says why.")
    if features is None:  # more processes than blocks
        features = np.zeros((rows, int(widths.max())), dtype=np.float32)
    whole = torch.from_numpy(features).to(device)
    return processes.sum(whole).cpu().numpy()
