"""Fits on disk and in memory, and prints what each added to the peak of memory. Not a test."""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from pushforward import SIG


def peak():
    """Megabytes of this program alone: ru_maxrss begins with the peak of the process before."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def fitted(images, memory):
    options = {"layers": 1, "samples": 6, "search_steps": 2, "search_rows": 256, "knots": 16}
    model = SIG(**options, max_images=len(images), memory=memory, random_state=0, device="cpu")
    return model.fit(images)


if __name__ == "__main__":
    torch.set_num_threads(1)
    images = np.load(sys.argv[1], mmap_mode="r")
    fitted(images[:2000], None)  # what libraries take when first used
    peaks = [peak()]
    models = []
    for memory in (0.01, 10):
        models.append(fitted(images, memory))
        peaks.append(peak())
    ours, theirs = (model._tensors() for model in models)
    same = all(ours[key].equal(theirs[key]) for key in theirs)
    print(json.dumps({"disk": peaks[1] - peaks[0], "memory": peaks[2] - peaks[0], "same": same}))
