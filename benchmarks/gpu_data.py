"""Data of the stages on a GPU, and the files that they leave."""

from typing import Any

import numpy as np

from benchmarks.shared_images import load

MOST = 15 * 2**20  # bytes of a file that is to come back from another machine


def images_of(name: str, split: str, tiny: bool) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, H, W, C) or (n, H, W) and labels of a set; patterns in a dry run."""
    if tiny:
        n = 48 if split == "train" else 240  # by which a refinement is judged
        return patterns(n, 16, 3) if name == "cifar10" else patterns(n, 8, 1)
    found = load(name, split)
    images = np.asarray(found.images[:])
    images = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.asarray(found.labels)


def patterns(n: int, side: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Waves of four kinds under noise, and their kinds."""
    rng = np.random.default_rng(0)
    kind = np.arange(n) % 4
    wave = 30 * np.sin(np.arange(side)[None, :, None, None] / 3 + kind[:, None, None, None])
    level = rng.uniform(40, 200, (4, 1, 1, channels))[kind]
    made = level + wave + rng.normal(0, 12, (n, side, side, channels))
    made = made.clip(0, 255).astype(np.uint8)
    return (made[..., 0] if channels == 1 else made), kind


def artefact(context: Any, what: str, images: np.ndarray) -> None:
    """Write images beside the results, as many as a file that travels may have."""
    path = context.results / f"{context.name}_{what}.npz"
    np.savez_compressed(path, images=images)
    while path.stat().st_size > MOST:
        images = images[: int(0.9 * len(images))]
        np.savez_compressed(path, images=images)
