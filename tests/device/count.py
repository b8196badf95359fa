"""Writes counts.json anew: what every family asks of a GPU in a step, and in use.

    python tests/device/count.py

Numbers that have risen are seen in the difference that is committed, and want a reason. Operators
on lists of tensors, such as an optimiser's, count once a tensor; CUDA has kernels for lists.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import families

HERE = Path(__file__).parent
ACTIONS = (
    *("step", "step of graphs", "fit"),
    *("sample", "encode", "transform", "score_samples", "critic"),
)
KEPT = ("calls", "copies to the device", "copies to the host", "synchronisations")


def counts_of(names):
    """The counts of some families, from a process on the pretend device."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        subprocess.run([sys.executable, str(HERE / "exercise.py"), str(out), *names], check=True)
        records = json.loads(out.read_text())
    return {name: kept(record["counts"]) for name, record in records.items()}


def kept(counts):
    """The actions and totals that are watched."""
    if "step" in counts:
        counts = {action: totals for action, totals in counts.items() if action != "fit"}
    return {
        action: {what: counts[action].get(what, 0) for what in KEPT}
        for action in ACTIONS
        if action in counts
    }


if __name__ == "__main__":
    found = {}
    for names in families.GROUPS.values():
        found |= counts_of(names)
    (HERE / "counts.json").write_text(json.dumps(found, indent=1) + "\n")
