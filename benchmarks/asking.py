"""Filling missing cells in: the automatic model of a table against imputers made for it.

    python -m benchmarks.asking --seeds 0 1 2
    python -m benchmarks.asking --shares 0.1 0.5
    python -m benchmarks.asking --missing random --methods missforest mice

The models are fitted on 70 % of the rows and fill in the others. A share of the cells is removed
from both: evenly (`random`), or large values of a column up to twice as often as small ones
(`large`). `rmse` is the root mean squared error of the cells removed from the others in standard
deviations of their column in whole rows of the fit. `crps` is the continuous ranked probability
score in the same unit, from 20 draws of each cell, of the methods that draw; `inside` the share of
removed cells between the lowest and the highest draw, which for 20 draws of the truth is `level`.

The peers are scikit-learn's imputers: column means, five nearest neighbours, chained Bayesian
ridge regressions, which draw too, and chained extra trees; and, which take many times as long,
chained random forests (missForest) and chained boosted trees with predictive mean matching, which
draw (miceforest, with lightgbm 4.5: it fails with later ones). The last gets the rows to fill in
among those of the fit: for new rows it is far worse. hyperimpute 0.1.17 is left out: with
scikit-learn 1.9 its regressions fail, and it gives column means.

The method `whole` is the automatic model fitted to the same rows before cells were removed: what
it could know at best of the cells to fill in.
"""

import argparse
import time

import numpy as np

from .common import RESULTS, run_all, shared

KEY = ("table", "missing", "share", "seed", "method")
METHODS = ("pushforward", "mean", "neighbours", "ridge", "trees")
SLOW = {"missforest": "scikit-learn", "mice": "miceforest"}
BOUND = "whole"  # no imputer: fitted to cells that are removed for the others
ADBENCH = {
    "cardio": "6_cardio", "thyroid": "38_thyroid", "vowels": "40_vowels", "wilt": "44_Wilt",
    "magic": "22_magic.gamma", "ionosphere": "18_Ionosphere",
}  # fmt: skip
TABLES = ("iris", "wine", "diabetes", "breast_cancer", *ADBENCH)
MECHANISMS = ("random", "large")
DRAWS = 20
_MOST = 800  # rows of a table
_MOST_HELD = 100  # of which some cells are filled in


def load(name):
    """The columns of numbers of a table that vary, (n, p)."""
    import sklearn.datasets

    if name in ADBENCH:
        X = np.load(shared("data", "adbench", f"{ADBENCH[name]}.npz"), allow_pickle=False)["X"]
    else:
        options = {"scaled": False} if name == "diabetes" else {}
        X = getattr(sklearn.datasets, f"load_{name}")(**options).data
    X = np.asarray(X, dtype=float)
    return X[:, X.std(axis=0) > 0]


def divided(name, mechanism, share, seed):
    """Rows to fit on, rows to fill in, and which cells of both are removed."""
    rng = np.random.default_rng(seed)
    X = load(name)
    X = X[rng.permutation(len(X))[:_MOST]]
    train, held = X[: round(0.7 * len(X))], X[round(0.7 * len(X)) :][:_MOST_HELD]
    gone = []
    for part in (train, held):
        chance = np.full(part.shape, share)
        if mechanism == "large":
            columns = zip(train.T, part.T, strict=True)
            rank = np.array([np.searchsorted(np.sort(own), cells) for own, cells in columns])
            chance *= (2 / 3) * (1 + rank.T / len(train))
        gone.append(rng.random(part.shape) < chance)
        gone[-1][gone[-1].all(axis=1), 0] = False  # something is known of each row
    return train, held, *gone


def _ours(train, holes, seed):
    """Filled rows, and draws of them (DRAWS, n, p)."""
    import pushforward

    model = pushforward.AutoDensity(random_state=seed).fit(train)
    fitted = time.process_time()
    mean = model.impute(holes, random_state=seed)
    given = model.given(holes, n_draws=200, random_state=seed)
    draws = given.sample(DRAWS, random_state=seed).reshape(len(holes), DRAWS, -1)
    return mean, draws.transpose(1, 0, 2), fitted


