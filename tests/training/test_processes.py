"""Two processes train what one does."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = Path(__file__).with_name("two_processes.py")


def test_two_processes_equal_one_on_the_joined_batch(tmp_path):
    out = tmp_path / "two.safetensors"
    run = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         str(SCRIPT), str(out), "2"],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    spec = importlib.util.spec_from_file_location("two_processes", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    one = module.trained()
    for name, value in load_file(out).items():
        player, key = name.split(".", 1)
        torch.testing.assert_close(
            one.networks[player].state_dict()[key], value, rtol=1e-4, atol=1e-6, msg=name
        )


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
        "processes = Processes(torch.device('cpu'))\n"
        "import torch.distributed.nn  # as optimisers do\n"
        "processes.barrier()\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         str(script)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert run.stdout.count("nobody is left") == 2, run.stderr
