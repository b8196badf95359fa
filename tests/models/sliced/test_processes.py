"""Two processes grow the layers that one grows."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import pushforward
from pushforward.models.sliced import patch_loop

SCRIPT = Path(__file__).with_name("two_processes.py")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("two_processes", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def of_two(tmp_path_factory, script):
    folder = tmp_path_factory.mktemp("two")

    def dies(kept, count):
        if count == 5:
            kept.write()
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patch_loop, "_keep", patch_loop._keep)  # is put back
        script.told(dies)
        with pytest.raises(KeyboardInterrupt):
            script.grown("resumed", folder / "work")
    run = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         str(SCRIPT), str(folder), "2"],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return folder


@pytest.mark.parametrize("name", ["pictures", "resumed", "likelihood", "conditional"])
def test_two_processes_grow_the_layers_of_one(of_two, script, name):
    one, two = script.grown(name), pushforward.load(of_two / name)
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
