"""Every family on a pretend GPU: the results of the processor, and no more calls than before."""

import importlib.util
import json
from pathlib import Path

import pytest

import pushforward

HERE = Path(__file__).parent


def module(name):
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


COUNTS = HERE / "counts.json"  # written anew by: python tests/device/count.py

GROUPS = module("families").GROUPS
TASKS = (
    "refine images",
    "refine labelled images",
    "refine flow",
    "refine table",
    "refine numbers",
    "refine by another critic",
    "evaluate images",
    "evaluate table",
)
#: Largest relative difference of losses: the order of sums differs, and what steps make of it.
LOSSES = 1e-3
#: Where a loss is near 0 by the difference of larger numbers.
MORE = {"MMD-GAN": 1e-2}
_TRAINING = ("step", "fit", "resume")


def problems_of(name, record, counts):
    """What is wrong with the record of a family, as texts."""
    found = [f"{name}: {action} failed: {text}" for action, text in record["failed"].items()]
    for what, gap in record["measured"].items():
        most = {"losses": MORE.get(name, LOSSES), "round trip": 0.05}.get(what, 0)
        if gap > most:
            found.append(f"{name}: {what} differ by {gap:.3g}, more than {most}")
    for action, totals in record["counts"].items():
        rounded = totals.get("convolutions in TF32", 0)
        if rounded and action not in _TRAINING:
            found.append(f"{name}: {action} rounds {rounded} convolutions to TF32")
        if action == "step" and totals.get("copies from pageable memory", 0) and "Glow" in name:
            found.append(f"{name}: batches are not in page-locked memory")
        if totals.get("convolutions without cuDNN", 0):
            found.append(f"{name}: {action} has convolutions without cuDNN")
    return found + more_calls(name, record["counts"], counts.get(name))


def more_calls(name, now, before):
    """Where more is called, copied or waited for than counts.json says, as texts."""
    if before is None:
        return [f"{name}: not in {COUNTS.name}"]
    return [
        f"{name}: {action} takes {now[action].get(what, 0)} {what}; {COUNTS.name} has {number}"
        for action, numbers in before.items()
        for what, number in numbers.items()
        if now.get(action, {}).get(what, 0) > 1.05 * number
    ]


@pytest.mark.parametrize("group", GROUPS)
def test_a_family_does_on_a_gpu_what_it_does_on_a_processor(group, exercised):
    records, folder = exercised(*GROUPS[group])
    counts = json.loads(COUNTS.read_text())
    assert list(records) == list(GROUPS[group])
    found = [
        text for name, record in records.items() for text in problems_of(name, record, counts)
    ]
    assert not found, "\n".join(found)
    for name in records:  # here, where there is no GPU
        model = pushforward.load(folder / name.replace(" ", "_"))
        assert model.device is None
        assert len(model.sample(2, random_state=0)) == 2


def test_models_on_a_gpu_are_refined_and_evaluated(exercised):
    records, _ = exercised(*TASKS)
    assert list(records) == list(TASKS)
    failed = {name: record["failed"] for name, record in records.items() if record["failed"]}
    assert not failed


def test_the_device_refuses_what_a_gpu_refuses(on_device):
    assert json.loads(on_device("refusals.py")) == {
        "two devices": "at least two devices",
        "generator": "by a generator of the CPU",
        "index": "indices should be either on cpu",
        "weights": "of tensors of two devices",
    }


def test_a_rise_of_the_counts_is_seen():
    before = {"step": {"calls": 100, "synchronisations": 1}}
    assert more_calls("a", {"step": {"calls": 105, "synchronisations": 1}}, before) == []
    (text,) = more_calls("a", {"step": {"calls": 106, "synchronisations": 1}}, before)
    assert "106 calls" in text
    (text,) = more_calls("a", {"step": {"calls": 100, "synchronisations": 2}}, before)
    assert "2 synchronisations" in text
