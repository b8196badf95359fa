"""Samples of mixed tables, judged as users judge: ours beside those of other generators.

Ten rows are sampled for each training row. As many as training rows are judged by all measures;
a model that predicts one column is also fitted on all of them (`tstr_more`), since a generator
gives as many rows as one likes.

python -m benchmarks.synthetic --models pushforward --tables titanic oj wage --seeds 100 101
"""

import argparse
import functools
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.common import (
    RESULTS,
    ROOT,
    cpu_seconds,
    read_results,
    run_all,
    source_digest,
)
from benchmarks.mixed_tables import TABLES
from benchmarks.synthetic_peer import PEERS

KEY = ("table", "seed", "model")
#: Development looks at seeds from 100 on; these judge.
SEEDS = (0, 1, 2)
TIMES = 10  # rows sampled for each training row
FIGURES = (
    *("auc", "floor", "tstr", "tstr_more", "tstr_real", "tstr_mean", "tstr_real_mean"),
    *("tstr_accuracy", "tstr_more_accuracy", "tstr_real_accuracy"),
    *("broken", "impossible", "ks", "tv", "copies", "nats", "fit_cpu_s", "sample_cpu_s"),
)


def fit_ours(train, test, seed):
    """Samples of `pushforward.fit` with no settings, and its figures."""
    import torch

    import pushforward

    torch.set_num_threads(1)
    start = cpu_seconds()
    model = pushforward.fit(train, random_state=seed, verbose=False)
    fitted = cpu_seconds()
    samples = model.sample(TIMES * len(train), random_state=seed)
    done = cpu_seconds()
    scores = model.score_samples(test)
    chosen = [f"{100 * t['weight']:.0f} % {t['structure']}" for t in model.trials_ if t["weight"]]
    told = {
        "fit_cpu_s": round(fitted - start, 2),
        "sample_cpu_s": round(done - fitted, 2),
        "nats": round(float(scores.mean()), 3),
        "median_nats": round(float(sorted(scores)[len(scores) // 2]), 3),
        "chosen": "; ".join(chosen),
    }
    return samples, told


def peer_python(folder, model):
    """The interpreter of a peer's environment, which is named after its package."""
    return folder / PEERS[model][1] / "bin" / "python"


@functools.cache
def peer_version(python, package):
    """Version of a peer in its environment, or None where there is none."""
    asked = f"import importlib.metadata as m; print(m.version({package!r}))"
    try:
        done = subprocess.run([python, "-c", asked], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def fit_peer(train, seed, model, python, folder, name):
    """Samples of a peer and its figures; those that lie in the folder are not made again."""
    import pandas as pd

    driver = Path(__file__).with_name("synthetic_peer.py")
    version = peer_version(python, PEERS[model][1])
    made = hashlib.sha256(driver.read_bytes()).hexdigest()[:6]
    kept = folder / f"{name}-{seed}-{model}-{version}"
    source, samples = kept.with_name(f"{name}-{seed}-train.csv"), Path(f"{kept}.csv")
    figures = Path(f"{kept}.json")
    if not figures.exists():
        folder.mkdir(parents=True, exist_ok=True)
        train.to_csv(source, index=False)
        command = [python, driver, model, source, samples, str(TIMES * len(train)), str(seed)]
        clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(command, capture_output=True, text=True, env=clean)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().rsplit("\n", 1)[-1])
        told = json.loads(done.stdout.strip().rsplit("\n", 1)[-1])
        told = {k: v if isinstance(v, str) else round(v, 2) for k, v in told.items()}
        figures.write_text(json.dumps(told | {"driver": made}))
    drawn = pd.read_csv(samples, keep_default_na=False)
    told = json.loads(figures.read_text())
    return drawn, {k: v for k, v in told.items() if k not in ("version", "driver")}


def measure(name, seed, model, peers="", samples=""):
    """Fit one model on one split and judge its samples; runs in a process of its own."""
    from benchmarks.mixed_tables import split
    from benchmarks.synthetic_measures import judge

    train, test = split(name, seed)
    if model == "pushforward":
        drawn, told = fit_ours(train, test, seed)
    else:
        python = peer_python(Path(peers), model)
        drawn, told = fit_peer(train, seed, model, python, Path(samples), name)
    sizes = {"n_train": len(train), "n_test": len(test), "columns": train.shape[1]}
    return judge(train, test, drawn, TABLES[name].target, seed) | told | sizes


def lines(rows):
    """One line for each table, seed and model, aligned."""
    head = [*KEY, *FIGURES]
    cells = [head] + [
        [f"{v:.3g}" if isinstance(v := row.get(k, ""), float) else str(v) for k in head]
        for row in rows
    ]
    widths = [max(len(line[j]) for line in cells) for j in range(len(head))]
    return ["  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in cells]


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.synthetic", description=__doc__)
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument(
        "--models", nargs="+", default=["pushforward"], choices=["pushforward", *PEERS]
    )
    parser.add_argument("--timeout", type=float, default=1800.0, help="wall seconds for a job")
    parser.add_argument("--again", action="store_true", help="also judge what is already there")
    parser.add_argument(
        "--peers", type=Path, default=ROOT / "benchmarks" / "peers",
        help="a folder with an environment for each peer, named after its package",
    )  # fmt: skip
    parser.add_argument(
        "--samples", type=Path, default=ROOT / "benchmarks" / "samples",
        help="where samples of peers are kept, so that they are drawn once",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=RESULTS / "synthetic.json")
    options = parser.parse_args()
    jobs = [
        {"table": name, "seed": seed, "model": model}
        for seed in options.seeds
        for name in options.tables
        for model in options.models
    ]

    def version(job):
        if job["model"] == "pushforward":
            return source_digest()
        package = PEERS[job["model"]][1]
        return peer_version(peer_python(options.peers, job["model"]), package)

    run_all(
        jobs,
        work=functools.partial(measure, peers=str(options.peers), samples=str(options.samples)),
        key=KEY,
        out=options.out,
        module="benchmarks.synthetic",
        timeout=lambda job: options.timeout,
        package=lambda job: PEERS.get(job["model"], (None, "pushforward"))[1],
        version=version,
        again=options.again,
    )
    rows = read_results(options.out)["rows"]
    asked = [r for job in jobs for r in rows if all(r[k] == job[k] for k in KEY)]
    sys.stdout.write("\n".join(lines(asked)) + "\n")


if __name__ == "__main__":
    main()
