"""Which measures suit which data, and how each is taken of a model beside real data."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import out_of_distribution as ood
from .dependence import broken_dependence
from .evaluation_inputs import Judged, is_source, take
from .features.provenance import ClassProbabilities
from .frechet import fid
from .inception_score import inception_score
from .independent_critic import independent_critic
from .kid import kid
from .likelihood import bits_per_dimension, nats_per_row
from .measure import Measure
from .mmd import mmd
from .modes import class_modes
from .ms_ssim import ms_ssim_diversity
from .ngrams import ngram_divergence
from .prdc import prdc
from .privacy import nearest_neighbour_privacy
from .tabular import column_fidelity, pair_fidelity, train_on_synthetic
from .two_sample import classifier_two_sample
from .wasserstein import sliced_wasserstein, wasserstein

__all__ = ["MEASURES", "Entry"]

_SLOW_ROWS = 2000  # where time grows with their square
_SLOWEST_ROWS = 500  # where it grows with their cube, ten times over
_IMAGES = 2000  # whose pairs are compared pixel by pixel
_LARGE = 176  # sides of images that the standard MS-SSIM takes
_BLOCK = 1024


@dataclass(frozen=True)
class Entry:
    """A measure, or several that are taken together: of which data, and what they need.

    One that takes long comes only ``on_request``, by its name.
    """

    kinds: tuple[str, ...]
    take: Callable[[Judged], Iterable[Measure]]
    needs: tuple[str, ...] = ()
    on_request: bool = False

    def lacks(self, judged: Judged) -> str | None:
        """What is missing to take it, or None."""
        reference = judged.reference
        given = {"train": reference.train, "other": reference.other}
        for need in self.needs:
            if need == "model" and not judged.scoring:
                return "it needs a model with score_samples."
            if need in given and given[need] is None:
                return f"it needs {need}=, rows of that kind."
            if need == "classifier" and not isinstance(reference.extractor, ClassProbabilities):
                return f"the features {reference.extractor.name!r} have no classifier."
        return None


def _some(rows: np.ndarray, n: int, seed: int) -> np.ndarray:
    if len(rows) <= n:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(len(rows), n, replace=False))]


def _both(judged: Judged, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of both sides, n at most."""
    seed = judged.reference.seed
    return _some(judged.reference.real_rows, n, seed), _some(judged.rows, n, seed)


def _common(judged: Judged) -> dict[str, Any]:
    return {"random_state": judged.reference.seed, "details": judged.reference.details}


def _take_wasserstein(judged: Judged) -> Iterable[Measure]:
    real, generated = _both(judged, min(_SLOWEST_ROWS, len(judged.rows)))
    yield wasserstein(real[: len(generated)], generated[: len(real)], **_common(judged))


def _take_two_sample(judged: Judged) -> Iterable[Measure]:
    reference = judged.reference
    if reference.kind == "table":  # trees take categories as numbers better than as corners
        real, generated = (reference.code.numbers(x) for x in (reference.real, judged.samples))
        details = {} if reference.train is None else {"floor": reference.two_sample_floor}
        yield classifier_two_sample(real, generated, random_state=reference.seed, details=details)
        return
    kind = "logistic" if reference.kind == "images" else "boosting"
    real, generated = reference.real_rows, judged.rows
    yield classifier_two_sample(real, generated, classifier=kind, **_common(judged))


def _take_privacy(judged: Judged) -> Iterable[Measure]:
    reference = judged.reference
    yield nearest_neighbour_privacy(
        reference.train_rows, reference.real_rows, judged.rows, **_common(judged)
    )


def _take_likelihood(judged: Judged) -> Iterable[Measure]:
    reference = judged.reference
    scores = judged.scores(_scorable(reference.real))
    details = {"model": type(judged.model).__name__}
    if reference.kind == "images":
        yield bits_per_dimension(scores, int(np.prod(reference.real.shape)), details=details)
    else:
        yield nats_per_row(scores, details=details)


def _take_ood(judged: Judged) -> Iterable[Measure]:
    reference = judged.reference
    inside, outside = _scorable(reference.real), _scorable(reference.other)
    scores = [judged.scores(x) for x in (inside, outside)]
    yield ood.auroc(*scores)
    yield ood.average_precision(*scores)
    yield ood.fpr_at_95(*scores)
    if judged.can("inlier_scores"):
        inlying = (judged.model.inlier_scores(x) for x in (inside, outside))
        yield ood.auroc(*inlying, name="auroc [inlier scores]")
    if reference.train is not None:
        train = judged.scores(_first(reference.train, len(inside)))
        typical = [ood.typicality(train, x) for x in scores]
        yield ood.auroc(*typical, name="auroc [typicality]")
    if reference.kind != "images":
        return
    complex_ = [ood.input_complexity(x, s) for x, s in zip((inside, outside), scores, strict=True)]
    yield ood.auroc(*complex_, name="auroc [input complexity]")
    try:
        levels = [judged.scores(x, per_level=True) for x in (inside, outside)]
    except TypeError:  # not a model of levels
        return
    for level in range(levels[0].shape[1]):
        yield ood.auroc(*(x[:, level] for x in levels), name=f"auroc [level {level + 1}]")


