"""Two processes train what one does."""

import importlib.util
import subprocess
import sys
from pathlib import Path

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
