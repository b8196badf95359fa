"""Samples that cannot be: 100,000 rows of each model of a table against what the table supports.

Counted are the numbers more than a whole range of their training column outside of it, beside
those of as many draws of the true law where it is known, and the farthest of them. Means and
standard deviations of the columns are compared with the training rows', in standard errors; of
columns with heavy tails, those of values cut off at the training rows' percentiles 1 and 99.

python -m benchmarks.samples --models AutoDensity GIS TableSIG
"""

import argparse
import math
import sys
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import mixed_tables
from benchmarks.calibration import chosen, lines, magic
from benchmarks.common import RESULTS, cpu_seconds, read_results, run_all
from benchmarks.made_tables import MADE

KEY = ("table", "model", "seed")
MODELS = ("AutoDensity", "GIS", "TableSIG")
#: Made tables with their numbers of rows.
SIZES = {
    "square": 300,
    "collinear": 400,
    **dict.fromkeys(("normal", "mixture", "student", "lognormal", "bounded"), 800),
    **dict.fromkeys(("counts", "purchases", "integers"), 800),
}
REAL = ("breast_cancer", "diabetes", "wine", "boston", "credit", "college", "hitters", "magic")
TABLES = (*SIZES, *REAL)
DRAWS = 100_000
_PIECE = 20_000
_HEAVY = 10.0  # kurtosis from which a standard deviation has no usable standard error
_TAIL = 0.01


def load(name, seed):
    """Training rows, and as many draws of the true law as of the model, or None."""
    rng = np.random.default_rng(seed)
    if name in SIZES:
        frame = MADE[name](SIZES[name] + DRAWS, rng)
        return frame[: SIZES[name]], frame[SIZES[name] :]
    if name == "magic":
        frame = magic()
        return frame.iloc[rng.permutation(len(frame))[:2000]].reset_index(drop=True), None
    return mixed_tables.load(name), None


def beyond(train, drawn) -> Any:
    """How many ranges of the training column each number lies outside of it, (n, columns)."""
    low, high = train.min(), train.max()
    return np.maximum(low - drawn, drawn - high).clip(lower=0) / (high - low)


def moments(train, drawn) -> tuple[Any, Any]:
    """Errors of the mean and standard deviation of each column, in standard errors: two (p,).

    The standard error is that of the training rows, who are the fewer, with that of the samples.
    """
    kurtosis = ((train - train.mean()) ** 4).mean() / train.var(ddof=0) ** 2
    cut = kurtosis > _HEAVY
    low, high = train.quantile(_TAIL), train.quantile(1 - _TAIL)
    train, drawn = (x.where(~cut, x.clip(low, high, axis=1)) for x in (train, drawn))
    share = 1 / len(train) + 1 / len(drawn)
    variance = train.var(ddof=0)
    kurtosis = ((train - train.mean()) ** 4).mean() / variance**2
    mean = (drawn.mean() - train.mean()) / np.sqrt(variance * share)
    error = np.sqrt(variance * ((kurtosis - 1) / 4).clip(lower=1 / len(train)) * share)
    return mean, (drawn.std(ddof=0) - np.sqrt(variance)) / error


def measure(name, model_name, seed):
    """One model of one table; runs in a process of its own."""
    import torch

    import pushforward

    torch.set_num_threads(1)
    train, law = load(name, seed)
    start = cpu_seconds()
    model = getattr(pushforward, model_name)(random_state=seed).fit(train)
    fitted = cpu_seconds()
    pieces = [model.sample(_PIECE, random_state=seed + i) for i in range(DRAWS // _PIECE)]
    drawn = pd.concat(pieces, ignore_index=True)
    numbers = [
        name
        for name, column in train.items()
        if int(column.nunique()) > 1 and column.dtype.kind in "iuf"
    ]
    train, drawn = train[numbers].astype(float), drawn[numbers].astype(float)
    far = beyond(train, drawn)
    mean, deviation = moments(train, drawn)
    row = {
        "n": len(train),
        "numbers": len(numbers),
        "beyond": float((far > 1).to_numpy().mean()),
        "excess": round(float(far.max().max()), 3),
        "excess_column": str(far.max().idxmax()),
        "not_finite": int((~np.isfinite(drawn.to_numpy())).sum()),
        "mean_errors": round(float(mean.abs().max()), 2),
        "mean_column": str(mean.abs().idxmax()),
        "deviation_errors": round(float(deviation[deviation.abs().idxmax()]), 2),
        "deviation_column": str(deviation.abs().idxmax()),
        "fit_cpu_s": round(fitted - start, 1),
        "sample_cpu_s": round(cpu_seconds() - fitted, 1),
    }
    if law is not None:
        theirs = beyond(train, law[numbers].astype(float))
        row["beyond_law"] = float((theirs > 1).to_numpy().mean())
        row["excess_law"] = round(float(theirs.max().max()), 3)
    if hasattr(model, "trials_"):
        row["chosen"] = chosen(model)
    return row


def faults(row):
    """What is not as asked, in words."""
    # The law's own count is a draw too: three of its standard errors are chance.
    cells = DRAWS * row["numbers"]
    law = row.get("beyond_law")
    most = 2e-5 if law is None else max(2e-5, law + 3 * math.sqrt(law / cells))
    found = (
        ("not finite", row["not_finite"] > 0),
        ("beyond", row["beyond"] > most),
        ("mean", row["mean_errors"] > 4),
        ("deviation", abs(row["deviation_errors"]) > 4),
    )
    return ", ".join(word for word, there in found if there)


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.samples", description=__doc__)
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=TABLES)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--timeout", type=float, default=3600.0, help="wall seconds for a job")
    parser.add_argument("--again", action="store_true", help="also measure what is already there")
    parser.add_argument("--summary", action="store_true", help="print what is there, fit nothing")
    options = parser.parse_args()
    out = RESULTS / "samples.json"
    jobs = [
        {"table": name, "model": model, "seed": seed}
        for seed in options.seeds
        for name in options.tables
        for model in options.models
    ]
    if not options.summary:
        run_all(
            jobs,
            work=measure,
            key=KEY,
            out=out,
            module="benchmarks.samples",
            timeout=lambda job: options.timeout,
            package=lambda job: "pushforward",
            again=options.again,
            preload=("pushforward.models.sliced.auto", "pandas", "scipy.stats"),
        )
    rows = [
        row
        for row in read_results(out)["rows"]
        if any(all(row[k] == job[k] for k in KEY) for job in jobs) and row["status"] == "ok"
    ]
    shown = [
        {
            **{k: row[k] for k in KEY},
            "beyond (1e-5)": 1e5 * row["beyond"],
            "law": 1e5 * row["beyond_law"] if "beyond_law" in row else "",
            "excess": row["excess"],
            "of law": row.get("excess_law", ""),
            "mean": row["mean_errors"],
            "deviation": row["deviation_errors"],
            "faults": faults(row),
        }
        for row in rows
    ]
    sys.stdout.write("\n".join(lines(shown) if shown else ["nothing there"]) + "\n")


if __name__ == "__main__":
    main()
