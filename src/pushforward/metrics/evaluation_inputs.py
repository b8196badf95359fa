"""The inputs of an evaluation: a model or samples, and the real data as reference."""

import inspect
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np

from ..data import Columns
from ..data.images import ImageSet, ImageSource, as_image_set, holds_images
from ..errors import DataError, LeftOutWarning, ParameterError, stacklevel_of_caller
from ..estimators.capabilities import (
    Capabilities,
    capabilities_of,
    draw_samples,
    is_model,
    refuse_without_samples,
)
from ..wording import setting, worded
from .missing_cells import with_holes
from .table_encoding import TableCode
from .two_sample import classifier_two_sample

__all__ = ["EvaluationInputs", "Reference", "is_source", "kind_of", "take"]

Report = Callable[[str, float], object]

_HOLED_ROWS = 1000  # rows with missing cells whose densities are looked at


def kind_of(X: Any, pixel_range: Any = None) -> str:
    """The kind of data: "text", "images", "rows" or "table".

    Args:
        X: the data.
        pixel_range: the values of black and white of images that are no bytes, where given.

    Lists of str are text; uint8 arrays of three or four axes, lists of pictures, pairs of these
    and labels, data sets of torch and what ``open_images`` returns are images; 2-D arrays and
    tensors of numbers are rows; frames, arrays with missing cells (NaN) and all else are tables.

    Raises:
        DataError: for None, and arrays that are none of them.

    >>> kind_of(["a", "b"]), kind_of(np.zeros((5, 8, 8), np.uint8)), kind_of(np.zeros((5, 2)))
    ('text', 'images', 'rows')
    """
    if X is None:
        raise DataError("Got None. Expected rows, images or lines of text.")
    if isinstance(X, (list, tuple)) and X and all(isinstance(line, str) for line in X):
        return "text"
    if isinstance(nw.from_native(X, pass_through=True, eager_only=True), nw.DataFrame):
        return "table"
    if holds_images(X):
        return "images"
    # arrays and tensors of any library have a dtype, and share no class
    if isinstance(X, (list, tuple)) or not hasattr(X, "dtype"):
        return "table"
    dtype, axes = str(X.dtype), len(X.shape)
    if dtype.endswith("uint8") and axes in (3, 4):
        return "images"
    if axes in (3, 4) and pixel_range is not None:
        return "images"
    if axes > 2:
        raise DataError(
            f"An array of {dtype} and shape {tuple(X.shape)}. Expected rows of shape (n, d), or "
            "images as uint8; of other images say what is black and white: "
            + worded("pixel_range=(0, 1).", "--pixel-range 0:1.")
        )
    if isinstance(X, np.ndarray) and X.dtype.kind not in "biuf":
        return "table"
    array = np.asarray(X)
    holed = array.ndim == 2 and array.dtype.kind == "f" and bool(np.isnan(array).any())
    return "table" if holed else "rows"


def is_source(X: Any) -> bool:
    """Whether X is a source of images, whose slices are arrays (n, C, H, W)."""
    if hasattr(X, "dtype"):  # as arrays of any library have, and sources have not
        return False
    return isinstance(X, ImageSource) and len(X.shape) == 3


def take(X: Any, index: np.ndarray) -> Any:
    """The rows of that index, of any container."""
    if is_source(X):
        from ..data.images import ArrayImages

        return ArrayImages(X[index])
    frame = nw.from_native(X, pass_through=True, eager_only=True)
    if isinstance(frame, nw.DataFrame):
        return frame[index.tolist()].to_native()
    return [X[i] for i in index] if isinstance(X, (list, tuple)) else X[index]


