"""Refinement of the automatic model of mixed tables, with the rows that it was fitted on.

python -m benchmarks.refinement_mixed --seeds 0 1 2
python -m benchmarks.refinement_mixed --tables titanic wage --rows 5000

The base is close to the data, so that most of the time there is nothing to refine. What is asked:
the report's area is that of a test on rows that neither model saw, and the refined model is never
worse than the base beyond chance.
"""

import argparse
import time

from .common import RESULTS, run_all

TABLES = (
    *("titanic", "oj", "wage", "carseats", "college", "credit", "dragons", "german"),
    *("apartments", "penguins"),
)
KEY = ("table", "seed", "rows")
ROWS = 800  # to fit on and refine with, at most; there are a third as many new ones
DRAWS = 4  # of samples, whose areas are averaged


def _area(model, new, seed):
    """Mean area of a test between new rows and as many samples, with its spread over draws."""
    import numpy as np

    import pushforward

    areas = [
        pushforward.evaluate(
            model.sample(len(new), random_state=1000 * seed + k), new, measures=["two_sample"],
            random_state=k,
        )["two_sample_auroc"]
        for k in range(DRAWS)
    ]  # fmt: skip
    low, high = np.mean([area.interval for area in areas], axis=0)
    return float(np.mean([area.value for area in areas])), [round(low, 3), round(high, 3)]


def work(table, seed, rows):
    """Fit, refine with the same rows, judge both by rows that neither saw."""
    import numpy as np

    import pushforward

    from .mixed_tables import split

    train, new = split(table, seed)
    train, new = train.head(rows), new.head(rows // 3)
    began = time.process_time()
    base = pushforward.fit(train, random_state=seed, verbose=False)
    fitted = time.process_time()
    refined = pushforward.refine(base, train, random_state=seed)
    done = time.process_time()
    report = refined.report_
    (before, of_before), (after, of_after) = (_area(m, new, seed) for m in (base, refined))
    sample = refined.sample(len(new), random_state=seed)
    return {
        "n": len(train),
        "new": len(new),
        "columns": train.shape[1],
        "helped": report.helped,
        "stages": [f"{s.name} {'kept' if s.kept else 'left out'}" for s in report.stages],
        "reported": [round(report.before.value, 3), round(report.after.value, 3)],
        "fresh": [round(before, 3), round(after, 3)],
        "intervals": [of_before, of_after],
        "gap": round(report.after.value - after, 3),
        "missing_cells": int(np.asarray(sample.isna()).sum()),
        "fit_cpu_seconds": round(fitted - began, 1),
        "refine_cpu_seconds": round(done - fitted, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--timeout", type=float, default=1800)
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    jobs = [
        {"table": table, "seed": seed, "rows": options.rows}
        for seed in options.seeds
        for table in options.tables
    ]
    run_all(
        jobs, work=work, key=KEY, out=RESULTS / "refinement_mixed.json",
        module="benchmarks.refinement_mixed", timeout=lambda job: options.timeout,
        package=lambda job: "pushforward", again=options.again,
    )  # fmt: skip


if __name__ == "__main__":
    main()
