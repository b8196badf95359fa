"""FID of 50,000 x 2048 features, ours against torchmetrics: time and peak memory.

python -m benchmarks.fid --rows 50000 --dimension 2048 --repeats 3

Both get the same float32 batches of 500 rows, made from a seed before the clock starts, on one
thread. Times are medians of runs in turn; memory is the growth of the peak of a fresh process
after imports and data. "fid" is ``pushforward.metrics.fid`` with interval and bias, which
torchmetrics has not; "distance" is ``frechet_distance`` of two ``Moments``, the bare value.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.common import RESULTS, provenance, write_text

METHODS = ("distance", "torchmetrics", "fid")
BATCH = 500


def features(rows, d, seed):
    """Positive features with a falling spectrum, as a network's pooled activations have."""
    mix = np.random.default_rng(99).normal(size=(d, d)).astype(np.float32)
    mix *= np.exp(-np.arange(d, dtype=np.float32) / (0.15 * d))[:, None] / 10
    rng = np.random.default_rng(seed)
    out = np.empty((rows, d), np.float32)
    for start in range(0, rows, BATCH):
        block = out[start : start + BATCH]
        block[:] = np.maximum(rng.standard_normal(block.shape, np.float32) @ mix + 0.1 * seed, 0)
    return out


def torchmetrics_fid(real, generated):
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Given(torch.nn.Module):
        num_features = real.shape[1]

        def forward(self, x):
            return x

    metric = FrechetInceptionDistance(feature=Given()).set_dtype(torch.float64)
    for rows, is_real in ((real, True), (generated, False)):
        for start in range(0, len(rows), BATCH):
            metric.update(torch.from_numpy(rows[start : start + BATCH]), real=is_real)
    return float(metric.compute())


def our_distance(real, generated):
    from pushforward.metrics import Moments, frechet_distance

    a, b = (
        Moments.of(rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
        for rows in (real, generated)
    )
    return frechet_distance(a, b, overwrite=True)


def our_fid(real, generated):
    from pushforward.metrics import fid

    return fid(real, generated).value


CALLS = {"distance": our_distance, "torchmetrics": torchmetrics_fid, "fid": our_fid}


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(method, rows, d):
    """Seconds, growth of the peak and value of one run in this process."""
    import torch

    torch.set_num_threads(1)
    real, generated = features(rows, d, 1), features(rows, d, 2)
    CALLS[method](real[: 2 * d + 2, :8], generated[: 2 * d + 2, :8])  # imports and first calls
    before, began = peak_mib(), time.perf_counter()
    value = CALLS[method](real, generated)
    return {
        "method": method,
        "seconds": time.perf_counter() - began,
        "peak_growth_mib": peak_mib() - before,
        "value": value,
    }


def in_fresh_process(method, rows, d):
    words = [sys.executable, "-m", "benchmarks.fid", "--one", method]
    words += ["--rows", str(rows), "--dimension", str(d)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.fid", description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--dimension", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", choices=METHODS, help="one run in this process, as JSON")
    parser.add_argument("--out", type=Path, default=RESULTS / "fid.json")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one, options.rows, options.dimension)))
        return
    runs = []
    for _ in range(options.repeats):
        for method in METHODS:
            runs.append(in_fresh_process(method, options.rows, options.dimension))
            print(json.dumps(runs[-1]), flush=True)
    summary = {
        method: {
            key: median(run[key] for run in runs if run["method"] == method)
            for key in ("seconds", "peak_growth_mib", "value")
        }
        for method in METHODS
    }
    peer = summary["torchmetrics"]
    for method in METHODS:
        for key in ("seconds", "peak_growth_mib"):
            summary[method][f"{key}_share"] = summary[method][key] / peer[key]
    print(json.dumps(summary, indent=1))
    result = {
        "provenance": provenance("benchmarks.fid"),
        "rows": options.rows,
        "dimension": options.dimension,
        "summary": summary,
        "runs": runs,
    }
    write_text(options.out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