def _first(X: Any, n: int) -> Any:
    """The first n rows of any container."""
    return X[:n] if is_source(X) else take(X, np.arange(min(n, len(X))))


def _scorable(X: Any) -> Any:
    """What a model scores: of a source of images, the images."""
    return X[:] if is_source(X) else X


def _take_inception_score(judged: Judged) -> Iterable[Measure]:
    probabilities = _probabilities(judged, judged.samples)
    yield inception_score(probabilities, details=judged.reference.details)


def _take_class_modes(judged: Judged) -> Iterable[Measure]:
    generated = _probabilities(judged, judged.samples)
    real = _probabilities(judged, judged.reference.real)
    yield from class_modes(
        generated, real, classes=real.shape[1], details=judged.reference.details
    )


def _probabilities(judged: Judged, source: Any) -> np.ndarray:
    parts = [
        judged.reference.extractor.probabilities(source[i : i + _BLOCK])
        for i in range(0, len(source), _BLOCK)
    ]
    return np.concatenate(parts)


def _take_ms_ssim(judged: Judged) -> Iterable[Measure]:
    reference = judged.reference
    large = min(reference.real.shape[1:]) >= _LARGE
    options: dict[str, Any] = {
        "convention": "standard" if large else "small",
        "random_state": reference.seed,
    }
    real = ms_ssim_diversity(reference.real[:_IMAGES], **options)
    yield ms_ssim_diversity(judged.samples[:_IMAGES], details={"real": real.value}, **options)


def _take_critic(judged: Judged) -> Iterable[Measure]:
    """Half of the real data teaches the critic, the other half is what it is asked about."""
    reference = judged.reference
    if reference.kind == "images":
        real, generated, details = reference.real, judged.samples, {}
    else:
        real, generated, details = reference.real_rows, judged.rows, reference.details
    order = np.random.default_rng(reference.seed).permutation(len(real))
    validation, test = (take(real, np.sort(half)) for half in np.array_split(order, 2))
    yield independent_critic(
        generated, validation, test, random_state=reference.seed, details=details
    )


def _take_ngrams(judged: Judged) -> Iterable[Measure]:
    for n in (4, 6):
        yield ngram_divergence(
            judged.reference.real, judged.samples, n=n, random_state=judged.reference.seed
        )


_POINTS = ("rows", "images")
_ALL = ("table", "rows", "images")

#: Every measure that :func:`evaluate` takes, by the name to ask for it.
MEASURES: dict[str, Entry] = {
    "column_fidelity": Entry(
        ("table",),
        lambda j: [column_fidelity(j.reference.real, j.samples, random_state=j.reference.seed)],
    ),
    "pair_fidelity": Entry(
        ("table",),
        lambda j: [pair_fidelity(j.reference.real, j.samples, random_state=j.reference.seed)],
    ),
    "broken_dependence": Entry(
        ("table",),
        lambda j: [
            broken_dependence(
                j.reference.real, j.samples, train=j.reference.train, random_state=j.reference.seed
            )
        ],
    ),
    "train_on_synthetic": Entry(
        ("table",),
        lambda j: [
            train_on_synthetic(
                j.reference.real,
                j.samples,
                target=j.reference.target,
                random_state=j.reference.seed,
            )
        ],
    ),
    "fid": Entry(_POINTS, lambda j: [fid(j.reference.real_rows, j.rows, **_common(j))]),
    "kid": Entry(_POINTS, lambda j: [kid(j.reference.real_rows, j.rows, **_common(j))]),
    "prdc": Entry(
        _POINTS, lambda j: prdc(j.reference.real_rows, j.rows, details=j.reference.details)
    ),
    "inception_score": Entry(("images",), _take_inception_score, ("classifier",)),
    "class_modes": Entry(("images",), _take_class_modes, ("classifier",)),
    "ms_ssim_diversity": Entry(("images",), _take_ms_ssim),
    "sliced_wasserstein": Entry(
        _POINTS, lambda j: [sliced_wasserstein(j.reference.real_rows, j.rows, **_common(j))]
    ),
    "wasserstein": Entry(("rows",), _take_wasserstein),
    "mmd": Entry(_ALL, lambda j: [mmd(*_both(j, _SLOW_ROWS), **_common(j))]),
    "two_sample": Entry(_ALL, _take_two_sample),
    "critic": Entry(_ALL, _take_critic, on_request=True),
    "ngrams": Entry(("text",), _take_ngrams),
    "privacy": Entry(_ALL, _take_privacy, ("train",)),
    "likelihood": Entry(_ALL, _take_likelihood, ("model",)),
    "ood": Entry(_ALL, _take_ood, ("model", "other")),
}
