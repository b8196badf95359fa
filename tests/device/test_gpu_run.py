"""The driver of a first hour on a GPU: what comes next, and dry runs of what it measures."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks").exists(), reason="the benchmarks are in the repository only"
)
DRY = ("check_flows", "exactness", "times", "wgan_gp", "sig_mnist", "glow")


@pytest.fixture(scope="module")
def gpu_run():
    sys.path.insert(0, str(ROOT))  # for `from benchmarks.common import`
    try:
        spec = importlib.util.spec_from_file_location(
            "gpu_run", ROOT / "benchmarks" / "gpu_run.py"
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["gpu_run"] = module  # where dataclasses look for it
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT))
    return module


def write(folder, name, status):
    (folder / f"{name}.json").write_text(json.dumps({"status": status, "found": {}}))


def names(stages):
    return [stage.name for stage in stages]


def test_checks_come_first_and_published_runs_last(gpu_run, tmp_path):
    checks = [f"check_{name}" for name in gpu_run.CHECKS]
    assert names(gpu_run.next_batch(tmp_path, 500)) == checks
    for name in checks[1:]:
        write(tmp_path, name, "done")
    assert names(gpu_run.next_batch(tmp_path, 500)) == checks[:1]
    write(tmp_path, checks[0], "failed")  # is not tried again
    assert names(gpu_run.next_batch(tmp_path, 500)) == ["exactness"]
    write(tmp_path, "exactness", "done")
    write(tmp_path, "times", "done")
    write(tmp_path, "glow", "unfinished")
    first = ["sn_dcgan", "sig_mnist", "glow"]
    assert names(gpu_run.next_batch(tmp_path, 500)) == first
    assert names(gpu_run.next_batch(tmp_path, 500, None, frozenset(first)))[0] == "wgan_gp"


def test_nothing_is_begun_for_which_there_is_no_time(gpu_run, tmp_path):
    assert gpu_run.next_batch(tmp_path, 20) == []
    assert names(gpu_run.next_batch(tmp_path, 40)) == ["exactness"]


def test_a_stage_that_does_not_end_is_stopped_and_goes_on_later(gpu_run, tmp_path, monkeypatch):
    """Its process stands in for one that trains."""
    script = tmp_path / "gpu_stages.py"
    script.write_text("import time\ntime.sleep(60)\n")
    popen = subprocess.Popen
    monkeypatch.setattr(
        gpu_run.subprocess, "Popen", lambda command, cwd: popen([sys.executable, str(script)])
    )
    monkeypatch.setattr(gpu_run, "GRACE", 0.5)
    given = type("given", (), {"device": "cpu", "results": tmp_path, "tiny": True})
    stage = gpu_run.Stage("sleep", 0, 1.0, 0)
    gpu_run.run_batch([stage], 100, given)
    assert gpu_run.status_of(stage, tmp_path) == "missing"


def run(*arguments, **variables):
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **variables},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_dry_run_on_the_processor_keeps_what_it_found_and_does_it_once(
    gpu_run, tmp_path, monkeypatch, capsys
):
    results, out = tmp_path / "results", tmp_path / "out"
    out.mkdir()
    given = ("--tiny", "--device", "cpu", "--results", results, "--stages", "sig_mnist")
    said = run("benchmarks.gpu_run", "next", "--seconds", 200, *given, OUT=str(out))
    assert "next: sig_mnist" in said
    assert json.loads((out / "sig_mnist.json").read_text())["status"] == "done"
    assert (out / "sig_mnist_samples.npz").exists()
    words = ["gpu_run", "next", "--seconds", 200, *given]
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    gpu_run.main()
    assert "next:" not in capsys.readouterr().out


def test_a_dry_run_on_the_pretend_device_finds_everything(on_device, tmp_path):
    given = ("--tiny", "--seconds", 100, "--device", "cuda", "--results", tmp_path)
    said = on_device("benchmarks/gpu_stages.py", *DRY, *given)
    records = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in DRY}
    assert {name: record["status"] for name, record in records.items()} == dict.fromkeys(
        DRY, "done"
    ), said
    found = {name: record["found"] for name, record in records.items()}
    assert found["check_flows"]["Glow"]["failed"] == {}
    assert found["exactness"]["pixels_differ"] == found["exactness"]["samples_differ"] == 0
    assert found["times"]["dcgan"]["by_hand_ms"] > 0
    assert found["times"]["dcgan"]["graphs_ms"] > 0
    assert "not_captured" not in found["times"]["dcgan"]
    assert found["wgan_gp"]["distance"] > 0
    assert found["wgan_gp"]["dgflow_distance"] > 0
    assert found["wgan_gp"]["refined"]
    assert found["sig_mnist"]["layers"] > 0
    assert found["glow"]["bits_test"] > 0
    assert {"commit", "machine"} <= set(records["glow"]["run"])
    assert records["glow"]["seed"] == 0