@dataclass(frozen=True)
class Reference:
    """Real data, in the forms that measures take, each computed once.

    Attributes:
        real: rows that the models have not seen; of images a source of (n, C, H, W).
        kind: what they are taken for.
        train: rows that the models were fitted on, or None.
        other: rows of another kind, for out-of-distribution detection, or None.
        extractor: of the features of images; None for other kinds.
        target: the column that ``train_on_synthetic`` predicts, or None.
        seed: of everything that is drawn.
        report: called with a line of text and the share done.
        cache: where features of images are kept; None for nowhere.
        pixel_range: (low, high) of images that are no bytes, or None.
    """

    real: Any
    kind: str
    train: Any
    other: Any
    extractor: Any
    target: Any
    seed: int
    report: Report | None = None
    cache: str | os.PathLike | bool | None = None
    pixel_range: Any = None

    @classmethod
    def of(
        cls, real: Any, *, train: Any, other: Any, features: Any, labels: Any, target: Any,
        n: int, seed: int, report: Report | None, weights: str | os.PathLike | None = None,
        cache: str | os.PathLike | bool | None = None, pixel_range: Any = None,
    ) -> "Reference":  # fmt: skip
        """Check the data, thin the real rows to n, find the features."""
        kind = kind_of(real, pixel_range)
        if features is not None and kind != "images":
            raise ParameterError(
                f"{setting('features', features)} are for images, and the data are taken for "
                f"{kind}. Leave it out, or give the features of both sides as arrays."
            )
        if weights is not None and not str(features).startswith(("inception", "cifar_resnet")):
            raise ParameterError(
                f"{setting('weights', os.fspath(weights))} and {setting('features', features)}. "
                "Expected a network they are of as well, such as "
                f"{setting('features', 'inception')}."
            )
        extractor = None
        if kind == "images":
            from .features import find_features

            opened = [
                None if X is None else _image_set(X, pixel_range) for X in (real, train, other)
            ]
            if labels is None and opened[1] is not None:
                labels = opened[1].labels
            real, train, other = (None if one is None else one.images for one in opened)
            if features is None:
                features = "pca" if train is None or labels is None else "classifier"
            learned_from = real if train is None else train
            extractor = find_features(
                features, train=learned_from, y=labels, weights=weights, random_state=seed,
                cache=cache,
            )  # fmt: skip
        real = _thinned(real, n, seed)
        found = cls(real, kind, train, other, extractor, target, seed, report, cache, pixel_range)
        if kind == "table":
            found.say_left_out()
        return found

    @cached_property
    def code(self) -> TableCode:
        """How the table's columns become numbers."""
        return TableCode.learn(self.real)

    @property
    def holed(self) -> bool:
        """Whether the real rows are a table with missing cells."""
        return self.kind == "table" and bool(self.code.holed.any())

    def say_left_out(self) -> None:
        """Warn of columns of which so little is known that nothing is said of them."""
        if self.code.sparse:
            warnings.warn(
                "columns left out of the measures, nearly all of their cells being missing: "
                + ", ".join(map(repr, self.code.sparse)),
                LeftOutWarning,
                stacklevel=stacklevel_of_caller(),
            )

    def rows(self, X: Any) -> np.ndarray:
        """X as points (n, d) between which distances mean something."""
        if self.kind == "images":
            from .features import extract

            return extract(self.extractor, X, cache=self.cache, report=self.report)
        if self.kind == "table":
            return self.code.points(self.code.numbers(X))
        array = np.asarray(X)
        return array.reshape(len(array), -1)

    @cached_property
    def two_sample_floor(self) -> float:
        """The two-sample AUROC of training rows against held-out rows of a table."""
        train = self.code.numbers(_thinned(self.train, len(self.real), self.seed))
        real = self.code.numbers(self.real)
        return classifier_two_sample(real, train, missing=True, random_state=self.seed).value

    @cached_property
    def real_rows(self) -> np.ndarray:
        """The real rows as points."""
        return self.rows(self.real)

    @cached_property
    def train_rows(self) -> np.ndarray:
        """As many training rows as points, or fewer, as there are real ones."""
        return self.rows(_thinned(self.train, len(self.real), self.seed))

    @cached_property
    def details(self) -> dict[str, Any]:
        """Name and provenance of the features."""
        if self.kind == "images":
            from .features import provenance

            return provenance(self.extractor)
        if self.kind == "table":
            return {"features": "columns in standard deviations, categories as corners"}
        return {"features": "rows as given"}


