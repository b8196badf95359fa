"""Density estimation on four tables: test log density, time and memory of each model.

python -m benchmarks.density --sets breast_cancer digits magic mix20 --seeds 0 1 2
"""

import argparse
import importlib
import importlib.util
import math
import resource
import time
from pathlib import Path

from benchmarks.common import RESULTS, cpu_seconds, run_all, shared
from benchmarks.density_models import MODELS

SETS = ("breast_cancer", "digits", "magic", "mix20")
KEY = ("set", "seed", "split_seed", "model")


def load(name, seed):
    """Training, validation and test rows, and the true mean log density of the test rows."""
    spec = importlib.util.spec_from_file_location(
        "tabular_sets", shared("bench", "tabular_sets.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(name, seed=seed)


def median_seconds(function, argument, times=5):
    """Median wall seconds of a call; a call of more than a second is timed once."""
    seconds = []
    while len(seconds) < times and sum(seconds) < 1.0:
        start = time.perf_counter()
        function(argument)
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[len(seconds) // 2]


def measure(name, seed, split_seed, model_name):
    """Fit one model on one split and measure it; runs in a process of its own."""
    import numpy as np

    model = MODELS[model_name]
    train, valid, test, truth = load(name, split_seed)
    offset = 0.0
    if name == "digits" and model_name == "pushforward":  # the counts 0..16, and their units
        train, valid, test = (np.floor(x * 17).astype(np.int64) for x in (train, valid, test))
        offset = train.shape[1] * math.log(17)
    importlib.import_module(model.module)

    wall, cpu = time.perf_counter(), cpu_seconds()
    fitted = model.fit(train, valid, seed)
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu

    scores = np.asarray(fitted.log_density(test[: fitted.max_rows])) + offset
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).sum())
        raise ValueError(f"{bad} of {len(scores)} test rows have no finite log density")
    rows = fitted.max_rows or 1000
    many = np.resize(test, (rows, test.shape[1]))  # the test rows over and over
    row = {
        "mean": scores.mean(),
        "median": np.median(scores),
        "standard_error": scores.std(ddof=1) / math.sqrt(len(scores)),
        "fit_cpu_s": cpu,
        "fit_wall_s": wall,
        "score_1000_s": median_seconds(fitted.log_density, many) * 1000 / rows,
        "sample_1000_s": median_seconds(fitted.sample, 1000),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if truth is not None:
        row |= {"truth": truth, "gap_to_truth": truth - scores.mean()}
    row = {k: float(f"{v:.6g}") for k, v in row.items()}
    sizes = {"n_train": len(train), "n_valid": len(valid), "n_test": len(scores)}
    return row | sizes | {"chosen": fitted.chosen}


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.density", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--split-seed", type=int, help="pin the split; the seed moves the model")
    parser.add_argument("--models", nargs="+", default=["pushforward"], choices=[*MODELS])
    parser.add_argument("--timeout", type=float, default=600.0, help="wall seconds for a job")
    parser.add_argument("--again", action="store_true", help="also run what is already there")
    parser.add_argument("--out", type=Path, default=RESULTS / "density.json")
    options = parser.parse_args()
    shared("bench", "tabular_sets.py")
    jobs = [
        {
            "set": name,
            "seed": seed,
            "split_seed": seed if options.split_seed is None else options.split_seed,
            "model": model,
        }
        for seed in options.seeds
        for name in options.sets
        for model in options.models
        if name == "digits" or model != "pushforward_dequantised"
    ]
    run_all(
        jobs,
        work=measure,
        key=KEY,
        out=options.out,
        module="benchmarks.density",
        timeout=lambda job: options.timeout,
        package=lambda job: MODELS[job["model"]].package,
        again=options.again,
    )


if __name__ == "__main__":
    main()
