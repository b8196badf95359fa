"""SIG against the program of its authors: a layer of every stage, its time, memory and distances.

python -m benchmarks.sig_reference --reference FOLDER

FOLDER is a checkout of the authors' repository (biweidai/SIG_GIS on GitHub), which has no licence:
nothing of it is part of this project. Both programs start from the same noise and the same 2,000
images of Fashion-MNIST and build the same number of layers of every stage of the published
schedule, with as many slices each, on one thread and each stage in a process of its own, one at a
time. The reference searches directions for ``--iterations`` steps, fewer than the published 200
(which take many minutes a layer), and has the published 400 knots. `pushforward` is preset "fast"
as it is, whose first layer goes along all principal axes; `pushforward_same_slices` is without
that layer, and has 400 knots too. Memory is the peak above what there was after a layer of 50
images, which has loaded what programs load once.

After each stage samples are compared with held-out images: root mean squared 2-Wasserstein
distance along principal axes of the images and along random axes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import RESULTS, provenance, write_text
from benchmarks.floors import FASHION_MNIST

SIDES = (28, 14, 7, 6, 5, 4, 3, 2)
ITERATIONS = (50, 30, 20, 15, 10, 8, 5, 5)
FEW = 50
_ENDS = """
print(json.dumps({{"cpu_s": [round(s, 4) for s in seconds], "mib": mib("VmHWM") - before,
    "mib_before": before}}))
"""
_STARTS = """
import ctypes, json, sys, time, types
import numpy as np, torch
torch.set_num_threads(1)
torch.set_grad_enabled(False)
def mib(what):
    # of this program alone: ru_maxrss has the peak of the parent before it became this program
    status = open("/proc/self/status").read()
    return int(status.split(what + ":")[1].split()[0]) // 1024
def held():
    # what there is before a layer; from here on, the peak is that of the layers
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return mib("VmRSS")
"""
_REFERENCE = (
    _STARTS
    + """
for name in ("load_data", "fid_score"):  # data sets, torchvision, a downloaded network: not needed
    sys.modules[name] = types.ModuleType(name)
sys.modules["fid_score"].evaluate_fid_score = None
sys.path.insert(0, {folder!r})
from SIG import add_one_layer_inverse
from SINF import SINF
torch.set_grad_enabled(True)
torch.manual_seed({seed})
np.random.seed({seed})
data, samples = (torch.from_numpy(np.load(path)) for path in {paths!r})
def grown(model, data, samples, shift, iterations):
    n, kind = len(data), "regular" if {side} == 28 else "patch"
    model, samples, _ = add_one_layer_inverse(
        model, data, samples, {slices}, n, n, layer_type=kind, shape=[28, 28, 1],
        kernel=[{side}, {side}, 1], shift=shift, MSWD_max_iter=iterations, verbose=False,
    )
    return model, samples
grown(SINF(ndim=784).requires_grad_(False), data[:{few}], samples[:{few}], [0, 0], 2)
model = SINF(ndim=784).requires_grad_(False)
before, seconds = held(), []
for shift in {shifts!r}:
    begun = time.process_time()
    model, samples = grown(model, data, samples, shift, {iterations})
    seconds.append(time.process_time() - begun)
np.save({paths!r}[1], samples.detach().numpy())
"""
    + _ENDS
)
_OURS = (
    _STARTS
    + """
from benchmarks.sig_parts import growth
from pushforward.transport.patches import PatchGrid
data, samples = (np.load(path) for path in {paths!r})
def add(grown, shift, number):
    grid = PatchGrid((1, 28, 28), ({side}, {side}), tuple(shift) if {side} < 28 else (0, 0))
    generator = torch.Generator().manual_seed(1000 * {seed} + number)
    assert grown.add(grown.make(grid, {slices}, generator))
few = growth(data[:{few}], samples[:{few}], knots={knots})
grown = growth(data, samples, knots={knots})
few.moved = grown.moved = {same}  # whether there is no layer along all principal axes
add(few, [0, 0], 0)
del few
before, seconds = held(), []
for number, shift in enumerate({shifts!r}):
    begun = time.process_time()
    add(grown, shift, number)
    seconds.append(time.process_time() - begun)
