"""Which measures suit which data, and how each is taken of a model beside real data."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import out_of_distribution as ood
from .dependence import broken_dependence
from .evaluation_inputs import EvaluationInputs, is_source, take
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

__all__ = ["MEASURES", "MeasureEntry"]

_SLOW_ROWS = 2000  # where time grows with their square
_SLOWEST_ROWS = 500  # where it grows with their cube, ten times over
_IMAGES = 2000  # whose pairs are compared pixel by pixel
_LARGE = 176  # sides of images that the standard MS-SSIM takes
_BLOCK = 1024


@dataclass(frozen=True)
class MeasureEntry:
    """A measure, or several that are taken together: of which data, and what they need.

    One that takes long comes only ``on_request``, by its name.
    """

    kinds: tuple[str, ...]
    take: Callable[[EvaluationInputs], Iterable[Measure]]
    needs: tuple[str, ...] = ()
    on_request: bool = False

    def missing_requirement(self, inputs: EvaluationInputs) -> str | None:
        """The reason why the measure cannot be taken, or None."""
        reference = inputs.reference
        given = {"train": reference.train, "other": reference.other}
        for need in self.needs:
            if need == "model" and not inputs.scoring:
                return "it needs a model with score_samples."
            if need in given and given[need] is None:
                return f"it needs {need}=, rows of that kind."
            if need == "classifier" and not isinstance(reference.extractor, ClassProbabilities):
                return f"the features {reference.extractor.name!r} have no classifier."
        return None


def _subsample(rows: np.ndarray, n: int, seed: int) -> np.ndarray:
    if len(rows) <= n:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(len(rows), n, replace=False))]


def _point_pair(inputs: EvaluationInputs, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Real and generated points, n at most of each."""
    seed = inputs.reference.seed
    return _subsample(inputs.reference.real_rows, n, seed), _subsample(inputs.rows, n, seed)


def _options(inputs: EvaluationInputs) -> dict[str, Any]:
    return {"random_state": inputs.reference.seed, "details": inputs.reference.details}


def _take_wasserstein(inputs: EvaluationInputs) -> Iterable[Measure]:
    real, generated = _point_pair(inputs, min(_SLOWEST_ROWS, len(inputs.rows)))
    yield wasserstein(real[: len(generated)], generated[: len(real)], **_options(inputs))


def _take_two_sample(inputs: EvaluationInputs) -> Iterable[Measure]:
    reference = inputs.reference
    if reference.kind == "table":  # trees take categories as numbers better than as corners
        real, generated = (reference.code.numbers(x) for x in (reference.real, inputs.samples))
        details = {} if reference.train is None else {"floor": reference.two_sample_floor}
        yield classifier_two_sample(
            real, generated, missing=True, random_state=reference.seed, details=details
        )
        return
    kind = "logistic" if reference.kind == "images" else "boosting"
    real, generated = reference.real_rows, inputs.rows
    yield classifier_two_sample(real, generated, classifier=kind, **_options(inputs))


def _take_privacy(inputs: EvaluationInputs) -> Iterable[Measure]:
    reference = inputs.reference
    yield nearest_neighbour_privacy(
        reference.train_rows, reference.real_rows, inputs.rows, **_options(inputs)
    )


def _take_likelihood(inputs: EvaluationInputs) -> Iterable[Measure]:
    reference = inputs.reference
    details = {"model": type(inputs.model).__name__}
    if reference.kind == "table":
        scores, note = inputs.scores_of_table(reference.real)
        yield replace(nats_per_row(scores, details=details), warnings=note)
        return
    scores = inputs.scores(_scorable(reference.real))
    if reference.kind == "images":
        yield bits_per_dimension(scores, int(np.prod(reference.real.shape)), details=details)
    else:
        yield nats_per_row(scores, details=details)


def _take_ood(inputs: EvaluationInputs) -> Iterable[Measure]:
    reference = inputs.reference
    inside, outside = _scorable(reference.real), _scorable(reference.other)
    notes: tuple[str, ...] = ()
    if reference.kind == "table":  # densities of rows that lack other cells do not compare
        n = len(inside) + len(outside)
        inside, outside = inputs.whole_rows(inside), inputs.whole_rows(outside)
        if left := n - len(inside) - len(outside):
            notes = (f"Rows of another kind: {left:,} rows with missing cells left out.",)
    scores = [inputs.scores(x) for x in (inside, outside)]
    yield replace(ood.auroc(*scores), warnings=notes)
    yield ood.average_precision(*scores)
    yield ood.fpr_at_95(*scores)
    if inputs.can("inlier_scores"):
        inlying = (inputs.model.inlier_scores(x) for x in (inside, outside))
        yield ood.auroc(*inlying, name="auroc [inlier scores]")
    if reference.train is not None:
        seen = reference.train
        if reference.kind == "table":
            seen = inputs.whole_rows(seen)
        train = inputs.scores(_first(seen, len(inside)))
        typical = [ood.typicality(train, x) for x in scores]
        yield ood.auroc(*typical, name="auroc [typicality]")
    if reference.kind != "images":
        return
    complex_ = [ood.input_complexity(x, s) for x, s in zip((inside, outside), scores, strict=True)]
    yield ood.auroc(*complex_, name="auroc [input complexity]")
    try:
        levels = [inputs.scores(x, per_level=True) for x in (inside, outside)]
    except TypeError:  # not a model of levels
        return
    for level in range(levels[0].shape[1]):
        yield ood.auroc(*(x[:, level] for x in levels), name=f"auroc [level {level + 1}]")


