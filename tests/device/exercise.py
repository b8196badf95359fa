"""Takes tiny models of families through everything they can do on the pretend device.

python tests/device/exercise.py OUT.json NAME ...

For every name, OUT.json has what failed by action (a traceback), what was measured, and what was
counted. The models are saved in the folder of OUT.json, for a process without the device. Not a
test itself: tests start it, since a pretend device is one for a whole process.
"""

import pretend_cuda

if __name__ == "__main__":  # a benchmark imports this on a machine that has a device
    pretend_cuda.install()

import importlib
import json
import math
import runpy
import sys
import traceback
import warnings
from pathlib import Path

import families
import numpy as np
import tasks
import torch

import pushforward
from pushforward.models.sliced import selection, stacking
from pushforward.training import cuda_graphs
from pushforward.training.loop import Loop
from pushforward.transport import mixture

_SCORES = ("score_samples", "inlier_scores", "predict", "critic", "predict_proba")
_STEPS = 6  # of which graphs make the last
_NOT_COMPARED = ("seconds", "stage", "step")
_OF_A_DENSITY = ("pushforward.models.sliced.", "pushforward.transport.")


def few_fits():
    """Fewer fits than a user has, as in the other tests.

    Of AutoDensity more than there: what is chosen decides how much it calls on the device.
    """
    fits = dict(runpy.run_path(str(Path(__file__).parents[1] / "few_fits.py"))["FITS"])
    chosen = {"_SPLITS": selection, "_FOLDS": selection, "_FITS": stacking, "_RESTARTS": mixture}
    for place, few in fits.items():
        module, _, name = place.rpartition(".")
        owner = importlib.import_module(module)
        if not module.startswith(_OF_A_DENSITY) or chosen.get(name) is owner:
            setattr(owner, name, few)


def counted(work):
    """What a call returns, and the counts of what it did on the device."""
    pretend_cuda.reset()
    result = work()
    return result, pretend_cuda.counts()["totals"]


class StepCounts:
    """Counts what the last step of a training loop does on the device."""

    def __enter__(self):
        self.last, self._before = {}, Loop._take_step
        before = self._before

        def step(loop, share):
            if loop._stream.device.type != "cuda":
                return before(loop, share)
            _, self.last = counted(lambda: before(loop, share))
            return None

        Loop._take_step = step
        return self

    def __exit__(self, *failure):
        Loop._take_step = self._before


class Record:
    """What came of one family: failures, measurements and counts by action."""

    def __init__(self):
        self.failed, self.measured, self.counts = {}, {}, {}

    def run(self, action, work):
        """Do something, note how it failed, and count what it did; returns None where it did."""
        try:
            result, totals = counted(work)
        except Exception:
            self.failed[action] = traceback.format_exc()
            return None
        self.counts[action] = totals
        return result


def fitted(name, device, **settings):
    model, X, y = families.FAMILIES[name](device)
    if settings:
        model.set_params(**settings)
    return model.fit(X) if y is None else model.fit(X, y)


def resumed(name, folder, device):
    """A run of one step, and then of another: the records of both."""
    for steps in (1, 2):
        model, X, y = families.FAMILIES[name](device)
        if "steps" in model.get_params():
            model.set_params(steps=steps)
        model = model.fit(X, folder=folder) if y is None else model.fit(X, y, folder=folder)
    return model


def _named(numbers):
    """A record whose numbers have names, or places in a tuple."""
    return numbers if isinstance(numbers, dict) else dict(enumerate(numbers))


def history_gap(one, other):
    """The largest relative difference between two records of training."""
    gaps = [
        abs(a[key] - b[key]) / max(abs(a[key]), 1e-2)
        for a, b in zip(map(_named, one), map(_named, other), strict=True)
        for key in a
        if key not in _NOT_COMPARED and isinstance(a[key], float) and math.isfinite(a[key])
    ]
    return max(gaps, default=0.0)


