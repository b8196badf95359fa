"""Refinement of weak models of the 25 Gaussians and the Swiss roll, all methods at one cost.

python -m benchmarks.refinement_toys --seeds 0 1 2
python -m benchmarks.refinement_toys --seeds 0 --bases realnvp gis --methods auto
"""

import argparse
import statistics
import sys
import time

from .common import RESULTS, run_all

SETS = ("gaussians", "roll")
BASES = ("table_gan", "early_gan", "realnvp", "gis", "table_sig")
KEY = ("set", "base", "seed", "methods", "rows")
FITTED, ROWS = 50_000, 100_000  # real ones, to fit, and by default others to refine on
FRESH, DRAWS = 4000, 16  # fresh ones, and samples, to judge by; so often, for from one draw to
# the next areas differ by .006, and imbalances by a third:
EVEN = 100  # draws whose imbalance is averaged, of real rows and of "auto": an error of 3 %
EARLY = {"gaussians": 700, "roll": 320}  # steps of 2,000 that leave a GAN easily told from data


def _real(name, n, rng):
    import numpy as np

    from pushforward.metrics import grid_of_gaussians, swiss_roll_curve

    if name == "gaussians":
        centres, sd = grid_of_gaussians()
        return centres[rng.integers(len(centres), size=n)] + sd * rng.normal(size=(n, 2))
    t = 1.5 * np.pi * (1 + 2 * rng.random(n))
    middle = np.stack([t * np.cos(t), t * np.sin(t)], axis=1) / 7.5
    return middle + swiss_roll_curve()[1] * rng.normal(size=(n, 2))


def _base(name, toy, seed):
    import pushforward

    if name == "table_gan":
        return pushforward.TableGAN(random_state=seed)
    if name == "early_gan":
        return pushforward.TableGAN(steps=EARLY[toy], random_state=seed)
    if name == "realnvp":  # too few and too narrow couplings, too few steps
        return pushforward.TableFlow(couplings=4, width=16, steps=60, random_state=seed)
    if name == "table_sig":
        return pushforward.TableSIG(layers=1, random_state=seed)
    return pushforward.GIS(max_layers=1, random_state=seed)


def _averaged(name, draw, fresh):
    """Means of the figures over draws, and how far one draw's area is from the next."""
    import numpy as np

    told = [_figures(name, draw(k), rows) for k, rows in enumerate(fresh)]
    figures = {key: round(float(np.mean([one[key] for one in told])), 5) for key in told[0]}
    return figures | {"auc_deviation": round(float(np.std([x["auc"] for x in told], ddof=1)), 4)}


def _even(draw):
    """The mean imbalance of many draws, and its error."""
    from pushforward.metrics import grid_of_gaussians, modes

    values = [modes(draw(k), *grid_of_gaussians())[2].value for k in range(EVEN)]
    error = statistics.stdev(values) / EVEN**0.5
    return {"imbalance": round(statistics.mean(values), 5), "imbalance_error": round(error, 5)}


def _figures(name, samples, fresh):
    from pushforward.metrics import (
        classifier_two_sample,
        grid_of_gaussians,
        modes,
        swiss_roll_curve,
    )

    auc = classifier_two_sample(fresh, samples, classifier="neighbours")
    told = {"auc": round(auc.value, 4)}
    if name == "roll":
        (quality,) = modes(samples, *swiss_roll_curve(), within=3.0, curve=True)
        return told | {"high_quality": quality.value}
    quality, found, imbalance = modes(samples, *grid_of_gaussians())
    return told | {
        "high_quality": quality.value,
        "modes": int(found.value),
        "imbalance": round(imbalance.value, 5),
        "spread": round(quality.details["spread"], 4),
    }


def work(name, base, seed, which, rows):
    """Fit one base, refine it by every method with so many rows, judge each by fresh ones."""
    import numpy as np

    from pushforward.refinement import compare_methods

    rng = np.random.default_rng([seed, SETS.index(name)])
    train, data = (_real(name, n, rng) for n in (FITTED, rows))
    fresh, other = ([_real(name, FRESH, rng) for _ in range(DRAWS)] for _ in range(2))
    began = time.process_time()
    model = _base(base, name, seed).fit(train)
    base_seconds = time.process_time() - began
    marks = []

    def report(text, share):
        marks.append((text, time.process_time()))
        print(f"  {text}", file=sys.stderr, flush=True)

    few = [] if which == "auto" else None
    lines = compare_methods(model, data, random_state=seed, methods=few, report=report)
    after = next(t for text, t in marks if text.startswith("auto took"))
    figures_of = {"real": _averaged(name, lambda k: other[k], fresh)}
    if name == "gaussians":
        figures_of["real"] |= _even(lambda k: _real(name, FRESH, rng))
    for line in lines:
        if line.auc is None:
            figures_of[line.method] = {"reason": line.reason}
            continue

        def draw(k, line=line):
            return line.sample(FRESH, random_state=1000 + seed + 100 * k)

        figures = _averaged(name, draw, fresh)
        if name == "gaussians" and line.method == "auto":
            figures |= _even(draw)
        figures_of[line.method] = figures | {
            "reported_auc": round(line.auc.value, 4),
            "helped": line.helped,
            "draws": round(line.draws, 2),
            "evaluations": round(line.evaluations, 1),
            "ms": round(line.milliseconds, 3),
        }
    return {
        "base_cpu_seconds": round(base_seconds, 1),
        "auto_cpu_seconds": round(after - marks[0][1], 1),
        "draws": DRAWS,
        "figures": figures_of,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--bases", nargs="+", default=BASES, choices=BASES)
    parser.add_argument("--methods", choices=("all", "auto"), default="all")
    parser.add_argument("--rows", type=int, default=ROWS, help="real ones, to refine with")
    parser.add_argument("--timeout", type=float, default=3600)
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    jobs = [
        {"set": name, "base": base, "seed": seed, "methods": options.methods, "rows": options.rows}
        for seed in options.seeds
        for base in options.bases
        for name in options.sets
    ]
    run_all(
        jobs, work=work, key=KEY, out=RESULTS / "refinement_toys.json",
        module="benchmarks.refinement_toys", timeout=lambda job: options.timeout,
        package=lambda job: "pushforward", again=options.again,
    )  # fmt: skip


if __name__ == "__main__":
    main()
