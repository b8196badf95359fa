"""The contract of image models that are trained by phases: everything but networks and losses."""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor, nn

from ..data.images import ImageSet, ImageSource, Pixels, as_images, write_grid
from ..errors import DataError, ModelFileError, ParameterError
from ..model import Model
from .loop import Loop
from .phase import Phase
from .processes import Processes

__all__ = ["ImageModel", "PixelSource", "Report"]

Report = Callable[[str, float], None]

GRID = 64  # samples in a picture on the way
CHUNK = 64  # images that go through a network at once


@dataclass(frozen=True)
class PixelSource:
    """Rows of a source of images, as the networks see them.

    Attributes:
        images: all of them.
        rows: (n,) which of them count.
        labels: (n,) class numbers of the rows, or None.
        pixels: what carries bytes to tensors.
    """

    images: ImageSource
    rows: np.ndarray
    labels: np.ndarray | None
    pixels: Pixels

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Images (n, C, H, W) with fresh noise, shifted and flipped, and their classes."""
        x, _ = self.pixels.encode(self.images[self.rows[rows]], generator, augment=True)
        return x, None if self.labels is None else torch.from_numpy(self.labels[rows])


class ImageModel(Model):
    """A generative model of uint8 images, trained by the phases it names.

    Subclasses give networks (:meth:`_build`), phases (:meth:`_phases`), and how images come out
    (:meth:`_make`); this class knows the rest: data, budgets, checkpoints, saving.

    Attributes:
        networks_: the trained networks by name.
        pixels_: what pixels are.
        settings_: every setting, with what the presets decided.
        classes_: labels seen, in the order of class numbers; None where there were none.
        history_: records of the training, one a line of ``log.jsonl``.
        best_: step and measures of the weights that are kept.
        stopped_: why training ended.
    """

    _autocast: ClassVar[bool] = True  # False where a network chooses its precisions itself

    networks_: dict[str, nn.Module]
    pixels_: Pixels
    settings_: dict[str, Any]
    classes_: np.ndarray | None
    history_: list[dict[str, Any]]
    best_: dict[str, Any] | None

    steps: int | None
    minutes: float | None
    validation_fraction: float
    device: str | None
    random_state: Any
    verbose: bool

    # What a model says of itself

    def _resolve(self, shape: tuple[int, int, int], n: int) -> dict[str, Any]:
        """Every setting as JSON values, for images (C, H, W) of which there are n.

        Has at least ``batch_size``, ``steps``, ``minutes``, ``ema``, ``precision`` and
        ``pixels``, the arguments of :class:`Pixels`.
        """
        raise NotImplementedError

    def _build(self, shape: tuple[int, int, int], classes: int | None) -> dict[str, nn.Module]:
        """Networks with the weights they begin with; a function of settings and seed."""
        raise NotImplementedError

    def _phases(self) -> list[Phase]:
        raise NotImplementedError

    def _prepare(self, source: PixelSource) -> None:
        """What comes before the first step, such as data-dependent initialisation."""

    def _share(self, processes: Processes) -> None:
        """What has to be told to networks that several processes train together."""

    def _measures(self, images: np.ndarray, labels: np.ndarray | None) -> Mapping[str, float]:
        """Measures of the networks as they are on held-out images; the first decides."""
        raise NotImplementedError

    def _make(self, n: int, generator: torch.Generator, **options: Any) -> Tensor:
        """n images (n, C, H, W) as the networks see them."""
        raise NotImplementedError

    # Training

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        validation: Any = None,
        folder: str | Path | None = None,
        tensorboard: bool = False,
        report: Report | None = None,
    ) -> Any:
        """Train on images.

        Args:
            X: uint8 images (N, H, W), (N, H, W, C) or (N, C, H, W), or what ``open_images``
                returns; labels of an :class:`ImageSet` are used where ``y`` is None.
            y: (N,) labels, for conditional models; others do not look at them.
            validation: images to choose the best weights by; None holds out a share of X.
            folder: where checkpoints, logs (``log.jsonl``, ``log.csv``) and pictures of samples
                go. A run that is there already is resumed.
            tensorboard: also log for TensorBoard, into the folder.
            report: called with a line of text and the share of the budget used.

        Returns:
            The trained model itself.

        Raises:
            DataError: for images or labels that cannot be used.
            ParameterError: for unusable parameters.
            TrainingError: if a loss or gradient is not finite. The model then holds the best
                weights so far, and the text says which term failed.
        """
        images, layout = as_images(X)
        labels = self._labels(X, y, len(images))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        rows = np.random.default_rng(seed).permutation(len(images))
        held = 0 if validation is not None else self._held_out_rows(len(images))
        self.settings_ = self._resolve(images.shape, len(images) - held)
        self._seed = seed
        self.pixels_ = Pixels(shape=images.shape, layout=layout, **self.settings_["pixels"])
        self.networks_ = {
            name: network.to(self._device())
            for name, network in self._build(
                images.shape, None if self.classes_ is None else len(self.classes_)
            ).items()
        }
        train = np.sort(rows[held:])
        source = PixelSource(
            images, train, None if labels is None else labels[train], self.pixels_
        )
        judged = self._judged_images(images, labels, np.sort(rows[:held]), validation)
        run = None if folder is None else Path(folder)
        if tensorboard and run is None:
            raise ParameterError("tensorboard needs a folder to write into: fit(X, folder=...).")
        self._prepare(source)
        loop = Loop(
            self.networks_,
            self._phases(),
            source,
            batch_size=self.settings_["batch_size"],
            seed=seed,
            ema=self.settings_["ema"],
            precision=self.settings_["precision"] if self._autocast else "float32",
            identity=self._identity(images, labels),
        )
        self._share(loop.processes)
        try:
            loop.run(
                steps=self.settings_["steps"],
                minutes=self.settings_["minutes"],
                folder=run,
                judge=None if judged is None else lambda: self._measures(*judged),
                picture=self._picture,
                report=report or (_print_report if self.verbose else None),
                tensorboard=tensorboard,
            )
        finally:
            self.history_, self.best_, self.stopped_ = loop.history, loop.best, loop.stopped
            self._finished()
        return self

    def _finished(self) -> None:
        """Called when the networks have their last weights."""

    def _labels(self, X: Any, y: Any, n: int) -> np.ndarray | None:
        """Class numbers of the images, for models that use them; sets ``classes_``."""
        self.classes_ = None
        if not getattr(self, "conditional", False):
            return None
        given = X.labels if y is None and isinstance(X, ImageSet) else y
        if given is None:
            raise DataError(
                f"{type(self).__name__}(conditional=True) needs labels. Give fit(X, y)."
            )
        given = np.asarray(given)
        if given.shape != (n,):
            raise DataError(f"y has shape {given.shape}. Expected ({n},), a label for each image.")
        self.classes_, numbers = np.unique(given, return_inverse=True)
        if self.classes_.dtype.kind not in "iub":
            raise DataError(f"The labels have dtype {self.classes_.dtype}. Expected integers.")
        return numbers.astype(np.int64)

    def _held_out_rows(self, n: int) -> int:
        share = self.validation_fraction
        if not (isinstance(share, (int, float)) and 0 <= share < 1):
            raise ParameterError(f"validation_fraction is {share!r}. Expected 0 or more, under 1.")
        return min(round(share * n), 1000) if n >= 20 else 0

    def _judged_images(
        self, images: ImageSource, labels: np.ndarray | None, rows: np.ndarray, validation: Any
    ) -> tuple[np.ndarray, np.ndarray | None] | None:
        """Images to judge by, as bytes, and their classes."""
        if validation is None:
            if not len(rows):
                return None
            return images[rows], None if labels is None else labels[rows]
        source, _ = as_images(validation)
        if source.shape != images.shape:
            raise DataError(
                f"The images of validation have shape {source.shape}, those of X {images.shape}."
            )
        few = np.linspace(0, len(source) - 1, min(len(source), 1000)).round().astype(int)
        numbers = None
        if self.classes_ is not None:
            if not isinstance(validation, ImageSet) or validation.labels is None:
                raise DataError("validation needs labels: give an ImageSet that has them.")
            numbers = self._class_numbers(validation.labels[few])
        return source[few], numbers

    def _class_numbers(self, y: Any) -> np.ndarray:
        """Labels as class numbers.

        Raises:
            DataError: for a label that was not there in fit.
        """
        assert self.classes_ is not None
        y = np.asarray(y)
        place = np.searchsorted(self.classes_, y).clip(0, len(self.classes_) - 1)
        if not (self.classes_[place] == y).all():
            raise DataError(f"There are labels that fit has not seen. Known: {self.classes_}.")
        return place.astype(np.int64)

    def _identity(self, images: ImageSource, labels: np.ndarray | None) -> dict[str, Any]:
        """What a run must share with one that goes on with it: everything but the budget."""
        few = np.linspace(0, len(images) - 1, min(len(images), 256)).round().astype(int)
        digest = hashlib.sha256(images[few].tobytes())
        if labels is not None:
            digest.update(labels.tobytes())
        settings = {k: v for k, v in self.settings_.items() if k not in ("steps", "minutes")}
        return {
            "model": type(self).__name__,
            **settings,
            "images": [len(images), *images.shape],
            "data": digest.hexdigest(),
        }

    def _picture(self, path: Path) -> None:
        """Draw samples from latents that stay the same through the run."""
        x = self._make(GRID, torch.Generator().manual_seed(0))
        finite = torch.isfinite(x).flatten(1).all(1)
        shown = torch.where(finite[:, None, None, None], x, torch.full_like(x, self.pixels_.low))
        write_grid(path, as_images(self.pixels_.decode(shown))[0][:])

    # Use

    def sample(self, n_samples: int = 1, random_state: Any = None, **options: Any) -> np.ndarray:
        """Draw images, uint8 in the layout of ``fit``.

        Args:
            n_samples: images to draw, 1 or more.
            random_state: seed, RandomState or None.
            options: of the model, such as ``temperature`` or ``y``.
        """
        self._check_fitted()
        if not isinstance(n_samples, (int, np.integer)) or n_samples < 1:
            raise ParameterError(
                f"n_samples is {n_samples!r}. Expected a whole number of at least 1."
            )
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            return self.pixels_.decode(self._make(int(n_samples), generator, **options))

    def _chunks(self, X: Any) -> Iterator[tuple[slice, np.ndarray]]:
        """Images of the shape of ``fit`` as bytes (n, C, H, W), a few at a time.

        Raises:
            DataError: for images of another shape.
        """
        images, _ = as_images(X, self._layout_of(X))
        if images.shape != self.pixels_.shape:
            raise DataError(
                f"The images have shape {images.shape} (channels, height, width). Expected "
                f"{self.pixels_.shape}, as in fit."
            )
        for start in range(0, len(images), CHUNK):
            rows = slice(start, min(start + CHUNK, len(images)))
            yield rows, images[rows]

    def _layout_of(self, X: Any) -> str | None:
        """The layout of fit, where X is an array that has its axes."""
        c, h, w = self.pixels_.shape
        axes = {"nhw": (h, w), "nhwc": (h, w, c), "nchw": (c, h, w)}[self.pixels_.layout]
        return self.pixels_.layout if tuple(getattr(X, "shape", ())[1:]) == axes else None

    def _device(self) -> torch.device:
        if self.device is not None:
            return torch.device(self.device)
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    # Saving

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "networks_") and hasattr(self, "history_")

    def _state(self) -> dict[str, Any]:
        return {
            "pixels": self.pixels_.to_config(),
            "settings": self.settings_,
            "classes": None if self.classes_ is None else self.classes_.tolist(),
            "seed": self._seed,
            "history": self.history_,
            "best": self.best_,
            "stopped": self.stopped_,
        }

    def _tensors(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": value
            for name, network in self.networks_.items()
            for key, value in network.state_dict().items()
        }

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.pixels_ = Pixels.from_config(state["pixels"])
        self.settings_ = dict(state["settings"])
        classes = state["classes"]
        self.classes_ = None if classes is None else np.asarray(classes)
        self._seed = int(state["seed"])
        self.best_, self.stopped_ = state["best"], str(state["stopped"])
        built = self._build(self.pixels_.shape, None if classes is None else len(classes))
        if unknown := [k for k in tensors if k.split(".", 1)[0] not in built]:
            raise ModelFileError(f"The weights have {unknown[0]!r}, which the model has not.")
        for name, network in built.items():
            own = {k: v for k, v in tensors.items() if k.startswith(f"{name}.")}
            network.load_state_dict({k.removeprefix(f"{name}."): v for k, v in own.items()})
            network.to(self._device()).eval()
        self.networks_ = built
        self.history_ = [dict(record) for record in state["history"]]
        self._finished()

    def _card(self) -> str:
        from .image_card import image_card

        return image_card(self)


def _print_report(text: str, share: float) -> None:
    print(f"[{100 * share:3.0f} %] {text}", file=sys.stderr)
