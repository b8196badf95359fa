"""Two processes refine and sample as one does."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from pushforward.refinement.budget import Budget

SCRIPT = Path(__file__).with_name("two_processes.py")
# as little is learned and tried as in the process of the tests
SHORT = (
    "import runpy, sys;"
    "from pushforward.refinement import cost_estimate, density_ratio, ratio_network;"
    "from pushforward.refinement.methods import dgflow;"
    "from pushforward.refinement.dgflow_search import Search;"
    "ratio_network._WIDTH, density_ratio._POOLED = 4, 400;"
    "density_ratio._STEPS = density_ratio._STEPS_THAT_WEIGH = 100;"
    "dgflow.search_of = cost_estimate.search_of = "
    "lambda n: Search(200, (0.01, 0.03), (0.5,), (5, 20));"
    "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)


def launched(count, *arguments):
    """What became of so many processes."""
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", count,
         *map(str, arguments)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_two_processes_sample_the_same_rows_as_one(tmp_path, monkeypatch):
    start, out = tmp_path / "start.py", tmp_path / "two.safetensors"
    start.write_text(SHORT)
    run = launched("2", start, SCRIPT, out, "2")
    assert run.returncode == 0, run.stderr
    two = load_file(out)
    spec = importlib.util.spec_from_file_location("two_processes", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(Budget, "out_of_time", Budget.out_of_time)  # is put back
    one = module.refined()
    assert torch.equal(one["known"], two["known"])
    assert len(two["hurried"]) == 3000  # none waits for one that has stopped
    # a network that is learned together is the same but for rounding
    gap = one["learned"].mean() - two["learned"].mean()
    assert float(gap.abs()) < 0.1


def test_none_waits_for_a_process_that_failed():
    """Each knows of an error that has a name; a defect ends them all."""
    script = SCRIPT.with_name("failing_process.py")
    run = launched("2", script, "named")
    assert run.returncode == 0, run.stderr
    assert "process 1: a bad point" in run.stdout
    assert "process 0: 1 of 2 processes failed" in run.stdout
    run = launched("2", script, "defect")
    assert run.returncode != 0
    assert "a defect" in run.stderr
