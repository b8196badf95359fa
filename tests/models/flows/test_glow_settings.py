"""What Glow decides by itself: on a processor and on a GPU."""

import pytest
import torch

from pushforward.models.flows import Glow

SHAPE, IMAGES = (3, 32, 32), 50_000


@pytest.fixture
def gpu(monkeypatch):
    """A GPU of 80 GB, as far as settings go; its free memory can be changed."""
    free = [80e9]
    monkeypatch.setattr(Glow, "_device", lambda self: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free[0], 80e9))
    return free


def test_the_published_size_is_computed_as_a_gpu_likes_it(gpu):
    found = Glow(preset="paper")._resolve(SHAPE, IMAGES)
    assert (found["batch_size"], found["precision"], found["memory"]) == (512, "bfloat16", "store")


def test_what_does_not_fit_is_computed_anew(gpu):
    gpu[0] = 12e9
    assert Glow(preset="paper")._resolve(SHAPE, IMAGES)["memory"] == "reversible"
    assert Glow()._resolve(SHAPE, IMAGES)["memory"] == "store"


def test_what_is_said_is_done(gpu):
    said = {"batch_size": 64, "precision": "float32", "memory": "checkpoint"}
    found = Glow(preset="paper", **said)._resolve(SHAPE, IMAGES)
    assert {name: found[name] for name in said} == said


def test_a_processor_keeps_what_it_had():
    paper, fast = (
        Glow(preset=preset, device="cpu")._resolve(SHAPE, IMAGES) for preset in ("paper", "fast")
    )
    assert [paper[k] for k in ("batch_size", "precision", "memory")] == [
        64,
        "float32",
        "reversible",
    ]
    assert [fast[k] for k in ("batch_size", "precision", "memory")] == [64, "float32", "store"]
