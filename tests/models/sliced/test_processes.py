"""Two processes grow the layers that one grows."""

import json

import pytest
import torch

import pushforward
from pushforward import SIG, open_images
from pushforward.models.sliced import patch_loop

FITS = {
    "pictures": {"layers": 2, "max_images": 600},  # a third of them for each layer
    "resumed": {"layers": 2, "max_images": 600},  # from what one process left in the folder "work"
    "likelihood": {"goal": "likelihood", "layers": 12},
    "conditional": {"conditional": True, "layers": 1},
}


def grown(name, folder=None):
    options = {"search_steps": 5, "knots": 32, "device": "cpu", "random_state": 0}
    return SIG(**options | FITS[name]).fit(open_images("digits"), folder=folder)


def told(seen):
    """Note the numbers of layers that are made, not taken from an earlier fit."""
    keep = patch_loop._keep

    def noted(kept, count, number, layer):
        keep(kept, count, number, layer)
        seen(kept, count)

    patch_loop._keep = noted


def saved(folder):
    made = []
    told(lambda kept, count: made.append(count))
    for name in FITS:
        made.clear()
        model = grown(name, folder / "work" if name == "resumed" else None)
        if torch.distributed.get_rank() == 0:
            (folder / f"{name}.json").write_text(json.dumps(made))
            model.save(folder / name)
        own = model._tensors()["flow.layers.0.y"]
        other = own.clone()
        torch.distributed.broadcast(other, 0)
        assert other.equal(own), "the processes hold different layers"
    assert torch.distributed.get_world_size() == 2


@pytest.fixture(scope="module")
def of_two(tmp_path_factory, processes):
    folder = tmp_path_factory.mktemp("two")

    def dies(kept, count):
        if count == 5:
            kept.write()
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patch_loop, "_keep", patch_loop._keep)  # is put back
        told(dies)
        with pytest.raises(KeyboardInterrupt):
            grown("resumed", folder / "work")
    ended = processes(2, saved, folder)
    assert ended.codes == [0, 0], ended.stderr
    return folder


@pytest.mark.parametrize("name", ["pictures", "resumed", "likelihood", "conditional"])
def test_two_processes_grow_the_layers_of_one(of_two, name):
    one, two = grown(name), pushforward.load(of_two / name)
    ours, theirs = one._tensors(), two._tensors()
    assert list(ours) == list(theirs)
    differ = [key for key in ours if not ours[key].equal(theirs[key])]
    assert differ == []
    drop = [{k: v for k, v in r.items() if k != "seconds"} for r in (*one.history_, *two.history_)]
    assert drop[: len(one.history_)] == drop[len(one.history_) :]


def test_two_processes_go_on_from_what_one_left(of_two):
    whole, resumed = (
        json.loads((of_two / f"{name}.json").read_text()) for name in ("pictures", "resumed")
    )
    assert resumed == whole[6:]
    assert not (of_two / "work" / "unfinished").exists()
