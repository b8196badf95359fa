"""Searches for directions of SIG: how far what they find differs in images they have not seen.

    python -m benchmarks.sig_search

MNIST beside samples that have the margins of its principal axes and nothing of their dependence,
as after the first layer, in a patch in the middle of the image. Directions are searched with few
images and judged by the 2-Wasserstein distance along them of 3,000 others: means and standard
deviations over four starts, CPU milliseconds of one thread.
"""

import argparse
import time

from benchmarks.common import RESULTS, run_all, shared

KEY = ("side", "rows", "steps")
SLICES = {28: 56, 14: 28, 7: 14, 4: 8, 2: 4}
STARTS = 4
# steps of preset "fast", and half as many; images of 15 and of 60 minutes, and fewer
STEPS = {28: (17, 34), 14: (15, 29), 7: (10, 20), 4: (5, 10), 2: (4, 8)}
JOBS = [
    (side, rows, steps)
    for side, (few, many) in STEPS.items()
    for rows, steps in ((1024, few), (1024, many), (2048, many), (8192, many))
]


def samples_of(side):
    """Patches of images and of samples with the margins of their principal axes: (d, n) each."""
    import torch

    from pushforward import open_images

    images = open_images(shared("data", "mnist"), "train").images[:12000]
    first = (28 - side) // 2
    cut = torch.from_numpy(images[:, 0, first : first + side, first : first + side].copy())
    generator = torch.Generator().manual_seed(0)
    x = cut.flatten(1).float()
    x = (x + torch.rand(x.shape, generator=generator)) / 128 - 1
    mean = x.mean(0)
    axes = torch.linalg.svd(x - mean, full_matrices=False).Vh
    along = ((x - mean) @ axes.T).T
    mixed = torch.stack([u[torch.randperm(len(u), generator=generator)] for u in along])
    return x.T.contiguous(), (mixed.T @ axes + mean).T.contiguous()


def work(side, rows, steps):
    """One row."""
    import numpy as np
    import torch

    from pushforward.transport.optimal_transport import matching_directions, matching_value

    torch.set_num_threads(1)
    pools = samples_of(side)
    few = [pool[None, :, :rows].contiguous() for pool in pools]
    others = [pool[None, :, 9000:] for pool in pools]
    found, spent = [], []
    for seed in range(STARTS):
        start = torch.Generator().manual_seed(seed)
        begun = time.process_time()
        a = matching_directions(*few, SLICES[side], start, steps=steps)
        spent.append(time.process_time() - begun)
        found.append(float(matching_value(a, *others)))
    return {
        "distance": round(float(np.mean(found)), 4),
        "deviation": round(float(np.std(found)), 4),
        "milliseconds": round(1e3 * float(np.median(spent)), 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    run_all(
        [dict(zip(KEY, job, strict=True)) for job in JOBS],
        work=work,
        key=KEY,
        out=RESULTS / "sig_search.json",
        module="benchmarks.sig_search",
        timeout=lambda job: 300,
        package=lambda job: "pushforward",
        again=given.again,
    )


if __name__ == "__main__":
    main()
