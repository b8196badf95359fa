"""TableGAN on 25 Gaussians and the Swiss roll: the base that refinement starts from.

python -m benchmarks.toy_gans [--picture FILE.png]

For both sets and each seed the preset "fast" is trained on 20,000 rows. Its samples are compared
with as many fresh rows: the share within four standard deviations of a mode (three of the curve),
modes found and their balance, the spread within modes, and the AUC of 15 nearest neighbours, whose
floor is that of fresh rows against fresh rows. `--picture` draws the samples of the first seed.
"""

import argparse
import time

from benchmarks.common import RESULTS, run_all

ROWS, JUDGED = 20_000, 4000


def draw(data, n, seed):
    """Rows of a toy set, drawn exactly."""
    from pushforward.data import gaussian_grid, swiss_roll

    return {"gaussian_grid": gaussian_grid, "swiss_roll": swiss_roll}[data](n, random_state=seed)


def trained(data, seed):
    """The model of a set and a seed, and the CPU seconds it took."""
    import torch

    from pushforward import TableGAN

    torch.set_num_threads(1)
    rows = draw(data, ROWS, seed)
    begun = time.process_time()
    model = TableGAN(device="cpu", random_state=seed).fit(rows)
    return model, time.process_time() - begun


def measured(data, seed):
    """Row of a set and a seed."""
    from pushforward.metrics import (
        classifier_two_sample,
        grid_of_gaussians,
        modes,
        swiss_roll_curve,
    )

    model, seconds = trained(data, seed)
    made = model.sample(JUDGED, random_state=seed + 1)
    fresh, more = (draw(data, JUDGED, 1000 + 2 * seed + k) for k in range(2))
    grid = data == "gaussian_grid"
    known = grid_of_gaussians() if grid else swiss_roll_curve()
    found = modes(made, *known, within=4.0 if grid else 3.0, curve=not grid)
    row = {measure.name: round(float(measure.value), 4) for measure in found}
    if grid:
        row["spread"] = round(found[0].details["spread"], 3)
    auc, floor = (
        classifier_two_sample(fresh, rows, classifier="neighbours") for rows in (made, more)
    )
    return {
        **row,
        "two_sample_auroc": round(auc.value, 4),
        "floor": round(floor.value, 4),
        "kept_step": model.best_["step"],
        "divergence": round(model.best_["value"], 3),
        "steps": model.history_[-1]["step"],
        "training_cpu_seconds": round(seconds, 1),
    }


def picture(path, seed):
    """Draw samples of both sets over rows."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 5), layout="constrained")
    for axis, data in zip(axes, ("gaussian_grid", "swiss_roll"), strict=True):
        model, _ = trained(data, seed)
        made = model.sample(JUDGED, random_state=seed + 1)
        axis.scatter(*draw(data, JUDGED, 1000).to_numpy().T, s=2, color="0.75", label="rows")
        axis.scatter(*made.to_numpy().T, s=1, color="C0", label="samples")
        axis.set(aspect="equal", title=data)
        axis.legend(markerscale=4, loc="upper right")
    figure.savefig(path, dpi=120)


def main():
    """Measure and write benchmarks/results/toy_gans.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", nargs="+", default=["gaussian_grid", "swiss_roll"])
    parser.add_argument("--picture", metavar="FILE.png")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    if options.picture:
        picture(options.picture, options.seeds[0])
        return
    key = ("data", "seed")
    jobs = [{"data": data, "seed": seed} for seed in options.seeds for data in options.data]
    run_all(
        jobs, work=measured, key=key, out=RESULTS / "toy_gans.json",
        module="benchmarks.toy_gans", timeout=lambda job: 3600.0,
        package=lambda job: "pushforward", again=options.again,
    )  # fmt: skip


if __name__ == "__main__":
    main()
