"""Two processes train what one does."""

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pushforward.training import Loop, Optimiser, Phase, Processes, TensorSource


def trained():
    torch.manual_seed(0)
    networks = {
        "g": nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3)),
        "d": nn.Linear(3, 1),
    }

    def of_g(batch):
        return {"play": -networks["d"](networks["g"](batch.normal(3))).mean()}

    def of_d(batch):
        fake = networks["g"](batch.normal(3))
        gap = networks["d"](fake).mean() - networks["d"](batch.x).mean()
        return {"gap": gap, "size": 0.1 * networks["d"](batch.x).square().mean()}

    x = torch.randn(30, 3, generator=torch.Generator().manual_seed(1))
    phases = [
        Phase("d", ("d",), of_d, Optimiser("adam", 1e-2), repeats=2),
        Phase("g", ("g",), of_g, Optimiser("adam", 1e-2, clip=1.0)),
    ]
    loop = Loop(networks, phases, TensorSource(x), batch_size=7, ema=0.9)
    loop.run(steps=15)
    return loop


def saved(path):
    loop = trained()
    assert loop.processes.count == 2
    if loop.processes.first:
        tensors = {
            f"{n}.{k}": v for n, m in loop.networks.items() for k, v in m.state_dict().items()
        }
        save_file(tensors, path)


def test_two_processes_equal_one_on_the_joined_batch(processes, tmp_path):
    ended = processes(2, saved, tmp_path / "two.safetensors")
    assert ended.codes == [0, 0], ended.stderr
    one = trained()
    for name, value in load_file(tmp_path / "two.safetensors").items():
        player, key = name.split(".", 1)
        torch.testing.assert_close(
            one.networks[player].state_dict()[key], value, rtol=1e-4, atol=1e-6, msg=name
        )


def fails(kind):
    Processes().barrier()
    if os.environ["RANK"] == "1":
        raise KeyError(kind)
    Processes().barrier()


def test_a_group_of_copies_ends_with_one_that_fails(processes):
    ended = processes(2, fails, "a defect")
    assert ended.codes[1] == 1
    assert ended.codes[0] != 0
    assert "KeyError: 'a defect'" in ended.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads the names of threads from /proc")
def test_no_thread_of_the_group_is_left_when_the_interpreter_ends(tmp_path):
    script = tmp_path / "leaves.py"
    script.write_text(
        "import atexit, pathlib\n"
        "def left():\n"
        "    tasks = pathlib.Path('/proc/self/task').glob('*/comm')\n"
        "    assert not [n for n in (t.read_text() for t in tasks) if 'gloo' in n]\n"
        "    print('nobody is left')\n"
        "atexit.register(left)  # the first to be registered is the last to run\n"
        "import torch\n"
        "from pushforward.training.processes import Processes\n"
        "processes = Processes()\n"
        "import torch.distributed.nn  # as optimisers do\n"
        "processes.barrier()\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         str(script)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert run.stdout.count("nobody is left") == 2, run.stderr