@dataclass(frozen=True)
class EvaluationInputs:
    """One model, or its samples, beside the reference.

    Attributes:
        samples: as many as real rows, or fewer.
        model: what drew them and may score rows; None where samples were given.
        reference: the real side.
    """

    samples: Any
    model: Any
    reference: Reference

    @classmethod
    def of(cls, model_or_samples: Any, reference: Reference, n: int) -> "EvaluationInputs":
        """Draw samples if it is a model; bring them to the reference's kind.

        Raises:
            DataError: for samples of another kind or shape.
            UnsupportedError: for a model that cannot sample.
        """
        model, samples = None, model_or_samples
        if is_model(model_or_samples):
            model = model_or_samples
            samples = _drawn(model, min(n, len(reference.real)), reference.seed, reference.holed)
        if reference.kind == "images":
            samples = _image_set(samples, reference.pixel_range).images
            if samples.shape != reference.real.shape:
                raise DataError(
                    f"The samples are images of {samples.shape} and the real ones of "
                    f"{reference.real.shape}. Expected the same (C, H, W)."
                )
        elif kind_of(samples) != reference.kind and reference.kind == "text":
            raise DataError("The real data are lines of text. Expected samples as a list of str.")
        samples = _thinned(samples, n, reference.seed)
        if reference.holed:
            real = reference.real if reference.train is None else reference.train
            real = _thinned(real, len(samples), reference.seed)
            samples = with_holes(samples, real, reference.code, reference.seed)
        return cls(samples, model, reference)

    @cached_property
    def rows(self) -> np.ndarray:
        """The samples as points."""
        return self.reference.rows(self.samples)

    def scores(self, X: Any, **options: Any) -> np.ndarray:
        """Log densities by the model."""
        return np.asarray(self.model.score_samples(X, **options))

    def scores_of_table(self, X: Any) -> tuple[np.ndarray, tuple[str, ...]]:
        """Log densities of the rows of a table, and what there is to say of missing cells.

        Rows with missing cells have the log density of the cells that are there, if the model
        knows it. That is an integral for each of them, so that at most 1,000 rows are looked at.
        """
        whole = self._whole(X)
        if whole.all():
            return self.scores(X), ()
        if "missing" in inspect.signature(self.model.score_samples).parameters:
            some = _thinned(X, _HOLED_ROWS, self.reference.seed)
            return self.scores(some, missing="model"), ()
        note = (
            f"{(~whole).sum():,} of {len(whole):,} rows left out of the likelihood: the model has "
            "no density of rows with missing cells."
        )
        return self.scores(self.whole_rows(X)), (note,)

    def whole_rows(self, X: Any) -> Any:
        """The rows of a table without missing cells in what the model has to know.

        Raises:
            DataError: where there are none.
        """
        whole = self._whole(X)
        if not whole.any():
            raise DataError("Every row has missing cells. Expected some whole rows.")
        return X if whole.all() else take(X, np.flatnonzero(whole))

    def _whole(self, X: Any) -> np.ndarray:
        """Which rows have all cells that the model has to know: (n,) bool."""
        codec = None if self.capabilities is None else self.capabilities.codec
        columns = codec if isinstance(codec, Columns) else self.reference.code.columns
        return columns.complete(X, more=True)

    @cached_property
    def capabilities(self) -> Capabilities | None:
        """What the model can do; None where samples were given."""
        return None if self.model is None else capabilities_of(self.model)

    def can(self, method: str) -> bool:
        """Whether there is a model that answers such a method."""
        return self.capabilities is not None and self.capabilities.can(method)

    @property
    def scoring(self) -> bool:
        """Whether there is a model that scores rows."""
        return self.capabilities is not None and self.capabilities.density


def _image_set(X: Any, pixel_range: Any) -> ImageSet:
    """Images of any kind, those that are no bytes on the scale that is given."""
    of_bytes = str(getattr(X, "dtype", "uint8")).endswith("uint8")  # sources have no dtype
    return as_image_set(X, pixel_range=None if of_bytes else pixel_range)[0]


def _thinned(X: Any, n: int, seed: int) -> Any:
    if len(X) <= n:
        return X
    return take(X, np.sort(np.random.default_rng(seed).choice(len(X), n, replace=False)))


def _drawn(model: Any, n: int, seed: int, holed: bool = False) -> Any:
    """n samples of anything that can draw them, with missing cells where the data have some."""
    refuse_without_samples(model)
    drawn = draw_samples(model, n, seed, complete=not holed)
    return drawn[0] if isinstance(drawn, tuple) else drawn  # scikit-learn's mixtures
