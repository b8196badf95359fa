"""Measures of generated tables: columns, pairs of columns, and use for prediction."""

from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ..deprecation import renamed
from ..errors import DataError, ParameterError
from ..validation import as_seed
from ..wording import did_you_mean, setting
from .measure import Measure
from .table_encoding import TableCode
from .uncertainty import jackknife, normal_interval

__all__ = ["column_fidelity", "pair_fidelity", "train_on_synthetic"]

_WORST = 10
_FEWEST_IN_BOTH = 20  # real rows that have both cells of a pair
_MOST_WITHOUT = 0.5  # share of the real rows that may lack a target nobody named


@renamed(seed="random_state")
def column_fidelity(real: Any, generated: Any, *, random_state: Any = 0) -> Measure:
    """1 - the distance of each column's distributions, averaged: 1 is perfect.

    Kolmogorov and Smirnov's distance (the largest between distribution functions) of continuous,
    integer and grid columns, total variation of categories and booleans. Of a column with missing
    cells the distance is that of the known cells, or the difference between the shares of missing
    ones where that is larger. Finite samples take away some of it; ``details["bias"]`` estimates
    how much.

    Args:
        real, generated: tables of shape (n, p) and (m, p), any container, columns of any kind,
            with missing cells or without.
        random_state: of the groups of the jackknife.

    Raises:
        DataError: for tables that cannot be used or have other columns.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(300, 2))
        >>> column_fidelity(X, X).value
        1.0
    """
    seed = as_seed(random_state)
    code, a, b = _encoded(real, generated)
    each = _column_distances(code, a, b)
    value = 1 - float(each.mean())
    error, bias = jackknife(
        lambda i, j: 1 - float(_column_distances(code, a[i], b[j]).mean()),
        len(a), len(b), value, seed,
    )  # fmt: skip
    details = _details(a, b, error, bias, seed)
    details["columns"] = dict(zip(code.names, (1 - each).tolist(), strict=True))
    if np.isnan(a).any() or np.isnan(b).any():
        shares = np.stack([np.isnan(x).mean(axis=0) for x in (a, b)], axis=1).tolist()
        parts = zip(code.names, shares, strict=True)
        details["missing"] = {name: share for name, share in parts if any(share)}
    interval = normal_interval(value, error, 0.0, 1.0)
    notes = (*_few(a, b), *_never_made(code, b))
    return Measure("column_fidelity", value, interval, "higher", details, notes)


