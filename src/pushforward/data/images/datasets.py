"""Image sets that can be asked for by name, where they are on this machine; none is downloaded."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from . import celeba, cifar, idx, imagenet, omniglot, stl10, svhn
from .color_mnist import color_mnist
from .cropping import Framing
from .formats import Format
from .image_sources import ArrayImages, ImageSet

__all__ = ["IMAGE_SETS", "KnownImages", "cache_folder", "data_root", "image_sets", "open_known"]

DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist


@dataclass(frozen=True)
class KnownImages:
    """An image set that can be asked for by name.

    Attributes:
        name: what to ask for.
        shape: (C, H, W) of its images as published.
        splits: number of images of each split.
        about: what the images show.
        origin: who made it.
        formats: the published layouts it is read from; none for sets that need no files.
        folders: where it is looked for under the data root, besides a folder of its name.
        balanced: whether every class has the same number of images.
        elsewhere: a folder outside the data root that is looked at as well.
        made: returns the split of a set that is made from another, or carried by scikit-learn.
        made_from: the set that it is made from.
        class_names: the name of class k at place k, where those who published the set name them
            and its files do not.
    """

    name: str
    shape: tuple[int, int, int]
    splits: dict[str, int]
    about: str
    origin: str
    formats: tuple[Format, ...] = ()
    folders: tuple[str, ...] = ()
    balanced: bool = False
    elsewhere: Path | None = None
    made: Callable[[str, Path], ImageSet] | None = None
    made_from: str | None = None
    class_names: tuple[str, ...] | None = None

    def places(self, root: Path) -> list[Path]:
        """Return the folders in which the set is looked for, in order."""
        if self.made_from:
            return IMAGE_SETS[self.made_from].places(root)
        own = [root / self.name, *(root / self.name / folder for folder in self.folders)]
        found = [*own, *(root / folder for folder in self.folders)] if self.formats else []
        return [*found, *([self.elsewhere] if self.elsewhere else [])]

    def found(self, root: str | os.PathLike | None = None) -> tuple[Path, Format] | None:
        """Return where the set is and in which format, or None."""
        formats = IMAGE_SETS[self.made_from].formats if self.made_from else self.formats
        for place in self.places(data_root(root)):
            for kind in formats:
                if kind.splits(place):
                    return place, kind
        return None

    def available(self, root: str | os.PathLike | None = None) -> bool:
        """Return whether the set can be opened on this machine."""
        return (self.made is not None and self.made_from is None) or self.found(root) is not None

    def open(self, split: str | None, framing: Framing, root: Path) -> ImageSet:
        """Open a split, and check that it is what was published."""
        chosen = split or next(iter(self.splits))
        if chosen not in self.splits:
            raise DataError(
                f"{self.name} has no split {split!r}. Expected one of {', '.join(self.splits)}."
            )
        if self.made:
            return self.made(chosen, root)
        found = self.found(root)
        if found is None:
            raise DataError(self._lacking(root))
        place, kind = found
        if chosen not in kind.splits(place):
            raise DataError(
                f"{place} has only {', '.join(kind.splits(place))} of {self.name}, not {chosen}. "
                f"Expected {kind.layout}, as published by {self.origin}."
            )
        opened = kind.read(place, chosen, framing)
        names = opened.class_names or (None if opened.labels is None else self.class_names)
        opened = replace(opened, name=self.name, class_names=names)
        self._check(opened, place, framing)
        return opened

    def _check(self, opened: ImageSet, place: Path, framing: Framing) -> None:
        def refuse(what: str) -> DataError:
            return DataError(
                f"{place} is not {self.name} as it was published: {what}. Mend the folder, or "
                f"open it as it is by its path: open_images({str(place)!r})."
            )

        count = self.splits[opened.split]
        if len(opened) != count:
            raise refuse(f"{opened.split} has {len(opened):,} images and not {count:,}")
        if opened.images.shape != self.shape and not framing.changes:
            raise refuse(f"its images have shape {opened.images.shape} and not {self.shape}")
        if self.balanced and opened.labels is not None:
            counts = np.bincount(opened.labels)
            if counts.min() != counts.max():
                raise refuse(f"its classes have {counts.min():,} to {counts.max():,} images")

    def _lacking(self, root: Path) -> str:
        looked = ", ".join(map(str, self.places(root)))
        layouts = " or ".join(f"{kind.layout} ({kind.name})" for kind in self.formats)
        return (
            f"{self.name} is not on this machine. Looked in {looked}. Expected {layouts}, as "
            f"published by {self.origin}. Nothing is downloaded: put the files there, or name the "
            "folder that holds such folders by root= or the variable PUSHFORWARD_DATA."
        )


def data_root(root: str | os.PathLike | None = None) -> Path:
    """Return the folder that holds image sets.

    That is the argument; else the environment variable PUSHFORWARD_DATA; else ``pushforward/data``
    in the user's cache folder.
    """
    if root is not None:
        return Path(root)
    if folder := os.environ.get("PUSHFORWARD_DATA"):
        return Path(folder)
    return cache_folder() / "data"


def cache_folder() -> Path:
    """Return the user's folder for what can be made or fetched again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pushforward"


def open_known(name: str, split: str | None, framing: Framing, root: Path) -> ImageSet:
    """Open a set by its name.

    Raises:
        DataError: for an unknown name, one that is not on this machine, or other files than were
            published.
    """
    return IMAGE_SETS[name].open(split, framing, root)