np.save({paths!r}[1], grown.samples.columns(torch.arange(len(samples))).T.numpy())
"""
    + _ENDS
)


def load(rows, seed):
    """Training and held-out images (n, 784) as the models see them, and as much noise."""
    from pushforward import open_images

    rng = np.random.default_rng(seed)
    sets = []
    for split, count in (("train", rows), ("test", 2000)):
        images = open_images(FASHION_MNIST, split).images
        few = images[np.sort(rng.choice(len(images), count, replace=False))].reshape(count, -1)
        sets.append(((few + rng.random(few.shape)) / 128 - 1).astype(np.float32))
    return *sets, rng.standard_normal((rows, 784)).astype(np.float32)


def run(code, **values):
    """What a child process prints last."""
    done = subprocess.run(
        [sys.executable, "-c", code.format(**values)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def stage_rows(program, side, done, distances):
    """One row of the results."""
    layer = sum(done["cpu_s"]) / len(done["cpu_s"])
    told = {"cpu_s_a_layer": round(layer, 4), "peak_mib_above_data": done["mib"]}
    told |= {"mib_before": done["mib_before"], "layers_cpu_s": done["cpu_s"]}
    return {"program": program, "patch": side, **told, **distances}


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.sig_reference", description=__doc__)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--layers", type=int, default=3, help="of each stage")
    parser.add_argument("--iterations", type=int, nargs=8, default=ITERATIONS)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "sig_reference.json")
    options = parser.parse_args()
    from benchmarks.sig_parts import growth

    run_of = provenance("benchmarks.sig_reference")
    train, held_out, noise = load(options.rows, options.seed)
    rng = np.random.default_rng(options.seed)
    shifts = {side: rng.integers(0, 28, (options.layers, 2)).tolist() for side in SIDES}
    programs = {
        "reference": (_REFERENCE, {"folder": str(options.reference)}),
        "pushforward": (_OURS, {"knots": None, "same": False}),
        "pushforward_same_slices": (_OURS, {"knots": 400, "same": True}),
    }
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        paths = {name: [f"{scratch}/data.npy", f"{scratch}/{name}.npy"] for name in programs}
        np.save(f"{scratch}/data.npy", train)
        for _, samples in paths.values():
            np.save(samples, noise)
        for side, iterations in zip(SIDES, options.iterations, strict=True):
            if side not in options.sides:
                continue
            for name, (code, more) in programs.items():
                done = run(
                    code,
                    **more,
                    side=side,
                    slices=2 * side,
                    few=FEW,
                    iterations=iterations,
                    shifts=shifts[side],
                    paths=paths[name],
                    seed=options.seed,
                )
                measured = growth(train, np.load(paths[name][1]), held_out=held_out).measures()
                rows.append(stage_rows(name, side, done, measured))
                print(json.dumps(rows[-1]), flush=True)
    setting = {"rows": options.rows, "layers": options.layers, "seed": options.seed}
    setting |= {"iterations": list(options.iterations)}
    content = {"provenance": run_of, "setting": setting, "rows": rows}
    write_text(options.out, json.dumps(content, indent=1) + "\n")
    print(table(rows))


def table(rows):
    """The rows as Markdown, ours beside the reference."""
    lines = [
        "| patches | layer, s | ratio | memory, MiB | PCA-sliced | sliced |",
        "|---" * 6 + "|",
    ]
    for row in rows:
        theirs = next(r for r in rows if r["patch"] == row["patch"])
        ratio = theirs["cpu_s_a_layer"] / row["cpu_s_a_layer"]
        lines.append(
            f"| {row['program']} {row['patch']} | {row['cpu_s_a_layer']:.3f} | {ratio:.1f} | "
            f"{row['peak_mib_above_data']} | {row['pca_sliced_distance']:.4f} | "
            f"{row['sliced_distance']:.4f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
