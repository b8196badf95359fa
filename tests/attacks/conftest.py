"""A small model folder to attack, and a forger who knows how the sums are made."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
import torch

from pushforward.storage.model_folder import write_folder

# the scripts beside this file import one another, also where their doctests are looked for
sys.path.insert(0, str(Path(__file__).parent))

CONFIG = {
    "class": "GIS",
    "alpha": 1e-05,
    "names": ["a", "é"],
    "deep": {"n": [1, -2.5, None, True]},
}


def make_model(folder, value=0.5):
    tensors = {"w": torch.full((2, 3), value), "on": torch.tensor([True, False])}
    return write_folder(folder, CONFIG, tensors, "# A model\n")


def reseal(folder, document=None, measure=True):
    """Recompute every sum, as an attacker would; a mended digest is no proof of good will."""
    folder = Path(folder)
    if document is None:
        document = json.loads((folder / "config.json").read_bytes())
    for name, entry in document["files"].items() if measure else ():
        if (folder / name).is_file() and isinstance(entry, dict):
            data = (folder / name).read_bytes()
            entry.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    document.pop("sha256", None)
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    document["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    (folder / "config.json").write_text(json.dumps(document, indent=2) + "\n")


@pytest.fixture
def model(tmp_path):
    return make_model(tmp_path / "model")


@pytest.fixture(name="make_model")
def make_model_fixture():
    return make_model


@pytest.fixture(name="reseal")
def reseal_fixture():
    return reseal
