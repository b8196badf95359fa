"""Density of tables of which cells are missing in the fit.

    python -m benchmarks.holes --seeds 0 1 2

The tables are those of `benchmarks.asking` but for cardio: some of its columns are sums of others,
and a Gaussian has no density there. 30 % of the cells of the training rows are removed at random.
`holes` is the mean log density of complete test rows, in nats a row, under the automatic model
fitted to what is left, `complete` under that fitted to the whole training rows, `fewer` to 70 % of
the training rows, whole, and `gaussian` under one Gaussian of the whole training rows. `bound` is
that of rows whose missing cells were drawn by the density that was fitted to the whole rows: what
is left to lose for a fit that completes its rows as well as can be.
`told` is what the model fitted to holes says of itself (`held_out_`), a density of known cells,
and `fresh` the mean log density of test rows of which as many cells are removed, which it
estimates.
"""

import argparse
import time
from contextlib import contextmanager

import numpy as np

from .asking import TABLES as ASKED
from .asking import load
from .common import RESULTS, run_all

KEY = ("table", "seed")
TABLES = tuple(table for table in ASKED if table != "cardio")
SHARE = 0.3  # of the cells of training rows
_MOST = 1500  # rows of a table


def removed(X, rng):
    """The rows without some of their cells."""
    gone = rng.random(X.shape) < SHARE
    gone[gone.all(axis=1), 0] = False  # something is known of each row
    return np.where(gone, np.nan, X)


def gaussian(train, test):
    """Mean log density of test rows under one Gaussian of the training rows."""
    from scipy.stats import multivariate_normal

    mean, scale = train.mean(axis=0), train.std(axis=0)
    correlation = np.corrcoef(train.T) + 1e-9 * np.eye(len(scale))
    law = multivariate_normal(np.zeros(len(scale)), correlation)
    return float(law.logpdf((test - mean) / scale).mean() - np.log(scale).sum())


@contextmanager
def completed_by(model):
    """Inside, fits draw the missing cells of their rows by this density."""
    from unittest import mock

    from pushforward.estimators import table_density

    def completions(learned, count, *_, **more):
        if learned.columns.complete(learned.X).all():
            return [learned.X]
        given = model.given(learned.X, n_draws=200, random_state=0)
        drawn = np.asarray(given.sample(count, random_state=0), dtype=float)
        return [*drawn.reshape(len(learned.X), count, -1).transpose(1, 0, 2)]

    with mock.patch.object(table_density, "completions", completions):
        yield


def work(table, seed):
    """Fit to holes, and to whole rows."""
    import torch

    import pushforward

    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    X = load(table)
    X = X[rng.permutation(len(X))[:_MOST]]
    n = round(0.7 * len(X))
    train, test = X[:n], X[n:]
    holes, fresh = removed(train, rng), removed(test, rng)
    found = {"n": n, "columns": X.shape[1], "gaussian": round(gaussian(train, test), 3)}
    few = train[: round((1 - SHARE) * n)]
    fits = {}
    for name, rows in (("complete", train), ("fewer", few), ("holes", holes)):
        began = time.process_time()
        fits[name] = model = pushforward.AutoDensity(random_state=seed).fit(rows)
        found[f"{name}_cpu_s"] = round(time.process_time() - began, 1)
        found[name] = round(model.score(test), 3)
    with completed_by(fits["complete"]):
        best = pushforward.AutoDensity(random_state=seed).fit(holes)
    found["bound"] = round(best.score(test), 3)
    each = model.score_samples(fresh)
    return found | {
        "told": round(model.held_out_, 3),
        "fresh": round(float(each.mean()), 3),
        "fresh_error": round(float(each.std() / len(each) ** 0.5), 3),
    }


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.holes", description=__doc__)
    parser.add_argument("--tables", nargs="+", default=[*TABLES], choices=TABLES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    jobs = [{"table": table, "seed": seed} for seed in options.seeds for table in options.tables]
    run_all(
        jobs, work=work, key=KEY, out=RESULTS / "holes.json", module="benchmarks.holes",
        timeout=lambda job: 3600, package=lambda job: "pushforward", again=options.again,
    )  # fmt: skip


if __name__ == "__main__":
    main()
