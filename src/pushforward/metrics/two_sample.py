"""Classifier two-sample tests of generated against real rows."""

import math
from typing import Any

import numpy as np
from scipy.special import ndtr
from scipy.stats import rankdata

from ..deprecation import renamed
from ..errors import ParameterError
from ..validation import as_seed
from .arrays import pair
from .measure import Measure
from .out_of_distribution import auroc

__all__ = ["CLASSIFIERS", "classifier_two_sample"]

CLASSIFIERS = ("boosting", "logistic", "neighbours")
_FOLDS = 5
_FEWEST_KNOWN = 10  # cells of a column that is looked at
_TREES = 100  # of the boosted classifier


@renamed(seed="random_state")
def classifier_two_sample(
    real: Any, generated: Any, *, classifier: Any = "boosting", missing: bool = False,
    random_state: Any = 0, details: dict[str, Any] | None = None,
) -> Measure:  # fmt: skip
    """AUROC of a classifier of real against generated rows, on rows it was not fitted on.

    0.5: it cannot tell; 1: it always can. Scores come from five-fold cross-validation, as ranks
    within each fold; the interval is DeLong's, and ``details["p_value"]`` is that of equal
    distributions, one-sided, by the rank-sum test with ties. The power of the test is the
    classifier's: what it cannot learn from these rows it does not see.

    Source: Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", 2017, with the area
    under the curve for the accuracy.

    Args:
        real, generated: (n, d) and (m, d) of at least 25 rows each; the more frequent is thinned
            to the size of the other.
        classifier: "boosting" (of trees, finds most in tables), "logistic" (linear, for features
            of networks), "neighbours" (15 nearest, for few dimensions), or any scikit-learn
            classifier with ``predict_proba``, which is cloned.
        missing: whether NaN are missing cells, which the trees of "boosting" take as they are:
            where holes are, and what they depend on, tells rows apart as well.
        random_state: of the folds and of the classifier.
        details: what is known of the features, to go into the measure's details.

    Raises:
        DataError: for samples that are not finite, of different widths or of under 25 rows.
        ParameterError: for another classifier.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(400, 2))
        >>> near = classifier_two_sample(X[:200], X[200:], classifier="neighbours")
        >>> far = classifier_two_sample(X[:200], X[200:] * 3, classifier="neighbours")
        >>> near.details["p_value"] > 0.01 > far.details["p_value"]
        True
    """
    seed = as_seed(random_state)
    from sklearn.base import clone
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    real, generated = pair(real, generated, minimum=5 * _FOLDS, missing=missing)
    rng = np.random.default_rng(seed)
    size = min(len(real), len(generated))
    real, generated = (
        x if len(x) == size else x[np.sort(rng.choice(len(x), size, replace=False))]
        for x in (real, generated)
    )
    X = np.concatenate([real, generated]).astype(np.float64)
    if missing:  # of a column without any cell in a fold trees cannot be grown
        X = X[:, (~np.isnan(X)).sum(axis=0) >= _FEWEST_KNOWN]
    y = np.repeat([1, 0], size)
    model, name = make_classifier(classifier, seed), classifier
    if not isinstance(classifier, str):
        model, name = clone(classifier), type(classifier).__name__
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    answers: Any = cross_val_predict(model, X, y, cv=folds, method="predict_proba")
    scores = np.asarray(answers)[:, 1]
    for _, fold in folds.split(X, y):
        scores[fold] = rankdata(scores[fold]) / len(fold)
    area = auroc(scores[:size], scores[size:])
    details = {
        "n_real": size,
        "n_generated": size,
        "classifier": name,
        "folds": _FOLDS,
        "p_value": _rank_sum_p_value(scores[:size], scores[size:]),
        "interval": "DeLong, logit",
        "seed": seed,
        **(details or {}),
    }
    return Measure("two_sample_auroc", area.value, area.interval, "lower", details)


def _rank_sum_p_value(a: np.ndarray, b: np.ndarray) -> float:
    """Probability of an area this large or larger when a and b are alike."""
    n, m = len(a), len(b)
    total = n + m
    ranks = rankdata(np.concatenate([a, b]))
    _, ties = np.unique(ranks, return_counts=True)
    variance = n * m / 12 * (total + 1 - np.sum(ties**3 - ties) / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    above = ranks[:n].sum() - n * (n + 1) / 2 - n * m / 2
    return float(ndtr(-above / math.sqrt(variance)))


def make_classifier(kind: Any, seed: int) -> Any:
    if kind == "boosting":
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(max_iter=_TREES, random_state=seed)
    if kind == "logistic":
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    if kind == "neighbours":
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), KNeighborsClassifier(15))
    if not hasattr(kind, "predict_proba"):  # as scikit-learn asks: some lack it by their settings
        raise ParameterError(
            f"classifier is {kind!r}. Expected one of {CLASSIFIERS} or a scikit-learn classifier "
            "with predict_proba."
        )
    return None
