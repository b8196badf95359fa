"""Rows of a table that keep to a condition: what 10,000 of them cost, and what they keep.

    python -m benchmarks.conditions --seeds 0 1 2

The automatic model is fitted on the first three quarters of a table; conditions are cells of
five rows of the rest: one of them, three, half of the columns (`cells`). `first_cpu_s` is what the
first call of `given(cells).sample(10_000)` takes, in which the model fits the simpler one that
rows are proposed by, `cpu_s` the longest of the four others, one thread. `kept` is the share of
the rows that have the given cells and break no relation of the table, which is known where it is
made, `copies` the share of rows that are the same as an earlier one, of tables that have columns
of which hardly a value comes twice:

* `mixed`: 1,500 rows of 14 numbers that six factors bend, three categories and three counts;
* `orders`: 1,500 rows of 20 columns, among them cities with their countries (a function), articles
  with their codes (one to one), a net, a tax and their total (a sum), and times that end after
  they begin; these columns are found, not told;
* `cardio`: the first 20 columns of ADBench's cardiotocographies.
"""

import argparse
import time

import numpy as np
import pandas as pd

from .common import RESULTS, run_all, shared

KEY = ("table", "cells", "seed")
TABLES = ("mixed", "orders", "cardio")
CELLS = (1, 3, 10)
ROWS = 1500
DRAWN = 10_000
_CITIES = {
    **dict.fromkeys(("Lyon", "Nantes", "Lille"), "France"),
    **dict.fromkeys(("Turin", "Bari"), "Italy"),
    **dict.fromkeys(("Graz", "Linz"), "Austria"),
}
_ARTICLES = ("lamp", "desk", "chair", "shelf", "sofa")


def mixed(rng):
    """Numbers that factors bend, categories and counts."""
    z = rng.normal(size=(ROWS, 6))
    bent = 3 * np.tanh(z @ rng.normal(size=(6, 14))) + 0.3 * rng.normal(size=(ROWS, 14))
    frame = pd.DataFrame(bent, columns=[f"x{i}" for i in range(14)])
    for i in range(3):
        level = np.digitize(z[:, i] + 0.3 * rng.normal(size=ROWS), [-1, 0, 1])
        frame[f"c{i}"] = np.array(list("abcd"))[level]
        frame[f"k{i}"] = rng.poisson(np.exp(0.5 * z[:, i + 3] + 0.5))
    return frame


def orders(rng):
    """Orders of furniture, whose columns depend on one another."""
    z = rng.normal(size=(ROWS, 4))
    city = rng.choice(list(_CITIES), ROWS, p=[0.3, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1])
    article = rng.integers(0, len(_ARTICLES), ROWS)
    net = np.round(np.exp(4 + 0.4 * article + 0.5 * z[:, 0]), 2)
    tax = np.round(0.2 * net * (1 + 0.1 * z[:, 1]), 2)
    begin = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 300, ROWS), unit="D")
    frame = pd.DataFrame(
        {
            "city": city,
            "country": [_CITIES[name] for name in city],
            "article": np.array(_ARTICLES)[article],
            "code": 1000 + 7 * article,
            "net": net,
            "tax": tax,
            "total": np.round(net + tax, 2),
            "begin": begin,
            "end": begin + pd.to_timedelta(rng.geometric(0.2, ROWS), unit="D"),
            "pieces": 1 + rng.poisson(np.exp(0.5 * z[:, 2])),
        }
    )
    more = np.tanh(z @ rng.normal(size=(4, 10))) + 0.2 * rng.normal(size=(ROWS, 10))
    return frame.assign(**{f"x{i}": more[:, i] for i in range(10)})


def cardio(rng):
    """Measurements of cardiotocographies."""
    path = shared("data", "adbench", "6_cardio.npz")
    X = np.load(path, allow_pickle=False)["X"][:, :20].astype(float)
    return pd.DataFrame(X[rng.permutation(len(X))]).rename(columns=str)


def relations_kept(frame):
    """Which rows of orders break nothing: (n,) bool."""
    codes = dict(zip(_ARTICLES, 1000 + 7 * np.arange(len(_ARTICLES)), strict=True))
    return (
        (frame["country"] == frame["city"].map(_CITIES))
        & (frame["code"] == frame["article"].map(codes))
        & ((frame["net"] + frame["tax"] - frame["total"]).abs() < 0.006)
        & (frame["end"] > frame["begin"])
    )


def work(table, cells, seed):
    """Fit, and draw rows under five conditions."""
    import torch

    import pushforward

    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    frame = {"mixed": mixed, "orders": orders, "cardio": cardio}[table](rng)
    n = 3 * len(frame) // 4
    began = time.process_time()
    model = pushforward.AutoDensity(random_state=seed).fit(frame[:n])
    found = {"n": n, "columns": frame.shape[1], "fit_cpu_s": time.process_time() - began}
    spent, kept, copies = [], [], []
    for i in range(5):
        chosen = list(frame.columns[rng.permutation(frame.shape[1])[:cells]])
        given = {name: frame[name].iloc[n + i] for name in chosen}
        began = time.process_time()
        drawn = model.given(given).sample(DRAWN, random_state=seed)
        spent.append(time.process_time() - began)
        right = np.ones(len(drawn), dtype=bool)
        for name, value in given.items():
            right &= (drawn[name] == value).to_numpy()
        if table == "orders":
            right &= relations_kept(drawn).to_numpy()
        kept.append(right.mean())
        copies.append(drawn.duplicated().mean())
    found |= {"first_cpu_s": spent[0], "cpu_s": max(spent[1:]), "mean_cpu_s": np.mean(spent[1:])}
    found |= {"kept": np.mean(kept), "copies": np.mean(copies)}
    return {k: v if isinstance(v, int) else round(float(v), 4) for k, v in found.items()}


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.conditions", description=__doc__)
    parser.add_argument("--tables", nargs="+", default=[*TABLES], choices=TABLES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    jobs = [
        {"table": table, "cells": cells, "seed": seed}
        for seed in options.seeds
        for table in options.tables
        for cells in CELLS
    ]
    run_all(
        jobs, work=work, key=KEY, out=RESULTS / "conditions.json", module="benchmarks.conditions",
        timeout=lambda job: 600, package=lambda job: "pushforward", again=options.again,
    )  # fmt: skip


if __name__ == "__main__":
    main()
