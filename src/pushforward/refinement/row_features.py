"""Features of rows that the two-sample test, and the learned ratio, have in their place."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import ParameterError
from .adapters import Adapter
from .logit_gradients import in_batches
from .row_checks import check_rows_alone
from .row_width import NARROW, is_narrow

__all__ = ["RowFeatures", "features_for"]

_MOST = 5000  # rows that components are learned from
_GRAMS = 512

Features = Callable[[Tensor], np.ndarray]


class RowFeatures(NamedTuple):
    """Features of rows.

    Attributes:
        by_ratio: of rows to features (n, d); None for all of the rows.
        by_test: of rows to (n, d).
        classifier: of the test.
        note: a sentence on features that there was too little time for, or "".
    """

    by_ratio: Callable[[Tensor], Tensor] | None
    by_test: Features
    classifier: str
    note: str = ""


def features_for(
    adapter: Adapter,
    features: Any,
    X: Any,
    y: Any,
    rows: Tensor,
    seed: int,
    batch_size: int,
    minutes: float | None = None,
) -> RowFeatures:
    """Features of rows for the ratio and the test, and the classifier of the test.

    Neighbours classify rows and their few components, a line features of networks and counts. A
    function of rows gives both their features. For images, the name of features or an extractor
    of ``pushforward.metrics`` is for the test. Without either the test has the rows, of wide ones
    16 principal components; of tables with categories or whole
    numbers their columns, by trees, as :func:`pushforward.evaluate` does; of images the features
    of a classifier where there are labels; of text counts of pairs and triples of letters.

    Args:
        adapter: of the generator.
        features: as of :func:`refine`.
        X, y: the data, and labels that are not among them.
        rows: of the data.
        seed: of what is learned.
        batch_size: rows that a function of the user is given at once.
        minutes: time for features that are learned; None takes what they need.

    Raises:
        ParameterError: for features that are neither.
    """
    if adapter.kind == "images":
        from ..metrics.features import FeatureExtractor

        if not callable(features) or isinstance(features, FeatureExtractor):
            return _of_images(features, X, y, rows, seed, minutes)
    if isinstance(features, str) or (features is not None and not callable(features)):
        raise ParameterError(
            f"features is {features!r}. Expected a differentiable function of rows (n, ...) to "
            "(n, d); names are for images."
        )
    if features is not None:
        function = cast(Callable[[Tensor], Tensor], features)
        check_rows_alone("features", function, rows)
        return RowFeatures(
            function, lambda x: _array(in_batches(function, x, batch_size)), "neighbours"
        )
    if adapter.kind == "text":
        return RowFeatures(None, lambda x: _grams(x, seed), "logistic")
    if adapter.numbers is not None:
        return RowFeatures(None, adapter.numbers, "boosting")
    if is_narrow(rows.shape[1:]):
        return RowFeatures(None, _array, "neighbours")
    from sklearn.decomposition import PCA

    order = np.random.default_rng(seed).permutation(len(rows))[:_MOST]
    fitted = PCA(NARROW, random_state=seed).fit(_array(rows[np.sort(order)]))
    return RowFeatures(None, lambda x: fitted.transform(_array(x)), "neighbours")


def _array(rows: Tensor) -> np.ndarray:
    return rows.flatten(1).float().cpu().numpy()


def _of_images(
    features: Any, X: Any, y: Any, rows: Tensor, seed: int, minutes: float | None
) -> RowFeatures:
    from ..data.images import ImageSet, as_images
    from ..metrics.features import ClassifierFeatures, find_features

    y = X.labels if y is None and isinstance(X, ImageSet) else y
    labels = None if y is None else np.asarray(y)
    if features is None:
        features = "pca" if labels is None else "classifier"
    train = as_images(X)[0] if features == "classifier" else _bytes(rows)
    extractor = find_features(features, train=train, y=labels, random_state=seed, minutes=minutes)
    few = NARROW if features == "pca" else None

    def extracted(x: Tensor) -> np.ndarray:
        return np.concatenate([np.asarray(extractor(_bytes(p)))[:, :few] for p in x.split(256)])

    note = ""
    if isinstance(extractor, ClassifierFeatures) and extractor.learned < 1:
        note = (
            f"there was time for {extractor.learned:.0%} of the steps by which the classifier of "
            "the test learns: it sees less than it would"
        )
    return RowFeatures(None, extracted, "logistic" if few is None else "neighbours", note)


def _bytes(rows: Tensor) -> np.ndarray:
    return ((rows.cpu() + 1) * 128).floor().clamp(0, 255).to(torch.uint8).numpy()


def _grams(rows: Tensor, seed: int) -> np.ndarray:
    """Counts of pairs and triples of letters, hashed: (n, 512)."""
    letters = rows.argmax(dim=-1)
    weights = torch.randint(1, 2**31 - 1, (3,), generator=torch.Generator().manual_seed(seed)).to(
        letters
    )
    counts = []
    for length in (2, 3):
        windows = letters.unfold(1, length, 1)
        cell = (windows * weights[:length]).sum(dim=-1) % (_GRAMS // 2)
        counts.append(nn.functional.one_hot(cell, _GRAMS // 2).sum(dim=1))
    return torch.cat(counts, dim=1).float().sqrt().cpu().numpy()
