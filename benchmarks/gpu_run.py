"""The first quarter of an hour on a GPU: what is still missing is measured, in order of its worth.

    python -m benchmarks.gpu_run pack            # copy what data it needs into benchmarks/packed/
    bash benchmarks/gpu.sh                       # nine minutes at most; again, until all is there
    python -m benchmarks.gpu_run table           # what was found so far

First every family against the processor, then what exactness is left and what steps cost beside
hand-written loops on the same card, then the published runs, several at once since each is bound
by its own processor thread. Every stage is a process with a limit of its own, writes what it has
found as it goes (`benchmarks/results/gpu/STAGE.json`, with commit, machine and seeds), and goes on
in a later call where it has a run that can. Where `$OUT` names a folder, the results are copied
there at the end. `--tiny --device cpu` is a dry run.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import PACKED, RESULTS, ROOT

RESERVE = 12.0  # seconds at the end, for processes to stop and results to be copied
GRACE = 8.0  # seconds that an interrupted stage has to keep its run


@dataclass(frozen=True)
class Stage:
    """Something to be measured.

    Attributes:
        name: of the stage and its file.
        least: seconds below which it is not begun.
        most: seconds after which it is interrupted.
        batch: stages of one batch run at the same time.
    """

    name: str
    least: float
    most: float
    batch: int


CHECKS = ("flows", "generators", "tables", "tasks")
STAGES = (
    *(Stage(f"check_{name}", 30, 150, 0) for name in CHECKS),
    Stage("exactness", 20, 90, 1),
    Stage("times", 30, 150, 2),
    Stage("sn_dcgan", 60, 900, 3),
    Stage("sig_mnist", 60, 1800, 3),
    Stage("glow", 60, 900, 3),
    Stage("wgan_gp", 60, 900, 4),
    Stage("sig_fashion", 60, 1800, 4),
    Stage("alpha_gan", 60, 900, 4),
)


def status_of(stage: Stage, results: Path) -> str:
    """Whether a stage is "done", has "failed", or is "missing" or "unfinished"."""
    path = results / f"{stage.name}.json"
    return json.loads(path.read_text())["status"] if path.exists() else "missing"


def next_batch(
    results: Path, left: float, only: list[str] | None = None, tried: frozenset[str] = frozenset()
) -> list[Stage]:
    """The stages that are run next: those of the first batch that is not done, as time allows.

    What has failed is not tried again: its file says why, and goes when that is mended. Nor is
    what was ``tried`` in this call and is not done yet.
    """
    open_ones = [
        stage
        for stage in STAGES
        if stage.least <= left - RESERVE
        and (only is None or stage.name in only)
        and stage.name not in tried
        and status_of(stage, results) in ("missing", "unfinished")
    ]
    return [stage for stage in open_ones if stage.batch == open_ones[0].batch]


def run_batch(stages: list[Stage], left: float, given: argparse.Namespace) -> None:
    """Run stages at the same time, each a process; those that are late are interrupted."""
    began, running = time.monotonic(), []
    for stage in stages:
        limit = min(stage.most, left - RESERVE)
        command = [sys.executable, "-m", "benchmarks.gpu_stages", stage.name]
        command += ["--seconds", f"{limit - GRACE:.0f}", "--device", given.device]
        command += ["--results", str(given.results), *(["--tiny"] if given.tiny else [])]
        process = subprocess.Popen(command, cwd=ROOT)
        running.append((stage, process, began + limit))
    for stage, process, end in running:
        for stop in (signal.SIGINT, signal.SIGKILL):
            try:
                process.wait(max(0.1, end - time.monotonic()))
                break
            except subprocess.TimeoutExpired:
                print(f"{stage.name}: stopped after its time", flush=True)
                process.send_signal(stop)
                end += GRACE
        process.wait()
        print(f"{stage.name}: {status_of(stage, given.results)}", flush=True)


def run_next(given: argparse.Namespace) -> None:
    """Measure what is missing, batch after batch, until the time is spent."""
    end, tried = time.monotonic() + given.seconds, frozenset()
    given.results.mkdir(parents=True, exist_ok=True)
    while stages := next_batch(given.results, end - time.monotonic(), given.stages, tried):
        tried |= {stage.name for stage in stages}
        print(f"next: {', '.join(stage.name for stage in stages)}", flush=True)
        run_batch(stages, end - time.monotonic(), given)
    table(given)
    if folder := os.environ.get("OUT"):
        for path in given.results.glob("*.*"):
            shutil.copy(path, folder)


def table(given: argparse.Namespace) -> None:
    """Print what every stage has found, in a line or two."""
    for stage in STAGES:
        status = status_of(stage, given.results)
        print(f"{stage.name:20s} {status}")
        if status != "missing":
            found = json.loads((given.results / f"{stage.name}.json").read_text())["found"]
            short = {k: v for k, v in found.items() if k not in ("history", "settings")}
            print(f"    {json.dumps(short)[:700]}")


def pack(given: argparse.Namespace) -> None:
    """Copy the data that fit what travels: 20,000 + 2,000 of CIFAR-10, MNIST, the ResNet-20."""
    from PIL import Image

    source = ROOT.parent / "shared" / "data"
    for name in ("cifar10/data_batch_1.webp", "cifar10/data_batch_2.webp", "cifar10/labels.npz"):
        (PACKED / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, PACKED / "data" / name)
    sheet = Image.open(source / "cifar10" / "test_batch.webp").convert("RGB")
    rows = -(-2000 // (sheet.width // 32))
    few = sheet.crop((0, 0, sheet.width, 32 * rows))
    few.save(PACKED / "data" / "cifar10" / "test_batch.webp", lossless=True, quality=100)
    shutil.copytree(source / "mnist", PACKED / "data" / "mnist", dirs_exist_ok=True)
    (PACKED / "data" / "cifar_resnet").mkdir(exist_ok=True)
    shutil.copy(
        source / "cifar_resnet" / "resnet20_cifar10.safetensors", PACKED / "data" / "cifar_resnet"
    )
    size = sum(file.stat().st_size for file in PACKED.rglob("*") if file.is_file())
    print(f"{PACKED.relative_to(ROOT)}: {size / 2**20:.1f} MiB")


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("next", "table", "pack"))
    parser.add_argument("--seconds", type=float, default=530)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--stages", nargs="*", help="only these")
    parser.add_argument("--results", type=Path, help="another folder for what is found")
    given = parser.parse_args()
    given.results = given.results or RESULTS / ("gpu_dry" if given.tiny else "gpu")
    {"next": run_next, "table": table, "pack": pack}[given.command](given)


if __name__ == "__main__":
    main()
