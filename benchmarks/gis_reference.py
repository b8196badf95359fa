"""GIS against the program of its authors: CPU seconds to the same held-out density.

python -m benchmarks.gis_reference --reference FOLDER --rows 2000 10000 --cap 120

FOLDER is a checkout of the authors' repository (biweidai/SIG_GIS on GitHub), which has no licence:
nothing of it is part of this project. Both programs run alone, on one thread and with their
defaults, on the first rows of the 20-d mixture of `shared/bench/tabular_sets.py`, standardised;
the same 2,000 validation rows stop and judge them. The reference is stopped after `--cap` CPU
seconds; what is compared is the time in which each reaches the density the reference has by then.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import RESULTS, provenance, shared, write_text

_CHILD = """
import builtins, sys, time, types
sys.modules["load_data"] = types.ModuleType("load_data")  # data sets and torchvision: not needed
sys.path.insert(0, {folder!r})
import numpy as np, torch
torch.set_num_threads(1)
torch.manual_seed({seed})
train, valid = (torch.from_numpy(np.load(path)) for path in {paths!r})
say = builtins.print
def stamped(*words, **more):
    say("TRACE", time.process_time() - begun, *words, flush=True)
builtins.print = stamped
from GIS import GIS
begun = time.process_time()
GIS(train.float(), data_validate=valid.float(), nocuda=True)
"""


def load(rows, seed):
    """Standardised training and validation rows."""
    sys.path.insert(0, str(shared("bench")))
    import tabular_sets

    train, valid, _, _ = tabular_sets.load("mix20", seed)
    train = train[:rows]
    mean, deviation = train.mean(0), train.std(0)
    return (train - mean) / deviation, (valid - mean) / deviation


def run_reference(folder, train, valid, seed, cap, scratch):
    """Trace of (CPU seconds, held-out nats a row) of the authors' program."""
    import numpy as np

    paths = []
    for name, rows in (("train", train), ("valid", valid)):
        paths.append(str(scratch / f"{name}.npy"))
        np.save(paths[-1], rows)
    code = _CHILD.format(folder=str(folder), seed=seed, paths=paths)
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    trace = []
    for line in child.stdout:
        words = line.split()
        if words[:1] != ["TRACE"]:
            continue
        seconds = float(words[1])
        if "logp:" in words:
            trace.append((seconds, float(words[words.index("logp:") + 2])))
        if seconds > cap:
            child.kill()
            break
    child.wait()
    child.stdout.close()
    return trace


def run_ours(train, valid, seed, **settings):
    """The same trace of pushforward.GIS."""
    import torch

    import pushforward

    torch.set_num_threads(1)
    pushforward.GIS(max_layers=1, random_state=seed, **settings).fit(train[:200])  # imports
    stamps = [time.process_time()]
    model = pushforward.GIS(random_state=seed, **settings)
    model.fit(
        train, validation=valid, report=lambda text, share: stamps.append(time.process_time())
    )
    values = [value for _, value in model.history_]
    return [(t - stamps[0], v) for t, v in zip(stamps[1:], values, strict=False)]


def seconds_to(trace, value):
    """CPU seconds until a trace first reaches a value, or None."""
    return next((seconds for seconds, reached in trace if reached >= value), None)


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.gis_reference", description=__doc__)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--rows", nargs="+", type=int, default=[2000, 10000])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--cap", type=float, default=120.0)
    parser.add_argument("--out", type=Path, default=RESULTS / "gis_reference.json")
    options = parser.parse_args()
    results = []
    for seed in options.seeds:
        for rows in options.rows:
            train, valid = load(rows, seed)
            with tempfile.TemporaryDirectory() as scratch:
                theirs = run_reference(
                    options.reference, train, valid, seed, options.cap, Path(scratch)
                )
            ours = run_ours(train, valid, seed)
            faithful = run_ours(train, valid, seed, faithful=True, minutes=options.cap / 60)
            value = max(v for _, v in theirs)
            reached = seconds_to(ours, value)
            results.append(
                {
                    "rows": rows,
                    "seed": seed,
                    "reference_cpu_s": seconds_to(theirs, value),
                    "reference_layers": len(theirs),
                    "reference_nats": value,
                    "ours_cpu_s_to_that": reached,
                    "ratio": None if reached is None else seconds_to(theirs, value) / reached,
                    "reference_cpu_s_to_ours": seconds_to(theirs, max(v for _, v in ours)),
                    "ours_final_nats": max(v for _, v in ours),
                    "ours_final_cpu_s": ours[-1][0],
                    "faithful_nats_at_cap": max(v for _, v in faithful),
                    "faithful_cpu_s_to_that": seconds_to(faithful, value),
                    "faithful_layers": len(faithful),
                }
            )
            print(json.dumps(results[-1]), flush=True)
    run = provenance("benchmarks.gis_reference")
    write_text(options.out, json.dumps({"provenance": run, "rows": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
