"""The base class of models of images: reading images and labels, chunks, pictures."""

import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from ..data.images import (
    ImageSet,
    ImageSource,
    Pixels,
    as_image_set,
    as_images,
    digest_of,
    labels_by_name,
    need_pillow,
    numbered,
    places_of,
    refuse_gaps,
    write_grid,
)
from ..data.images.image_files import MOST_PIXELS
from ..devices import sizes_of
from ..errors import DataError, ModelFileError
from ..storage.checkpoint import digest
from ..wording import setting, worded
from .trained_model import Report, TrainedModel

__all__ = ["GivenImages", "ImageModel", "Report"]

GRID = 64  # samples in a picture on the way
_MOST_NUMBERS = 2**31  # of one image in one layer: 8 GiB; 2,048 x 2,048 pixels of 512 channels


def _are_classes(values: Any) -> bool:
    """Whether JSON values are the classes of a fit: distinct whole numbers in rising order."""
    if not isinstance(values, list) or not values:
        return False
    whole = all(isinstance(one, int) and abs(one) < 2**63 for one in values)
    return whole and all(low < high for low, high in pairwise(values))


@dataclass(frozen=True)
class GivenImages:
    """What ``fit`` was given.

    Attributes:
        images: all of them.
        labels: (n,) class numbers, or None.
        held: how many of them are held out.
        validation: images to judge by instead, or None.
    """

    images: ImageSource
    labels: np.ndarray | None
    held: int
    validation: Any