def _first(X: Any, n: int) -> Any:
    """The first n rows of any container."""
    return X[:n] if is_source(X) else take(X, np.arange(min(n, len(X))))


def _scorable(X: Any) -> Any:
    """The data as ``score_samples`` takes them: of a source of images, the images."""
    return X[:] if is_source(X) else X


def _take_inception_score(inputs: EvaluationInputs) -> Iterable[Measure]:
    probabilities = _probabilities(inputs, inputs.samples)
    yield inception_score(probabilities, details=inputs.reference.details)


def _take_class_modes(inputs: EvaluationInputs) -> Iterable[Measure]:
    generated = _probabilities(inputs, inputs.samples)
    real = _probabilities(inputs, inputs.reference.real)
    yield from class_modes(
        generated, real, classes=real.shape[1], details=inputs.reference.details
    )


def _probabilities(inputs: EvaluationInputs, source: Any) -> np.ndarray:
    parts = [
        inputs.reference.extractor.probabilities(source[i : i + _BLOCK])
        for i in range(0, len(source), _BLOCK)
    ]
    return np.concatenate(parts)


def _take_ms_ssim(inputs: EvaluationInputs) -> Iterable[Measure]:
    reference = inputs.reference
    large = min(reference.real.shape[1:]) >= _LARGE
    options: dict[str, Any] = {
        "convention": "standard" if large else "small",
        "random_state": reference.seed,
    }
    real = ms_ssim_diversity(reference.real[:_IMAGES], **options)
    yield ms_ssim_diversity(inputs.samples[:_IMAGES], details={"real": real.value}, **options)


def _take_critic(inputs: EvaluationInputs) -> Iterable[Measure]:
    """Train the critic on half of the real data, and evaluate it on the other half."""
    reference = inputs.reference
    if reference.kind == "images":
        real, generated, details = reference.real, inputs.samples, {}
    else:
        real, generated, details = reference.real_rows, inputs.rows, reference.details
    order = np.random.default_rng(reference.seed).permutation(len(real))
    validation, test = (take(real, np.sort(half)) for half in np.array_split(order, 2))
    yield independent_critic(
        generated, validation, test, random_state=reference.seed, details=details
    )


def _take_ngrams(inputs: EvaluationInputs) -> Iterable[Measure]:
    for n in (4, 6):
        yield ngram_divergence(
            inputs.reference.real, inputs.samples, n=n, random_state=inputs.reference.seed
        )


_POINTS = ("rows", "images")
_ALL = ("table", "rows", "images")

#: Every measure that :func:`evaluate` takes, by the name to ask for it.
MEASURES: dict[str, MeasureEntry] = {
    "column_fidelity": MeasureEntry(
        ("table",),
        lambda j: [column_fidelity(j.reference.real, j.samples, random_state=j.reference.seed)],
    ),
    "pair_fidelity": MeasureEntry(
        ("table",),
        lambda j: [pair_fidelity(j.reference.real, j.samples, random_state=j.reference.seed)],
    ),
    "broken_dependence": MeasureEntry(
        ("table",),
        lambda j: [
            broken_dependence(
                j.reference.real, j.samples, train=j.reference.train, random_state=j.reference.seed
            )
        ],
    ),
    "train_on_synthetic": MeasureEntry(
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
    "fid": MeasureEntry(_POINTS, lambda j: [fid(j.reference.real_rows, j.rows, **_options(j))]),
    "kid": MeasureEntry(_POINTS, lambda j: [kid(j.reference.real_rows, j.rows, **_options(j))]),
    "prdc": MeasureEntry(
        _POINTS, lambda j: prdc(j.reference.real_rows, j.rows, details=j.reference.details)
    ),
    "inception_score": MeasureEntry(("images",), _take_inception_score, ("classifier",)),
    "class_modes": MeasureEntry(("images",), _take_class_modes, ("classifier",)),
    "ms_ssim_diversity": MeasureEntry(("images",), _take_ms_ssim),
    "sliced_wasserstein": MeasureEntry(
        _POINTS,
        lambda j: [sliced_wasserstein(j.reference.real_rows, j.rows, **_options(j))],
    ),
    "wasserstein": MeasureEntry(("rows",), _take_wasserstein),
    "mmd": MeasureEntry(_ALL, lambda j: [mmd(*_point_pair(j, _SLOW_ROWS), **_options(j))]),
    "two_sample": MeasureEntry(_ALL, _take_two_sample),
    "critic": MeasureEntry(_ALL, _take_critic, on_request=True),
    "ngrams": MeasureEntry(("text",), _take_ngrams),
    "privacy": MeasureEntry(_ALL, _take_privacy, ("train",)),
    "likelihood": MeasureEntry(_ALL, _take_likelihood, ("model",)),
    "ood": MeasureEntry(_ALL, _take_ood, ("model", "other")),
}