def image_sets() -> list[KnownImages]:
    """Return the known image sets, by name.

    >>> [known.name for known in image_sets()][:3]
    ['celeba', 'cifar10', 'cifar100']
    """
    return [IMAGE_SETS[name] for name in sorted(IMAGE_SETS)]


def _digits(split: str, root: Path) -> ImageSet:
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)  # published as counts, 0 to 16
    names = tuple(map(str, bunch.target_names))
    return ImageSet(
        ArrayImages(images, "nhw"), bunch.target.astype(np.int64), names, None, "digits"
    )


def _coloured(kind: str) -> Callable[[str, Path], ImageSet]:
    def make(split: str, root: Path) -> ImageSet:
        grey = open_known("mnist", split, Framing(), root)
        return color_mnist(kind, grey, random_state=list(IMAGE_SETS["mnist"].splits).index(split))

    return make


_CLOTHES = (  # table 2 of Xiao, Rasul and Vollgraf, "Fashion-MNIST", 2017
    *("T-Shirt/Top", "Trouser", "Pullover", "Dress", "Coat", "Sandals", "Shirt", "Sneaker"),
    *("Bag", "Ankle boots"),
)
_HALVES = {"train": 60_000, "test": 10_000}
_CIFAR = {"train": 50_000, "test": 10_000}
_IMAGENET = {"train": 1_281_167, "valid": 50_000}

_KNOWN = (
    KnownImages(
        "celeba", (3, 218, 178), {"train": 162_770, "valid": 19_867, "test": 19_962},
        "faces, aligned, with 40 attributes", "Liu, Luo, Wang and Tang 2015, CUHK",
        (celeba.FOLDER,), ("CelebA",),
    ),
    KnownImages(
        "cifar10", (3, 32, 32), _CIFAR, "photographs of animals and vehicles, 10 classes",
        "Krizhevsky 2009, University of Toronto", (cifar.BINARY, cifar.PYTHON),
        ("cifar-10-batches-bin", "cifar-10-batches-py"), balanced=True,
    ),
    KnownImages(
        "cifar100", (3, 32, 32), _CIFAR, "photographs, 100 classes",
        "Krizhevsky 2009, University of Toronto", (cifar.BINARY, cifar.PYTHON),
        ("cifar-100-binary", "cifar-100-python"), balanced=True,
    ),
    KnownImages(
        "color_mnist", (3, 28, 28), _HALVES, "MNIST's digits, each in a colour",
        "made of MNIST, Metz et al. 2017", made=_coloured("metz"), made_from="mnist",
    ),
    KnownImages(
        "digits", (1, 8, 8), {"all": 1797}, "handwritten digits, 17 greys",
        "Alpaydin and Kaynak 1998, UCI; scikit-learn", made=_digits,
    ),
    KnownImages(
        "fashion_mnist", (1, 28, 28), _HALVES, "clothes and shoes, 10 classes",
        "Xiao, Rasul and Vollgraf 2017, Zalando; Debian's dataset-fashion-mnist", (idx.FOLDER,),
        ("fashion-mnist", "FashionMNIST/raw"), balanced=True, elsewhere=DEBIAN,
        class_names=_CLOTHES,
    ),
    KnownImages(
        "imagenet32", (3, 32, 32), _IMAGENET, "photographs at 32 x 32, 1000 classes",
        "Chrabaszcz, Loshchilov and Hutter 2017, image-net.org", (imagenet.FOLDER,),
        ("Imagenet32_npz",),
    ),
    KnownImages(
        "imagenet64", (3, 64, 64), _IMAGENET, "photographs at 64 x 64, 1000 classes",
        "Chrabaszcz, Loshchilov and Hutter 2017, image-net.org", (imagenet.FOLDER,),
        ("Imagenet64_npz",),
    ),
    KnownImages(
        "kmnist", (1, 28, 28), _HALVES, "handwritten Hiragana, 10 classes",
        "Clanuwat et al. 2018, CODH", (idx.FOLDER,), ("KMNIST/raw",), balanced=True,
    ),
    KnownImages(
        "mnist", (1, 28, 28), _HALVES, "handwritten digits",
        "LeCun, Cortes and Burges 1998", (idx.FOLDER,), ("MNIST/raw",),
    ),
    KnownImages(
        "omniglot", (1, 105, 105), {"train": 19_280, "test": 13_180},
        "handwritten characters of 50 alphabets", "Lake, Salakhutdinov and Tenenbaum 2015",
        (omniglot.FOLDER,), ("omniglot-py",), balanced=True,
    ),
    KnownImages(
        "stacked_mnist", (3, 28, 28), _HALVES, "three digits of MNIST, one a channel: 1000 modes",
        "made of MNIST, Metz et al. 2017", made=_coloured("stacked"), made_from="mnist",
    ),
    KnownImages(
        "stl10", (3, 96, 96), {"train": 5_000, "test": 8_000, "unlabeled": 100_000},
        "photographs at 96 x 96, 10 classes", "Coates, Lee and Ng 2011, Stanford",
        (stl10.FOLDER,), ("stl10_binary",), balanced=True,
    ),
    KnownImages(
        "svhn", (3, 32, 32), {"train": 73_257, "test": 26_032, "extra": 531_131},
        "house numbers, 10 digits", "Netzer et al. 2011, Stanford", (svhn.FOLDER,), ("SVHN",),
    ),
)  # fmt: skip

IMAGE_SETS: dict[str, KnownImages] = {known.name: known for known in _KNOWN}
