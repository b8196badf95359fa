"""All measures that suit the data, in one call, of one model or of several."""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

from ..deprecation import renamed
from ..errors import DataError, ParameterError
from ..training.threads import threads_for
from ..validation import Integer, as_seed, check
from ..wording import did_you_mean, setting
from .evaluation_inputs import EvaluationInputs, Reference
from .measure import Measure
from .measure_registry import MEASURES
from .results import Comparison, Evaluation

__all__ = ["MEASURES", "compare", "evaluate"]


@renamed(seed="random_state", labels="y")
def evaluate(
    model_or_samples: Any, real: Any, *, measures: Iterable[str] | None = None,
    features: Any = None, weights: str | os.PathLike | None = None,
    cache: str | os.PathLike | bool | None = None, train: Any = None, y: Any = None,
    other: Any = None, target: str | int | None = None, n: int = 10_000, random_state: Any = 0,
    name: str | None = None, report: Callable[[str, float], object] | None = None,
    pixel_range: Any = None,
) -> Evaluation:  # fmt: skip
    """Evaluate a model, or samples of one, by every measure that suits the data.

    Which measures those are follows from ``real``: of a DataFrame those of tables, of a 2-D array
    of numbers those of points, of uint8 images those of images and their features, of a list of
    str those of text. :data:`MEASURES` has them all.

    Args:
        model_or_samples: samples like ``real``; or a model: anything with ``sample`` and, for
            likelihoods and other data, ``score_samples``.
        real: rows the model was *not* fitted on, at least as many as samples if there are.
        measures: names of :data:`MEASURES`; None for all that suit the data and can be taken
            soon: "critic", which trains a network for a minute, only comes when asked for. Those
            that cannot be taken are in ``skipped`` of the result, with the reason.
        features: of images: a name such as "inception" or "classifier", a torch module or a
            function (see :func:`pushforward.metrics.features.find_features`). By default a
            classifier trained on ``train`` where there are labels, or else principal components.
        weights: of the features "inception" and "cifar_resnet...": a file, or its folder.
        cache: folder to keep features of images and a learned classifier in; True for the
            user's cache folder; False for neither. By default only the classifier is kept, in
            the user's cache folder.
        train: rows the model was fitted on, for memorisation and typicality.
        y: classes of the training images, where ``train`` does not have them.
        other: rows of another kind, that a model should find strange.
        target: the column that ``train_on_synthetic`` predicts.
        n: rows of either side at most; more real rows or samples are thinned at random.
        random_state: of everything that is drawn: the same seed, the same figures.
        name: of what is judged.
        report: called with (what is being done, share done).
        pixel_range: the values (low, high) of black and white of images that are no bytes.

    Returns:
        The measures with their intervals; ``print`` it, or see ``to_frame`` and ``to_dict``.

    Raises:
        DataError: for data that cannot be compared.
        ParameterError: for an unknown measure, or one asked for by name that cannot be taken.

    Examples:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> found = evaluate(rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + 3)
        >>> found["two_sample_auroc"].value > 0.95
        True
    """
    seed = as_seed(random_state)
    _check_n(n)
    reference = Reference.of(
        real, train=train, other=other, features=features, labels=y, target=target, n=n,
        seed=seed, report=report, weights=weights, cache=cache, pixel_range=pixel_range,
    )  # fmt: skip
    wanted = _checked(measures, reference)
    found = _evaluated(model_or_samples, reference, wanted, n, name)
    if measures is not None and found.skipped:
        lacking = "; ".join(f"{key}: {reason}" for key, reason in found.skipped.items())
        raise ParameterError(f"What measures asks for cannot be taken of {found.name}: {lacking}")
    return found


@renamed(seed="random_state", labels="y")
def compare(
    models: Mapping[str, Any], real: Any, *, measures: Iterable[str] | None = None,
    features: Any = None, weights: str | os.PathLike | None = None,
    cache: str | os.PathLike | bool | None = None, train: Any = None, y: Any = None,
    other: Any = None, target: str | int | None = None, n: int = 10_000, random_state: Any = 0,
    report: Callable[[str, float], object] | None = None, pixel_range: Any = None,
) -> Comparison:  # fmt: skip
    """Compare several models or sets of samples by the same measures, real rows and features.

    Args:
        models: models or samples by name. Training rows as one of them show what a perfect
            memory would score.
        real, measures, features, weights, cache, train, y, other, target, n,
            random_state, report, pixel_range: as of :func:`evaluate`.

    Examples:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> real = rng.normal(size=(200, 2))
        >>> samples = {"near": rng.normal(size=(200, 2)), "far": rng.normal(size=(200, 2)) + 2}
        >>> compare(samples, real, measures=["fid"]).best("fid")
        'near'
    """
    seed = as_seed(random_state)
    if not isinstance(models, Mapping):
        raise ParameterError(
            f"models is a {type(models).__name__}. Expected models or samples by name: "
            "{name: model}."
        )
    if not models:
        raise ParameterError("No models were given. Expected at least one, as {name: model}.")
    _check_n(n)
    reference = Reference.of(
        real, train=train, other=other, features=features, labels=y, target=target, n=n,
        seed=seed, report=report, weights=weights, cache=cache, pixel_range=pixel_range,
    )  # fmt: skip
    wanted = _checked(measures, reference)
    return Comparison(
        {name: _evaluated(model, reference, wanted, n, name) for name, model in models.items()}
    )


def _checked(measures: Iterable[str] | None, reference: Reference) -> list[str]:
    """Names of the measures to take, in the order of :data:`MEASURES`."""
    suit = [key for key, entry in MEASURES.items() if reference.kind in entry.kinds]
    usual = [key for key in suit if not MEASURES[key].on_request]
    wanted = usual if measures is None else list(measures)
    for one in wanted:
        if one not in suit:
            raise ParameterError(
                f"{setting('measures')} has {one!r}{did_you_mean(one, suit)}, and the data are "
                f"taken for {reference.kind}. Expected of: {', '.join(suit)}."
            )
    return [key for key in suit if key in wanted]


def _evaluated(
    model_or_samples: Any, reference: Reference, wanted: list[str], n: int, name: str | None
) -> Evaluation:
    small = reference.kind in ("table", "rows")
    with threads_for(reference.real_rows.size) if small else nullcontext():
        return _taken(EvaluationInputs.of(model_or_samples, reference, n), wanted, name)


def _taken(inputs: EvaluationInputs, wanted: list[str], name: str | None) -> Evaluation:
    reference = inputs.reference
    if name is None:
        name = type(inputs.model).__name__ if inputs.model is not None else "samples"
    found: list[Measure] = []
    skipped: dict[str, str] = {}
    for i, key in enumerate(wanted):
        if reference.report:
            reference.report(f"{name}: {key}", i / len(wanted))
        lacking = MEASURES[key].missing_requirement(inputs)
        if lacking is None:
            try:
                found.extend(MEASURES[key].take(inputs))
                continue
            except DataError as error:
                lacking = str(error)
        skipped[key] = lacking
    return Evaluation(tuple(found), reference.kind, name, skipped)


def _check_n(n: int) -> None:
    check({"n": Integer(4)}, {"n": n})
