"""False alarms and reported nats of the automatic model on rows it has not seen.

Every split of a table fits on at most half of its rows, of a size drawn anew, and judges by the
others: the share that `predict` calls outliers where five in a hundred are asked for, and what
the model says new rows have (`held_out_`) against what they have. `--lottery` fits one small
table a hundred times, seeds apart, and looks for the fit that is far behind the others.

python -m benchmarks.calibration --splits 20
python -m benchmarks.calibration --lottery --splits 100
"""

import argparse
import math
import sys
import zlib

import numpy as np
import pandas as pd

from benchmarks import mixed_tables
from benchmarks.common import RESULTS, cpu_seconds, read_results, run_all, shared
from benchmarks.made_tables import MADE

KEY = ("table", "split", "kind")
KINDS = {"None": None, "0": 0, "auto": "auto"}  # of contamination
ASKED = 0.05
_FRESH = 4000  # rows that judge, at most
_LEAST, _MOST = 100, 5000  # rows to fit on

#: Those of `mixed_tables`, by kind: numbers, mixed and whole numbers.
REAL = (
    *("breast_cancer", "diabetes", "credit", "carseats", "college", "hitters", "penguins"),
    *("apartments", "oj", "titanic", "wage"),
)
_MADE = (
    *("normal", "mixture", "student", "lognormal", "bounded"),
    *("integers", "counts", "purchases"),
)
TABLES = (*_MADE, *REAL, "magic")
#: Made tables are drawn anew for each split; a fit on more rows than this takes a minute.
_MOST_MADE = 2000


def magic():
    """The MAGIC telescope's rows, 19,020 by 10 numbers."""
    path = shared("data", "adbench", "22_magic.gamma.npz")
    return pd.DataFrame(np.load(path, allow_pickle=False)["X"].astype(float)).rename(columns=str)