class ImageModel(TrainedModel):
    """A generative model of uint8 images.

    Subclasses give networks (:meth:`_build`), how they are fitted (:meth:`_train`) and how images
    come out (:meth:`_make`); this class knows what images are, :class:`TrainedModel` the rest.

    Attributes:
        networks_: the trained networks by name.
        pixels_: what pixels are.
        settings_: every setting, with what the presets decided.
        classes_: labels seen, in the order of class numbers; None where there were none.
        class_names_: the name of each, or None; a label may be given by it wherever labels are.
        history_: records of the training, one a line of ``log.jsonl``.
        best_: step and measures of the weights that are kept.
        stopped_: why training ended.
    """

    pixels_: Pixels
    classes_: np.ndarray | None
    class_names_: tuple[str, ...] | None
    conditional: bool = False  # whether labels are learned; a parameter of models that can

    # What a model says of itself

    def _resolve(self, shape: tuple[int, int, int], n: int) -> dict[str, Any]:
        """Every setting as JSON values, for images (C, H, W) of which there are n.

        Has at least ``pixels``, the arguments of :class:`Pixels`; where they are trained by
        phases also ``batch_size``, ``steps``, ``minutes``, ``ema`` and ``precision``.
        """
        raise NotImplementedError

    def _build(self, shape: tuple[int, int, int], classes: int | None) -> dict[str, nn.Module]:
        """Networks with initial weights; a function of settings and seed."""
        raise NotImplementedError

    # Training

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        validation: Any = None,
        layout: str | None = None,
        pixel_range: tuple[float, float] | None = None,
        folder: str | Path | None = None,
        tensorboard: bool = False,
        report: Report | None = None,
    ) -> Self:
        """Fit to images.

        Args:
            X: uint8 images (N, H, W), (N, H, W, C) or (N, C, H, W), or what ``open_images``
                returns or takes; labels that come with it are used where ``y`` is None.
            y: (N,) labels, numbers or names, for conditional models; others do not look at them.
            validation: images to judge by; None holds out a share of X. The weights that are best
                on them are kept, where weights are trained by gradient. Its classes are matched by
                name where both have names.
            layout: "NHWC" or "NCHW", where the shape of X leaves it open.
            pixel_range: the values (low, high) of black and white of an X that is no bytes, such
                as (0, 1) or (-1, 1). Later images that are no bytes are taken on that scale.
            folder: where unfinished work, logs (``log.jsonl``, ``log.csv``) and pictures of
                samples go. A fit that is there already, of the same data, parameters and seed, is
                resumed.
            tensorboard: also log for TensorBoard, into the folder.
            report: called with a line of text and the share of the budget used.

        Returns:
            The fitted model itself.

        Raises:
            DataError: for images or labels that cannot be used, and for those unlike the ones
                of the fit before with ``warm_start``.
            ParameterError: for unusable parameters, and a folder with a run of something else.
            TrainingError: if a loss, a gradient or what a layer makes is not finite. The model
                then holds the best weights, or the layers, before it.
        """
        return self._fit_rows(
            *(X, y, validation, folder, tensorboard, report),
            layout=layout,
            pixel_range=pixel_range,
        )

    def _check_fit(self, folder: str | Path | None, tensorboard: bool) -> None:
        super()._check_fit(folder, tensorboard)
        if folder is not None:
            need_pillow()  # by pictures of samples: missed at the end, all would be lost

    def _read(
        self,
        X: Any,
        y: Any,
        validation: Any,
        *,
        layout: str | None = None,
        pixel_range: Any = None,
    ) -> GivenImages:
        found, layout = as_image_set(X, layout, pixel_range=pixel_range)
        n, shape = len(found.images), found.images.shape
        if n < 2:
            raise DataError(
                f"X is {n} image of {' x '.join(map(str, shape[1:]))}. Expected two at least, and "
                "hundreds to learn from: a folder of images, or a file that holds many."
            )
        held = 0 if validation is not None else self._held_out_rows(n)
        labels = self._labels(found, y)
        self.settings_ = self._resolve(shape, n - held)
        if pixel_range is not None:
            self.settings_["pixel_range"] = [float(end) for end in pixel_range]
        self.pixels_ = Pixels(shape=shape, layout=layout, **self.settings_["pixels"])
        return GivenImages(found.images, labels, held, validation)

    def _held_out(
        self, data: GivenImages
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray | None] | None]:
        """Indices of the rows to fit on, shuffled by the seed, and the validation images."""
        rows = np.random.default_rng(self._seed).permutation(len(data.images))
        return rows[data.held :], self._validation_images(data, np.sort(rows[: data.held]))

    def _begin(self) -> dict[str, nn.Module]:
        return self._build(
            self.pixels_.shape, None if self.classes_ is None else len(self.classes_)
        )

    def _labels(self, found: ImageSet, y: Any) -> np.ndarray | None:
        """Class numbers of the images, for models that use them; sets the classes."""
        self.classes_ = self.class_names_ = None
        if not self.conditional:
            return None
        n = len(found.images)
        own = y is None or (found.labels is not None and np.array_equal(y, found.labels))
        given, names = (found.labels, found.class_names) if own else (np.asarray(y), None)
        if given is None:
            raise DataError(
                f"{type(self).__name__} with {setting('conditional', True)} needs labels. "
                + worded("Give fit(X, y).", "Give images in a folder for each label.")
            )
        if given.shape != (n,):
            raise DataError(f"y has shape {given.shape}. Expected ({n},), a label for each image.")
        if given.dtype.kind in "Of":
            refuse_gaps(given, "y")
        if given.dtype.kind in "UO" and all(isinstance(label, str) for label in given):
            given, names = numbered([str(label) for label in given])
        self.classes_, numbers = np.unique(given, return_inverse=True)
        if self.classes_.dtype.kind not in "iub":
            raise DataError(
                f"The labels have dtype {self.classes_.dtype}. Expected whole numbers or names."
            )
        if names is not None and self.classes_[0] >= 0 and self.classes_[-1] < len(names):
            self.class_names_ = tuple(names[k] for k in self.classes_)
        return numbers.astype(np.int64)

    def _validation_images(
        self, data: GivenImages, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None] | None:
        """Validation images as bytes, and their classes: of ``validation``, or of the rows."""
        images, labels, validation = data.images, data.labels, data.validation
        if validation is None:
            if not len(rows):
                return None
            return images[rows], None if labels is None else labels[rows]
        found, _ = as_image_set(validation, pixel_range=self._range_of(validation))
        source = found.images
        if source.shape != images.shape:
            raise DataError(
                f"The images of validation have shape {source.shape}, those of X {images.shape}."
            )
        few = np.linspace(0, len(source) - 1, min(len(source), 1000)).round().astype(int)
        numbers = None
        if self.classes_ is not None:
            if found.labels is None:
                raise DataError("validation needs labels: give (images, labels).")
            numbers = self._class_numbers(found.labels, found)[few]
        return source[few], numbers

    def _class_numbers(self, y: Any, X: Any = None) -> np.ndarray:
        """Labels as class numbers.

        Args:
            y: labels, numbers or names.
            X: the images they are of; where that is a set and they are its own labels, they are
                matched by name.

        Raises:
            DataError: for a label that was not there in fit.
        """
        assert self.classes_ is not None
        if isinstance(X, ImageSet) and X.labels is not None and np.array_equal(y, X.labels):
            y = labels_by_name(X, self.classes_, self.class_names_)
        return places_of(y, self.classes_, self.class_names_)

    def _identity(self, data: GivenImages) -> dict[str, Any]:
        """All of the data that decides the result, as digests: a run goes on with these only."""
        held: int | str = data.held
        if data.validation is not None:
            few = self._validation_images(data, np.arange(0))
            assert few is not None
            held = digest(*(None if part is None else torch.from_numpy(part) for part in few))
        classes = None if data.labels is None else torch.from_numpy(data.labels)
        return {
            "images": [len(data.images), *data.images.shape],
            "data": digest_of(data.images),
            "labels": digest(classes, str(self.class_names_)),
            "held_out": held,
        }

    def _picture(self, path: Path) -> None:
        """Draw samples from latents that stay the same through the run."""
        x = self._make(GRID, torch.Generator().manual_seed(0))
        finite = torch.isfinite(x).flatten(1).all(1)
        shown = torch.where(finite[:, None, None, None], x, torch.full_like(x, self.pixels_.low))
        write_grid(path, as_images(self.pixels_.decode(shown))[0][:])

    # Use

    def _to_user(self, x: Tensor) -> np.ndarray:
        return self.pixels_.decode(x)

    def _chunks(self, X: Any) -> Iterator[tuple[slice, np.ndarray]]:
        """Images of the shape of ``fit`` as bytes (n, C, H, W), a few at a time.

        Raises:
            DataError: for images of another shape.
        """
        images = self.pixels_.open(X, self._range_of(X))
        size = self._at_once()
        for start in range(0, len(images), size):
            rows = slice(start, min(start + size, len(images)))
            yield rows, images[rows]

    def _at_once(self) -> int:
        """How many images go through a network at once."""
        return sizes_of(self._device()).rows_of(self.pixels_.n_values)

    def _range_of(self, X: Any) -> list[float] | None:
        """The pixel range of the fit, for an array that is no bytes."""
        if not isinstance(X, (np.ndarray, Tensor)):
            return None
        if str(X.dtype).removeprefix("torch.") == "uint8":
            return None
        return self.settings_.get("pixel_range")

    def _abilities(self) -> dict[str, Any]:
        return {
            **super()._abilities(),
            "kind": "images",
            "codec": self.pixels_,
            "rows_at_once": self._at_once(),
            "classes": self.classes_,
            "class_names": self.class_names_,
        }

    # Saving

    def _state(self) -> dict[str, Any]:
        return {
            **super()._state(),
            "pixels": self.pixels_.to_config(),
            "classes": None if self.classes_ is None else self.classes_.tolist(),
            "class_names": None if self.class_names_ is None else list(self.class_names_),
        }

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.pixels_ = Pixels.from_config(state["pixels"])
        classes = state["classes"]
        if classes is not None and not _are_classes(classes):
            raise ModelFileError(
                f"The classes are {reprlib.repr(classes)}. Expected whole numbers that rise, one "
                "at least. The model folder was altered: fetch a fresh copy."
            )
        self.classes_ = None if classes is None else np.asarray(classes)
        names = state.get("class_names")  # folders of earlier versions have none
        if names is not None and len(names) != len(classes or ()):
            raise ModelFileError(
                f"There are {len(names)} names of {len(classes or ())} classes. The model folder "
                "was altered: fit the model again or fetch a fresh copy."
            )
        self.class_names_ = None if names is None else tuple(map(str, names))
        super()._restore(state, tensors)
        self._refuse_wide()

    def _refuse_wide(self) -> None:
        """Refuse images of which one alone would fill the widest layer with too many numbers.

        Networks of convolutions fit images of any size, so that their weights say nothing of it.

        Raises:
            ModelFileError: naming the size.
        """
        weights = (w for network in self.networks_.values() for w in network.parameters())
        widest = max((max(w.shape[:2]) for w in weights if w.ndim == 4), default=0)
        _, height, width = self.pixels_.shape
        if height * width > MOST_PIXELS or widest * height * width > _MOST_NUMBERS:
            raise ModelFileError(
                f"The images are said to be {height} x {width}, of which one has "
                f"{widest * height * width:,} numbers in a layer of {widest} channels. Expected "
                f"at most {MOST_PIXELS:,} pixels and {_MOST_NUMBERS:,} numbers. The model folder "
                "was altered, or the model was made to be used by its network alone."
            )

    def _card(self) -> str:
        from .run_card import run_card

        channels, height, width = self.pixels_.shape
        what = f"A model of images of {height} x {width} pixels and {channels} channel(s)"
        use = "images = model.sample(16)   # uint8"
        return run_card(self, what=what, use=use, held_out="images")