def difference(a, b):
    """The largest difference between two results of the same form."""
    if isinstance(a, list):
        return float(sum(p != q for p, q in zip(a, b, strict=True)))
    a, b = (np.asarray(x if isinstance(x, np.ndarray) else families.plain(x)) for x in (a, b))
    if a.dtype.kind not in "fiub":
        return float((a != b).sum())
    return float(np.abs(a.astype(float) - b.astype(float)).max())


def use(record, model, X, y, device):
    """Everything that a fitted model answers, of a few rows; returns samples."""
    can = model.capabilities()
    few = X[:4]
    labels = () if y is None else (y[:4],)
    drawn = record.run("sample", lambda: model.sample(6, random_state=0))
    for method in _SCORES:
        if can.can(method):
            record.run(method, lambda method=method: getattr(model, method)(few))
    encode = "encode" if can.can("encode") else "transform"
    decode = "decode" if can.can("decode") else "inverse_transform"
    if can.can(encode):
        codes = record.run(encode, lambda: getattr(model, encode)(few, *labels))
        if codes is not None and can.can(decode):
            record.run(decode, lambda: getattr(model, decode)(codes, *labels))
            on_device = torch.as_tensor(codes).to(device)
            record.run("decode a tensor of the device",
                       lambda: getattr(model, decode)(on_device, *labels))  # fmt: skip
    if can.can("diagnose"):
        found = record.run("diagnose", lambda: model.diagnose(few, *labels, n_samples=4))
        record.measured["round trip"] = (found or {}).get("round_trip.data", 0.0)
    for method in ("elbo", "reconstruct", "score_maps"):
        if can.can(method):
            record.run(method, lambda method=method: getattr(model, method)(few, *labels))
    return drawn


def by_graphs(record, name, device):
    """Steps of graphs beside those of calls: how far losses are apart, and what a step asks."""

    def trained(wanted):
        with cuda_graphs(wanted), StepCounts() as steps, warnings.catch_warnings():
            warnings.filterwarnings("error", message="Phase")
            return fitted(name, device, steps=_STEPS).history_, steps.last

    calls = record.run("steps of calls", lambda: trained(False))
    graphs = record.run("steps of graphs", lambda: trained(True))
    for action in ("steps of calls", "steps of graphs"):
        record.counts.pop(action, None)
    if calls and graphs:
        record.measured["losses of graphs"] = history_gap(calls[0], graphs[0])
        record.counts["step of graphs"] = graphs[1]


def crossed(record, name, model, drawn, folder):
    """Save, and load on either device: samples are those that were drawn before."""
    place = record.run("save", lambda: model.save(folder / name.replace(" ", "_")))
    for device in (None, "cpu"):
        action = f"load on {device or 'its device'}"
        again = record.run(action, lambda device=device: pushforward.load(place, device=device))
        if again is not None and drawn is not None:
            record.measured[action] = difference(drawn, again.sample(6, random_state=0))


def exercised(name, folder, device="cuda"):
    """The record of a family, or of a task."""
    record = Record()
    if name in tasks.TASKS:
        record.run("task", lambda: tasks.TASKS[name](device, folder))
        record.counts = {}  # how long a search is, and so its counts, is a matter of time
        return record
    cpu = fitted(name, "cpu")
    with StepCounts() as steps:
        gpu = record.run("fit", lambda: fitted(name, device))
    if gpu is None:
        return record
    record.counts = {"step": steps.last} if steps.last else record.counts
    if gpu.capabilities().history and name not in families.GREEDY:
        record.measured["losses"] = history_gap(cpu.history_, gpu.history_)
    if "steps" in gpu.get_params():
        by_graphs(record, name, device)
    _, X, y = families.FAMILIES[name]("cpu")
    drawn = use(record, gpu, X, y, device)
    record.run("resume", lambda: resumed(name, folder / f"run {name}", device))
    crossed(record, name, gpu, drawn, folder)
    return record


if __name__ == "__main__":
    out = Path(sys.argv[1])
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    few_fits()
    records = {}
    for name in sys.argv[2:]:
        records[name] = vars(exercised(name, out.parent))
        out.write_text(json.dumps(records, indent=1))