def _column_distances(code: TableCode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    found = np.empty(a.shape[1])
    for j in range(a.shape[1]):
        x, y = (side[~np.isnan(side[:, j]), j] for side in (a, b))
        missing = abs(len(x) / len(a) - len(y) / len(b))
        if not (len(x) and len(y)):  # nothing to compare, unless both have nothing
            found[j] = float(len(x) + len(y) > 0)
            continue
        _, kind = np.unique(np.concatenate([x, y]), return_inverse=True)
        counts = [np.bincount(k, minlength=kind.max() + 1) for k in np.split(kind, [len(x)])]
        apart = counts[0] / len(x) - counts[1] / len(y)
        known = np.abs(np.cumsum(apart)).max() if code.ordered(j) else np.abs(apart).sum() / 2
        found[j] = max(known, missing)
    return np.minimum(found, 1.0)


@renamed(seed="random_state")
def pair_fidelity(real: Any, generated: Any, *, random_state: Any = 0) -> Measure:
    """How well the dependence of pairs of columns is kept, averaged over all pairs: 1 is perfect.

    Two ordered columns: 1 - half the difference of their rank correlations. Other pairs: 1 - the
    total variation between the tables of their joint cells, ordered columns cut into the tenths of
    the real rows. A pair is compared among the rows that have both of its cells, and is left out
    where fewer than 20 real ones do; ranks are those among the known cells of a column.

    Args:
        real, generated: tables of shape (n, p) and (m, p) with p of at least 2.
        random_state: of the groups of the jackknife.

    Raises:
        DataError: as :func:`column_fidelity`, and for fewer than two columns.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(300, 2))
        >>> twisted = np.stack([X[:, 0], X[:, 0]], axis=1)
        >>> pair_fidelity(X, X).value, pair_fidelity(X, twisted).value < 0.6
        (1.0, True)
    """
    seed = as_seed(random_state)
    code, a, b = _encoded(real, generated)
    if a.shape[1] < 2:
        raise DataError("The table has one column. Expected at least two for a pair.")
    counted = _in_both(a)[np.triu_indices(a.shape[1], 1)] >= _FEWEST_IN_BOTH
    if not np.isnan(a).any():
        counted[:] = True
    if not counted.any():
        raise DataError(
            f"No two columns are known together in {_FEWEST_IN_BOTH} real rows. Expected some."
        )
    each = _pair_distances(code, a, b)[counted]
    value = 1 - float(each.mean())
    error, bias = jackknife(
        lambda i, j: 1 - float(_pair_distances(code, a[i], b[j])[counted].mean()),
        len(a), len(b), value, seed,
    )  # fmt: skip
    pairs = [pair for pair, k in zip(combinations(code.names, 2), counted, strict=True) if k]
    details = _details(a, b, error, bias, seed)
    details["worst_pairs"] = [
        {"columns": list(pairs[i]), "value": 1 - float(each[i])}
        for i in np.argsort(-each)[:_WORST]
    ]
    interval = normal_interval(value, error, 0.0, 1.0)
    return Measure("pair_fidelity", value, interval, "higher", details, _few(a, b))


def _pair_distances(code: TableCode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance of each pair of columns, in the order of ``combinations``."""
    p = a.shape[1]
    in_both = _in_both(a), _in_both(b)
    apart = np.abs(_joint(code, a, in_both[0]) - _joint(code, b, in_both[1]))
    first = code.cells(a[:1])[1][:-1]
    distance = np.add.reduceat(np.add.reduceat(apart, first, axis=0), first, axis=1) / 2
    ordered = np.flatnonzero([code.ordered(j) for j in range(p)])
    if len(ordered) > 1:
        both = np.ix_(ordered, ordered)
        distance[both] = np.abs(_correlation(a[:, ordered]) - _correlation(b[:, ordered])) / 2
    distance[(in_both[0] == 0) != (in_both[1] == 0)] = 1.0
    return np.minimum(distance[np.triu_indices(p, 1)], 1.0)


def _in_both(numbers: np.ndarray) -> np.ndarray:
    """How many rows have both cells of each pair of columns: (p, p)."""
    known = (~np.isnan(numbers)).astype(np.float64)
    return known.T @ known


def _joint(code: TableCode, numbers: np.ndarray, in_both: np.ndarray) -> np.ndarray:
    """Shares in each pair of cells, of the rows that have both: (cells, cells)."""
    cell, first = code.cells(numbers)
    member = np.zeros((len(numbers), first[-1]), dtype=np.float32)
    np.put_along_axis(member, cell, ~np.isnan(numbers), axis=1)
    column = np.repeat(np.arange(len(first) - 1), np.diff(first))
    total = np.maximum(in_both[np.ix_(column, column)], 1)
    return (member.T @ member).astype(np.float64) / total


def _correlation(x: np.ndarray) -> np.ndarray:
    """Rank correlations of the rows that have both numbers; 0 with a column that does not vary."""
    known = ~np.isnan(x)
    if not known.all():
        return _correlation_of_known(x, known)
    ranks = rankdata(x, axis=0)
    ranks -= ranks.mean(axis=0)
    length = np.linalg.norm(ranks, axis=0)
    ranks /= np.where(length > 0, length, 1)
    return ranks.T @ ranks


def _correlation_of_known(x: np.ndarray, known: np.ndarray) -> np.ndarray:
    """:func:`_correlation` of columns with missing cells, ranked among the known ones (n, p)."""
    rank = rankdata(x, axis=0, nan_policy="omit") / np.maximum(known.sum(axis=0), 1) - 0.5
    rank, known = np.where(known, rank, 0.0), known.astype(np.float64)
    n, total, square = known.T @ known, rank.T @ known, (rank**2).T @ known
    covariance = n * (rank.T @ rank) - total * total.T
    spread = np.sqrt(np.maximum(n * square - total**2, 0))
    length = spread * spread.T
    return np.divide(covariance, length, out=np.zeros_like(length), where=length > 1e-9 * n**2)


@renamed(seed="random_state")
def train_on_synthetic(
    real: Any, generated: Any, *, target: str | int | None = None, held_out: Any = None,
    all_rows: bool = False, random_state: Any = 0,
) -> Measure:  # fmt: skip
    """How well a model fitted on generated rows predicts a column of held-out real rows.

    Gradient-boosted trees; scored by AUROC (of more than two classes the mean of each against the
    rest) or, for an ordered target of more than two values, by rank correlation.
    ``details["train_real"]`` is the score after fitting on as many real rows; ``details["gap"]``
    what is lost. ``details["r2"]`` of an ordered target and ``details["balanced_accuracy"]`` of
    classes are what else users look at, ``details["train_real_r2"]`` and so on those of real rows.
    The trees take missing cells as they are; rows without a target are left out.

    Source: Esteban, Hyland and Rätsch, "Real-valued (medical) time series generation with
    recurrent conditional GANs", 2017, section 4 (TSTR).

    Args:
        real: table (n, p) to fit the reference on; half of it where ``held_out`` is None.
        generated: table (m, p).
        target: the column to predict; by default the last with categories, or else the last, of
            those that are known in half of the real rows if there are any.
        held_out: table of real rows to predict, that the generator has not seen.
        all_rows: fit on all the real and all the generated rows, instead of on as many of each
            as the smaller table has. A generator gives as many rows as one likes, and a model
            fitted on many loses less to the chance of the draw.
        random_state: of the split and of the trees.

    Raises:
        DataError: as :func:`column_fidelity`, and where the target does not vary.
        ParameterError: for a target that the table does not have.

    Examples:
        >>> X = np.random.default_rng(0).normal(size=(400, 2))
        >>> X[:, 1] += 2 * X[:, 0]
        >>> train_on_synthetic(X, X[::-1]).value > 0.7
        True
    """
    seed = as_seed(random_state)
    code, a, b = _encoded(real, generated)
    names = list(code.columns.labels)
    kinds = [code.ordered(j) for j in range(len(names))]
    if target is not None and target not in names:
        raise ParameterError(
            f"{setting('target')} is {target!r}{did_you_mean(target, names)}. Expected one of the "
            f"columns {names}."
        )
    varying = [j for j, column in enumerate(code.columns.columns) if column.kind != "constant"]
    if len(varying) < 2:
        raise DataError("Fewer than two columns vary. Expected a target and what tells it.")
    often = np.isnan(a).mean(axis=0) <= _MOST_WITHOUT
    chosen = (
        max(varying, key=lambda j: (often[j], not kinds[j], j))
        if target is None
        else names.index(target)
    )
    a, b = (_with_target(x, chosen, code.names[chosen]) for x in (a, b))
    rng = np.random.default_rng(seed)
    if held_out is None:
        order = rng.permutation(len(a))
        fitted, test = a[order[: len(a) // 2]], a[order[len(a) // 2 :]]
    else:
        fitted, test = a, _with_target(code.numbers(held_out), chosen, code.names[chosen])
    if not all_rows:
        size = min(len(fitted), len(b))
        fitted = fitted[rng.permutation(len(fitted))[:size]]
        b = b[rng.permutation(len(b))[:size]]
    truth = test[:, chosen]
    ordered = kinds[chosen] and len(np.unique(np.concatenate([fitted[:, chosen], truth]))) > 2
    score = _rank_score if ordered else _class_score
    answers = [_predict(train, test, chosen, ordered, seed) for train in (b, fitted)]
    value, reference = (score(truth, *answer) for answer in answers)
    also, also_score = ("r2", _r2) if ordered else ("balanced_accuracy", _balanced_accuracy)
    others = [also_score(truth, *answer) for answer in answers]
    error, _ = jackknife(
        lambda i, _: score(truth[i], answers[0][0][i], answers[0][1]),
        len(test), len(test), value, seed,
    )  # fmt: skip
    details = {
        "n_real": len(fitted),
        "n_generated": len(b),
        "n_test": len(test),
        "target": code.names[chosen],
        "score": "rank correlation" if ordered else "auroc",
        "train_real": reference,
        "gap": reference - value,
        also: others[0],
        f"train_real_{also}": others[1],
        "standard_error": error,
        "interval": "test rows left out in groups, normal",
        "seed": seed,
    }
    interval = normal_interval(value, error, -1.0 if ordered else 0.0, 1.0)
    return Measure("train_on_synthetic", value, interval, "higher", details)


def _with_target(rows: np.ndarray, target: int, name: str) -> np.ndarray:
    """The rows (n, p) that have a target."""
    there = ~np.isnan(rows[:, target])
    if there.sum() < 4:
        raise DataError(f"Only {there.sum()} rows have the target {name!r}. Expected at least 4.")
    return rows if there.all() else rows[there]


def _predict(
    train: np.ndarray, test: np.ndarray, target: int, ordered: bool, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions for the test rows, (n, outputs), and the classes they stand for."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    X, y = np.delete(train, target, axis=1), train[:, target]
    Z = np.delete(test, target, axis=1)
    seen = ~np.isnan(X).all(axis=0)  # of a column without any cell trees cannot be grown
    X, Z = X[:, seen], Z[:, seen]
    classes = np.unique(y)
    if len(classes) < 2 or not seen.any():
        return np.ones((len(test), 1)), classes
    # Without the penalty the steps of many classes can diverge: of Adult, whose `education` is a
    # function of `education_num`, real rows predicted it with an AUROC of 0.52 instead of 1.
    options = {"random_state": seed, "l2_regularization": 1.0}
    if ordered:
        predicted = HistGradientBoostingRegressor(**options).fit(X, y).predict(Z)
        return predicted[:, None], classes
    model = HistGradientBoostingClassifier(**options).fit(X, y)
    return model.predict_proba(Z), model.classes_


def _rank_score(truth: np.ndarray, predicted: np.ndarray, classes: np.ndarray) -> float:
    return float(_correlation(np.stack([truth, predicted[:, 0]], axis=1))[0, 1])


def _r2(truth: np.ndarray, predicted: np.ndarray, classes: np.ndarray) -> float:
    """Share of the variance that is predicted; 0 where there is none."""
    left, all_of_it = ((truth - predicted[:, 0]) ** 2).sum(), ((truth - truth.mean()) ** 2).sum()
    return float(1 - left / all_of_it) if all_of_it > 0 else 0.0


def _balanced_accuracy(truth: np.ndarray, predicted: np.ndarray, classes: np.ndarray) -> float:
    """Mean over the classes of the share of their rows that are called that class."""
    right = classes[predicted.argmax(axis=1)] == truth
    return float(np.mean([right[truth == kind].mean() for kind in np.unique(truth)]))


def _class_score(truth: np.ndarray, predicted: np.ndarray, classes: np.ndarray) -> float:
    """Mean one-vs-rest AUROC over the classes; 0.5 for a class without training rows."""
    found = []
    for kind in np.unique(truth):
        inside = truth == kind
        n, m = int(inside.sum()), int((~inside).sum())
        if n == 0 or m == 0:
            continue
        column = np.flatnonzero(classes == kind)
        score = predicted[:, column[0]] if len(column) else np.zeros(len(truth))
        ranks = rankdata(score)[inside].sum()
        found.append((ranks - n * (n + 1) / 2) / (n * m))
    if not found:
        raise DataError("The target has one value in the test rows. Expected at least two.")
    return float(np.mean(found))


def _encoded(real: Any, generated: Any) -> tuple[TableCode, np.ndarray, np.ndarray]:
    code = TableCode.learn(real)
    a, b = code.numbers(real), code.numbers(generated)
    if min(len(a), len(b)) < 4:
        raise DataError(f"{len(a)} real and {len(b)} generated rows. Expected at least 4 of each.")
    return code, a, b


def _details(a: np.ndarray, b: np.ndarray, error: float, bias: float, seed: int) -> dict[str, Any]:
    return {
        "n_real": len(a),
        "n_generated": len(b),
        "standard_error": error,
        "bias": bias,
        "interval": "rows left out in groups, normal",
        "seed": seed,
    }


def _never_made(code: TableCode, b: np.ndarray) -> tuple[str, ...]:
    """Which columns of the samples are empty, as those that a fit has left out are."""
    bare = np.flatnonzero(np.isnan(b).all(axis=0))
    if not len(bare):
        return ()
    names = ", ".join(repr(code.names[j]) for j in bare)
    return (f"No sample has a cell in {names}: such columns are taken for wholly wrong.",)


def _few(a: np.ndarray, b: np.ndarray) -> tuple[str, ...]:
    size = min(len(a), len(b))
    if size >= 200:
        return ()
    return (
        f"{size} rows: chance alone takes away about {0.9 / size**0.5:.2g}. Take 200 or more.",
    )
