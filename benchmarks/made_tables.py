"""Tables whose law is known, drawn in any number: numbers, whole numbers, mixed, heavy tails."""

from collections.abc import Callable

import numpy as np
import pandas as pd


def normal(n, rng):
    """Five correlated normal columns."""
    factor = np.tril(np.ones((5, 5))) * 0.6
    return pd.DataFrame(rng.normal(size=(n, 5)) @ factor.T, columns=list("abcde"))


def mixture(n, rng):
    """Three clusters in four columns, one of them bent."""
    mean = np.array([[0, 0, 0, 0], [4, 1, -3, 0], [-3, 4, 2, 3]], dtype=float)
    which = rng.choice(3, size=n, p=[0.5, 0.3, 0.2])
    x = mean[which] + rng.normal(size=(n, 4)) * np.array([1.0, 0.5, 0.8])[which][:, None]
    x[:, 1] += 0.3 * x[:, 0] ** 2
    return pd.DataFrame(x, columns=list("abcd"))


def student(n, rng):
    """Four columns with tails of a Student's t of three degrees, correlated."""
    z = rng.normal(size=(n, 4)) @ np.tril(np.ones((4, 4)) * 0.7).T
    return pd.DataFrame(z / np.sqrt(rng.chisquare(3, size=(n, 1)) / 3), columns=list("abcd"))


def lognormal(n, rng):
    """Three dependent columns with long upper tails."""
    z = rng.normal(size=(n, 3))
    z[:, 1] += 0.8 * z[:, 0]
    return pd.DataFrame(np.exp(1.2 * z), columns=list("abc"))


def bounded(n, rng):
    """Three columns between 0 and 1, one of them piled up at both ends."""
    u = rng.random((n, 2))
    return pd.DataFrame({"a": u[:, 0], "b": u.mean(1), "c": rng.beta(0.6, 0.6, size=n)})


def integers(n, rng):
    """Thirteen columns of whole numbers, of two to some hundred values, as in patients' files."""
    z = rng.normal(size=(n, 13))
    z += 0.8 * rng.normal(size=(n, 1))
    z[:, 7:] += 0.5 * z[:, :6]
    out = {}
    for j, values in enumerate((2, 2, 2, 3, 3, 4, 4, 5)):
        edges = np.linspace(-1.1, 1.4, values - 1) if values > 2 else np.array([0.3])
        out[f"code{j}"] = np.searchsorted(edges, z[:, j])
    out["age"] = np.clip(np.round(54 + 7 * z[:, 8]), 18, 95).astype(int)
    out["pressure"] = 2 * np.round(65 + 7 * z[:, 9]).astype(int)
    out["cholesterol"] = np.round(180 * np.exp(0.15 * z[:, 10])).astype(int)
    out["rate"] = np.round(150 - 16 * z[:, 11]).astype(int)
    out["vessels"] = rng.poisson(np.exp(0.4 * z[:, 12] - 0.7))
    return pd.DataFrame(out)


def counts(n, rng):
    """Four counts that rise together, from few values to many."""
    rate = np.exp(0.6 * rng.normal(size=(n, 1)) + np.array([0.0, 1.0, 2.5, 4.0]))
    return pd.DataFrame(rng.poisson(rate), columns=list("abcd"))


def purchases(n, rng):
    """Numbers, a whole number, categories and an amount that is zero for a third of the rows."""
    kind = rng.choice(["new", "known", "firm"], size=n, p=[0.5, 0.4, 0.1])
    level = pd.Series(kind).map({"new": 0.0, "known": 0.7, "firm": 2.0}).to_numpy()
    spent = np.exp(3 + level + 0.5 * rng.normal(size=n))
    return pd.DataFrame(
        {
            "kind": kind,
            "channel": rng.choice(["shop", "web", "post"], size=n, p=[0.6, 0.35, 0.05]),
            "items": 1 + rng.poisson(1 + level),
            "spent": np.where(rng.random(n) < 0.35, 0.0, spent.round(2)),
            "minutes": rng.gamma(2.0, 3.0 + 2 * level, size=n),
        }
    )


def square(n, rng):
    """Two independent normal columns."""
    return pd.DataFrame(rng.normal(size=(n, 2)), columns=["x", "y"])


def collinear(n, rng):
    """A normal column, its double and itself plus one."""
    a = rng.normal(size=n)
    return pd.DataFrame({"a": a, "b": 2 * a, "c": a + 1})


#: A function of the number of rows and a generator for each.
MADE: dict[str, Callable] = {
    f.__name__: f
    for f in (
        normal,
        mixture,
        student,
        lognormal,
        bounded,
        integers,
        counts,
        purchases,
        square,
        collinear,
    )
}