def _theirs(method, train, holes, seed):
    """The same of a peer; no draws of those that have none."""
    if method == "mice":
        return _mice(train, holes, seed)
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

    def chained(regressor, **options):
        return IterativeImputer(regressor, random_state=seed, **options)

    imputer = {
        "mean": SimpleImputer,
        "neighbours": KNNImputer,
        "ridge": lambda: chained(None),
        "trees": lambda: chained(ExtraTreesRegressor(50, random_state=seed), max_iter=5),
        # Stekhoven and Buehlmann (2012): 100 trees, at most ten rounds
        "missforest": lambda: chained(RandomForestRegressor(100, random_state=seed), max_iter=10),
    }[method]().fit(train)
    fitted = time.process_time()
    draws = None
    if method == "ridge":
        drawing = [
            IterativeImputer(sample_posterior=True, random_state=seed + k).fit(train)
            for k in range(DRAWS)
        ]
        draws = np.stack([one.transform(holes) for one in drawing])
    return imputer.transform(holes), draws, fitted


def _mice(train, holes, seed):
    """Chained equations as miceforest has them: five rounds, the mean of the draws."""
    import miceforest
    import pandas as pd

    names = [f"c{j}" for j in range(train.shape[1])]
    kernel = miceforest.ImputationKernel(
        pd.DataFrame(np.concatenate([train, holes]), columns=names),
        num_datasets=DRAWS, random_state=seed,
    )  # fmt: skip
    kernel.mice(5)
    draws = np.stack([kernel.complete_data(k).to_numpy()[len(train) :] for k in range(DRAWS)])
    return draws.mean(axis=0), draws, time.process_time()


def work(table, missing, share, seed, method):
    """Fill the removed cells in, and judge."""
    import warnings

    import torch

    torch.set_num_threads(1)
    train, held, lost, gone = divided(table, missing, share, seed)
    scale = train.std(axis=0)
    holes = np.where(gone, np.nan, held)
    if method != BOUND:
        train = np.where(lost, np.nan, train)
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of iterations that did not converge
        if method in ("pushforward", BOUND):
            mean, draws, fitted = _ours(train, holes, seed)
        else:
            mean, draws, fitted = _theirs(method, train, holes, seed)
    done = time.process_time()
    error = ((mean - held) / scale)[gone]
    row = {
        "n": len(train),
        "columns": train.shape[1],
        "cells": int(gone.sum()),
        "rmse": round(float(np.sqrt((error**2).mean())), 4),
        "fit_cpu_s": round(fitted - began, 1),
        "fill_cpu_s": round(done - fitted, 1),
    }
    if draws is not None:
        row |= _of_draws(((draws - held) / scale)[:, gone])
    return row


def _of_draws(off):
    """Scores of draws less the truth, (DRAWS, cells)."""
    between = np.abs(off[:, None] - off[None]).sum((0, 1)) / (DRAWS * (DRAWS - 1))
    crps = np.abs(off).mean(0) - 0.5 * between
    inside = (off.min(axis=0) <= 0) & (off.max(axis=0) >= 0)
    return {
        "crps": round(float(crps.mean()), 4),
        "inside": round(float(inside.mean()), 4),
        "level": round(1 - 2 / (DRAWS + 1), 4),
    }


def package_of(job):
    """What a method comes with."""
    method = job["method"]
    return "pushforward" if method in ("pushforward", BOUND) else SLOW.get(method, "scikit-learn")


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.asking", description=__doc__)
    parser.add_argument("--tables", nargs="+", default=[*TABLES], choices=TABLES)
    parser.add_argument("--missing", nargs="+", default=[*MECHANISMS], choices=MECHANISMS)
    parser.add_argument(
        "--methods", nargs="+", default=[*METHODS], choices=[*METHODS, *SLOW, BOUND]
    )
    parser.add_argument("--shares", nargs="+", type=float, default=[0.3])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--timeout", type=float, default=3600)
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    jobs = [
        {"table": table, "missing": missing, "share": share, "seed": seed, "method": method}
        for seed in options.seeds
        for share in options.shares
        for table in options.tables
        for missing in options.missing
        for method in options.methods
    ]
    run_all(
        jobs, work=work, key=KEY, out=RESULTS / "asking.json", module="benchmarks.asking",
        timeout=lambda job: options.timeout,
        package=package_of,
        again=options.again,
    )  # fmt: skip


if __name__ == "__main__":
    main()
