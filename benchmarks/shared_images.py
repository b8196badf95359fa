"""The image sets of `shared/data`, read by the library's own readers.

Some lie there as lossless WebP sheets. They are written once in the layouts they were published
in, in a cache folder (`$PUSHFORWARD_CACHE`, else `pushforward-shared-images-UID` in the folder for
temporary files), and read from there.

    python -m benchmarks.shared_images        # write all of them, say what there is

Sheets are a part of what was published: 30,000 of CIFAR-10's 50,000 training images, 5,000 faces.
"""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.common import shared
from pushforward.data import ImageSet, open_images

__all__ = ["SETS", "load"]

CACHE = Path(
    os.environ.get("PUSHFORWARD_CACHE")
    or Path(tempfile.gettempdir()) / f"pushforward-shared-images-{os.getuid()}"
)
SETS = {
    "celeba64": ("train", "valid", "test"),
    "cifar10": ("train", "test"),
    "fashion_mnist": ("train", "test"),
    "mnist": ("train", "test"),
    "omniglot": ("all",),
    "svhn": ("all",),
}


def load(name: str, split: str | None = None) -> ImageSet:
    """Open one of the sets; a split of None is train, or all there is.

    `celeba64` has the 40 attributes, `cifar10` and the idx sets labels.
    """
    return replace(open_images(_place(name), split), name=name)


def _place(name: str) -> str | Path:
    """Return what to open, written first where it is stored as sheets."""
    if name == "fashion_mnist":
        return name
    files = {
        "mnist": ("mnist",),
        "omniglot": ("omniglot", "omniglot_small_28x28.npz"),
        "svhn": ("svhn", "svhn_train_first1083.npz"),
    }
    if name in files:
        return shared("data", *files[name])
    folder, write = {
        "cifar10": ("cifar-10-batches-bin", _write_cifar10),
        "celeba64": ("celeba64", _write_celeba64),
    }[name]
    if not (CACHE / folder).is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as place:
            write(Path(place))
            try:
                os.rename(place, CACHE / folder)
                Path(place).mkdir()  # for the context to clear away
            except OSError:  # another process was first
                if not (CACHE / folder).is_dir():
                    raise
    return CACHE / folder


def _tiles(path: Path, side: int) -> np.ndarray:
    """Cut a sheet into its tiles: uint8 (n, side, side, 3)."""
    from PIL import Image

    with Image.open(path) as image:
        sheet = np.asarray(image.convert("RGB"))
    down, across = sheet.shape[0] // side, sheet.shape[1] // side
    cut = sheet.reshape(down, side, across, side, 3).swapaxes(1, 2)
    return cut.reshape(-1, side, side, 3)


def _write_cifar10(folder: Path) -> None:
    source = shared("data", "cifar10")
    with np.load(source / "labels.npz", allow_pickle=False) as file:
        labels = {"data_batch": file["train"], "test_batch": file["test"]}
        names = [str(name) for name in file["names"]]
    batches = {f"data_batch_{k}": labels["data_batch"][(k - 1) * 10_000 :] for k in (1, 2, 3)}
    for name, classes in (batches | {"test_batch": labels["test_batch"]}).items():
        sheet = source / f"{name}.webp"
        if not sheet.exists():  # of a packed folder, which has as many as travel
            continue
        images = _tiles(sheet, 32).transpose(0, 3, 1, 2)
        images = images.reshape(len(images), -1)
        records = np.hstack([classes[: len(images), None].astype(np.uint8), images])
        records.tofile(folder / f"{name}.bin")
    (folder / "batches.meta.txt").write_text("\n".join(names) + "\n")


def _write_celeba64(folder: Path) -> None:
    """Write faces of 64 x 64 in CelebA's layout, as PNG."""
    from PIL import Image

    source = shared("data", "celeba64")
    (folder / "img_align_celeba").mkdir()
    with np.load(source / "attributes.npz", allow_pickle=False) as file:
        known = {name: file[name] for name in file.files}
    parts, rows = [], []
    for part, split in enumerate(("train", "valid", "test")):
        sheets = sorted(source.glob(f"{split}*.webp"))
        images = np.concatenate([_tiles(sheet, 64) for sheet in sheets])
        attributes = known[f"{split}_attr"][: len(images)]
        for image, number, values in zip(images, known[f"{split}_id"], attributes, strict=False):
            name = f"{number:06d}.png"
            Image.fromarray(image).save(folder / "img_align_celeba" / name, compress_level=1)
            parts.append(f"{name} {part}")
            rows.append(f"{name} {' '.join(map(str, values))}")
    (folder / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    head = [str(len(rows)), " ".join(map(str, known["names"]))]
    (folder / "list_attr_celeba.txt").write_text("\n".join(head + rows) + "\n")


def main() -> None:
    """Write what is not there yet, and say what there is."""
    for name, splits in SETS.items():
        for split in splits:
            print(load(name, split))


if __name__ == "__main__":
    main()
