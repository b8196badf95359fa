"""Anomaly detection on 13 ADBench tables: AUROC of each detector, under two protocols.

python -m benchmarks.anomaly --seeds 0 1 2 --detectors pushforward gmm knn lof iforest ecod copod

Contaminated (ADBench's own): 70/30 stratified split, trained on the 70 % without the labels.
Clean: the same split, trained on the normal rows of the training part. Tested on the same 30 %.
"""

import argparse
import importlib
import time
from pathlib import Path

from benchmarks.common import RESULTS, cpu_seconds, run_all, shared

TABLES = {
    "ionosphere": "18_Ionosphere",
    "vowels": "40_vowels",
    "letter": "20_letter",
    "cardio": "6_cardio",
    "thyroid": "38_thyroid",
    "wilt": "44_Wilt",
    "waveform": "41_Waveform",
    "satimage-2": "31_satimage-2",
    "optdigits": "26_optdigits",
    "satellite": "30_satellite",
    "annthyroid": "2_annthyroid",
    "pendigits": "28_pendigits",
    "mammography": "23_mammography",
}
PYOD = {"knn": "KNN", "lof": "LOF", "iforest": "IForest", "ecod": "ECOD", "copod": "COPOD"}
DETECTORS = ("pushforward", "gmm", *PYOD)
PROTOCOLS = ("contaminated", "clean")
KEY = ("table", "protocol", "seed", "detector")
MAX_ROWS = 8000


def split(table, protocol, seed):
    """Training rows, test rows and test labels (1 = anomaly)."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    with np.load(shared("data", "adbench", f"{TABLES[table]}.npz"), allow_pickle=False) as file:
        x, y = file["X"].astype(float), file["y"].astype(int).ravel()
    if len(x) > MAX_ROWS:
        rows = np.random.default_rng(seed).choice(len(x), MAX_ROWS, replace=False)
        x, y = x[rows], y[rows]
    train, test, train_y, test_y = train_test_split(
        x, y, test_size=0.3, stratify=y, random_state=seed
    )
    return train[train_y == 0] if protocol == "clean" else train, test, test_y


def fit_pushforward(train, protocol, seed):
    """Pushforward on the rows as they are; anomaly score = minus the decision function."""
    import torch

    import pushforward

    torch.set_num_threads(1)
    known = "auto" if protocol == "contaminated" else 0  # all that the protocol says of the rows
    model = pushforward.fit(train, random_state=seed, verbose=False, contamination=known)
    return lambda x: -model.decision_function(x)


def fit_gmm(train, protocol, seed):
    """A mixture with its size chosen on a fifth of the rows, then fitted again to all of them."""
    from sklearn.mixture import GaussianMixture
    from sklearn.model_selection import train_test_split

    from benchmarks.density_models import select_gmm

    fitting, valid = train_test_split(train, test_size=0.2, random_state=seed)
    chosen = select_gmm(fitting, valid, seed, (1, 2, 5, 10, 20), ("full",), (1e-3, 1e-2))
    model = GaussianMixture(
        chosen.n_components, reg_covar=chosen.reg_covar, random_state=seed
    ).fit(train)
    return lambda x: -model.score_samples(x)


def fit_pyod(detector, train, seed):
    """A PyOD detector with its defaults."""
    name = PYOD[detector]
    settings = {"random_state": seed} if detector == "iforest" else {}
    model = getattr(importlib.import_module(f"pyod.models.{detector}"), name)(**settings)
    return model.fit(train).decision_function


def measure(table, protocol, seed, detector):
    """Train one detector on one table and measure its AUROC; runs in a process of its own."""
    import numpy as np
    from sklearn.metrics import roc_auc_score
    from sklearn.preprocessing import StandardScaler

    train, test, labels = split(table, protocol, seed)
    if detector in PYOD:
        importlib.import_module(f"pyod.models.{detector}")
    elif detector == "pushforward":
        importlib.import_module("pushforward")
    if detector != "pushforward":  # which takes rows in any units
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)

    wall, cpu = time.perf_counter(), cpu_seconds()
    if detector in PYOD:
        anomaly_score = fit_pyod(detector, train, seed)
    else:
        fit = {"pushforward": fit_pushforward, "gmm": fit_gmm}[detector]
        anomaly_score = fit(train, protocol, seed)
    fitted_wall, fitted_cpu = time.perf_counter(), cpu_seconds()
    scores = np.asarray(anomaly_score(test))
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).sum())
        raise ValueError(f"{bad} of {len(scores)} test rows have no finite score")
    row = {
        "auroc": roc_auc_score(labels, scores),
        "fit_cpu_s": fitted_cpu - cpu,
        "fit_wall_s": fitted_wall - wall,
        "score_wall_s": time.perf_counter() - fitted_wall,
    }
    row = {k: float(f"{v:.6g}") for k, v in row.items()}
    sizes = {"n_train": len(train), "n_test": len(test), "anomalies_in_test": int(sum(labels))}
    return row | sizes


def package_of(job):
    if job["detector"] in PYOD:
        return "pyod"
    return "scikit-learn" if job["detector"] == "gmm" else "pushforward"


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.anomaly", description=__doc__)
    parser.add_argument("--tables", nargs="+", default=[*TABLES], choices=[*TABLES])
    parser.add_argument("--protocols", nargs="+", default=PROTOCOLS, choices=PROTOCOLS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--detectors", nargs="+", default=["pushforward"], choices=DETECTORS)
    parser.add_argument("--timeout", type=float, default=300.0, help="wall seconds for a job")
    parser.add_argument("--again", action="store_true", help="also run what is already there")
    parser.add_argument("--out", type=Path, default=RESULTS / "anomaly.json")
    options = parser.parse_args()
    shared("data", "adbench")
    jobs = [
        {"table": table, "protocol": protocol, "seed": seed, "detector": detector}
        for seed in options.seeds
        for table in options.tables
        for protocol in options.protocols
        for detector in options.detectors
    ]
    modules = {f"pyod.models.{d}" for d in options.detectors if d in PYOD}
    run_all(
        jobs,
        work=measure,
        key=KEY,
        out=options.out,
        module="benchmarks.anomaly",
        timeout=lambda job: options.timeout,
        package=package_of,
        again=options.again,
        preload=["sklearn.mixture", "sklearn.preprocessing", "sklearn.metrics", *sorted(modules)],
    )


if __name__ == "__main__":
    main()