def divided(name, split):
    """Rows to fit on and rows to judge by."""
    rng = np.random.default_rng((zlib.crc32(name.encode()), split))
    if name in MADE:
        size = round(math.exp(rng.uniform(math.log(_LEAST), math.log(_MOST_MADE))))
        frame = MADE[name](size + _FRESH, rng)
    else:
        frame = magic() if name == "magic" else mixed_tables.load(name)
        frame = frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
        half = min(len(frame) // 2, _MOST)
        size = round(math.exp(rng.uniform(math.log(min(_LEAST, half)), math.log(half))))
    return frame[:size], frame[size : size + _FRESH].reset_index(drop=True)


# --- one split ------------------------------------------------------------------------------


def measure(name, split, kind):
    """One kind of contamination on one split; runs in a process of its own.

    What "0" and "auto" call an outlier does not look at the density, which is that of None where
    nothing is left out: for these one Gaussian stands in for it.
    """
    import torch

    import pushforward
    from pushforward.models.sliced import auto, selection

    torch.set_num_threads(1)
    train, fresh = divided(name, split)
    select, made = auto.select, []

    def kept(rows, **options):
        made.append((select if kind == "None" else _gaussian)(rows, **options))
        return made[-1]

    def _gaussian(rows, **options):
        return selection._too_small(rows)

    auto.select = kept
    start = cpu_seconds()
    model = pushforward.AutoDensity(contamination=KINDS[kind], random_state=split).fit(train)
    row = {
        "n": len(train),
        "fresh": len(fresh),
        "columns": train.shape[1],
        "alarms": round(float((model.predict(fresh) == -1).mean()), 5),
        "left_out": len(train) - len(made[0].scores),
    }
    if kind == "None":
        held_out, scores = made[0].scores, model.score_samples(fresh)
        row |= {
            "left_out": 0,
            "held_out": round(model.held_out_, 4),
            "held_out_se": round(float(held_out.std()) / math.sqrt(len(held_out)), 4),
            "nats": round(float(scores.mean()), 4),
            "nats_se": round(float(scores.std()) / math.sqrt(len(scores)), 4),
            "chosen": chosen(model),
        }
    return row | {"cpu_s": round(cpu_seconds() - start, 1)}


def chosen(model):
    """The structures in the result with their shares."""
    return "; ".join(
        f"{100 * t['weight']:.0f} % {t['structure']}" for t in model.trials_ if t["weight"]
    )


def draw_ticket(name, seed, kind):
    """One fit of the lottery: the rows stay, the seed moves.

    Of 3,000 rows those for scores are put aside, and nothing is fitted a second time for them.
    """
    import torch

    import pushforward

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    frame = magic() if name == "magic_3000" else MADE[name](7000, rng)
    frame = frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
    start = cpu_seconds()
    model = pushforward.AutoDensity(random_state=seed).fit(frame[:3000])
    fitted = cpu_seconds()
    scores = model.score_samples(frame[3000:7000])
    return {
        "nats": round(float(scores.mean()), 4),
        "median_nats": round(float(np.median(scores)), 4),
        "least_nats": round(float(scores.min()), 1),
        "held_out": round(model.held_out_, 4),
        "chosen": chosen(model),
        "cpu_s": round(fitted - start, 1),
    }


# --- what came out --------------------------------------------------------------------------


def spread(values):
    """Mean and its standard error; NaN where there are too few values."""
    values = np.asarray(values, dtype=float)
    if not len(values):
        return math.nan, math.nan
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(values.mean()), float(error)


def summary(rows):
    """For each table: false alarms in %, and reported less fresh nats, with standard errors.

    Named as faults are alarms more than three errors from what was asked for, and reported nats
    more than two over those of fresh rows.
    """
    out = []
    for name in dict.fromkeys(row["table"] for row in rows):
        line, faults = {"table": name}, []
        over = over_error = math.nan
        for kind in KINDS:
            mine = [row for row in rows if (row["table"], row["kind"]) == (name, kind)]
            alarms, error = spread([100 * row["alarms"] for row in mine])
            line |= {kind: alarms, f"± {kind}": error, f"of {kind}": len(mine)}
            if abs(alarms - 100 * ASKED) > 3 * error:
                faults.append(f"{kind}{'+' if alarms > 100 * ASKED else '-'}")
            if kind == "None":
                over, over_error = spread([row["held_out"] - row["nats"] for row in mine])
                if over > 2 * over_error:
                    faults.append("nats")
        out.append(line | {"nats over": over, "±": over_error, "faults": " ".join(faults)})
    return out


def lines(rows):
    """Rows of one kind as aligned lines."""
    head = list(rows[0])
    cells = [
        head,
        *([f"{v:.2f}" if isinstance(v, float) else str(v) for v in r.values()] for r in rows),
    ]
    widths = [max(len(line[j]) for line in cells) for j in range(len(head))]
    return ["  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in cells]


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.calibration", description=__doc__)
    parser.add_argument("--tables", nargs="+", default=None, choices=[*TABLES, "magic_3000"])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--splits", type=int, default=20, help="how many, or how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--lottery", action="store_true", help="one table, many seeds")
    parser.add_argument("--timeout", type=float, default=3600.0, help="wall seconds for a job")
    parser.add_argument("--again", action="store_true", help="also measure what is already there")
    parser.add_argument("--summary", action="store_true", help="print what is there, fit nothing")
    options = parser.parse_args()
    kind = "lottery" if options.lottery else "calibration"
    out = RESULTS / f"{kind}.json"
    tables = options.tables or (["magic_3000"] if options.lottery else list(TABLES))
    jobs = [
        {"table": name, "split": split, "kind": kind}
        for split in range(options.first, options.first + options.splits)
        for name in tables
        for kind in (["None"] if options.lottery else options.kinds)
    ]
    if not options.summary:
        run_all(
            jobs,
            work=draw_ticket if options.lottery else measure,
            key=KEY,
            out=out,
            module="benchmarks.calibration",
            timeout=lambda job: options.timeout,
            package=lambda job: "pushforward",
            again=options.again,
            preload=("pushforward.models.sliced.auto", "pandas", "scipy.stats"),
        )
    rows = [r for r in read_results(out)["rows"] if {k: r[k] for k in KEY} in jobs]
    rows = [r for r in rows if r["status"] == "ok"]
    if rows and options.lottery:
        nats = np.array([row["nats"] for row in rows])
        print(f"{len(rows)} seeds: median {np.median(nats):.3f}, worst {nats.min():.3f}")
        rows = sorted(rows, key=lambda row: row["nats"])[:10]
        keep = ("table", "split", "nats", "median_nats", "least_nats", "held_out", "chosen")
        rows = [{k: row[k] for k in keep} for row in rows]
    elif rows:
        rows = summary(rows)
    sys.stdout.write("\n".join(lines(rows) if rows else ["nothing there"]) + "\n")


if __name__ == "__main__":
    main()
