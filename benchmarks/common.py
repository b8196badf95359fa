"""What every benchmark shares: provenance, jobs in fresh processes, the results file."""

import fcntl
import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = (
    *("pushforward", "numpy", "scipy", "scikit-learn", "torch", "pandas"),
    *("zuko", "sinflow", "rbig", "torchcfm", "torchdiffeq", "pyod"),
)

# One thread everywhere. Jobs inherit this, and it has to be set before numpy or torch is imported.
for _name in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"


PACKED = ROOT / "benchmarks" / "packed"  # what `benchmarks.gpu_run pack` copied of `shared/`


def shared(*parts):
    """Path of a file in `shared/`, which lies beside the project and holds the data sets.

    On a machine without it, that is the folder in the project where they were packed.
    """
    path = ROOT.parent.joinpath("shared", *parts)
    if not path.exists() and PACKED.joinpath(*parts).exists():
        path = PACKED.joinpath(*parts)
    if not path.exists():
        raise SystemExit(
            f"benchmarks: {'/'.join(('shared', *parts))} not found; the benchmarks read their "
            f"data from a folder 'shared' beside the project folder '{ROOT.name}'"
        )
    return path


def cpu_seconds():
    """CPU seconds used so far by this process and its finished children."""
    return time.process_time() + sum(os.times()[2:4])


def budget_by_cpu_time():
    """Let budgets in minutes count CPU seconds of this process, whatever else the machine does."""
    time.monotonic = time.process_time


# --- provenance -------------------------------------------------------------------------------


def _git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu_model():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _gpu():
    """The name of the GPU that torch, where it is imported already, computes on."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {}
    return {"gpu": torch.cuda.get_device_name(), "cudnn": torch.backends.cudnn.version()}


def package_version(name):
    """Installed version of a distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def source_digest():
    """Digest of the library's source, which says more than a commit while the tree is dirty."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "src" / "pushforward").rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def provenance(module):
    """Describe this run: command, commit, machine, versions, date (nothing private, no paths)."""
    versions = {name: package_version(name) for name in PACKAGES}
    status = _git("status", "--porcelain", "--", "src", "pyproject.toml", "benchmarks/*.py")
    return {
        "command": scrub(shlex.join(["python", "-m", module, *sys.argv[1:]])),
        "commit": _git("rev-parse", "--short=12", "--verify", "--quiet", "HEAD"),
        "dirty": status != "",
        "machine": {
            "cpu": _cpu_model(),
            "cores": os.cpu_count(),
            "threads": 1,
            **_gpu(),
            "nice": os.nice(0),
            "load_at_start": round(os.getloadavg()[0], 1),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "python": platform.python_version(),
        "versions": {name: version for name, version in versions.items() if version},
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
    }


def scrub(text):
    """Drop the folders of absolute paths: they say where someone's machine keeps things."""
    return re.sub(r"(?<![\w.:/])/(?:[\w.+@-]+/)+", "", text)


# --- jobs -------------------------------------------------------------------------------------


def _call(connection, function, arguments):
    try:
        connection.send({"status": "ok", **function(*arguments)})
    except Exception as error:  # a peer may fail in any way; the row says how
        reason = f"{type(error).__name__}: {error}"
        connection.send({"status": "failed", "reason": reason[:300]})
    finally:
        connection.close()


def run_job(function, arguments, timeout, preload=()):
    """Call `function(*arguments) -> dict` in a fresh interpreter and return its row.

    The row gets a `status`: ok, failed or timeout, the last two with a `reason`. With `preload`,
    jobs are forked from a clean server that has imported those modules, for many short jobs.
    """
    context: Any = multiprocessing.get_context("forkserver" if preload else "spawn")
    if preload:
        context.set_forkserver_preload(list(preload))
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(send, function, arguments))
    process.start()
    send.close()
    try:
        if receive.poll(timeout):
            return receive.recv()
        return {"status": "timeout", "reason": f"not finished in {timeout:g} s of wall time"}
    except EOFError:
        process.join()
        return {"status": "failed", "reason": f"process died, exit code {process.exitcode}"}
    finally:
        if process.is_alive():
            process.join(5)
        process.kill()
        process.join()


# --- the results file -------------------------------------------------------------------------


def read_results(path):
    """Content of a results file: `{"runs": {id: provenance}, "rows": [row, ...]}`."""
    return json.loads(path.read_text()) if path.exists() else {"runs": {}, "rows": []}


@contextmanager
def _locked(folder):
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_text(path, text):
    """Write a whole file or nothing."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def save_row(path, key, row, run):
    """Put one row into the results file in place of the row with the same key.

    The file is read again under a lock, so two benchmarks may write to it at the same time.
    """
    run_id = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:8]
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.parent):
        content = read_results(path)
        rows = [old for old in content["rows"] if any(old[k] != row[k] for k in key)]
        rows = sorted([*rows, {**row, "run": run_id}], key=lambda r: [str(r[k]) for k in key])
        used = {r["run"] for r in rows}
        runs = {k: v for k, v in {**content["runs"], run_id: run}.items() if k in used}
        lines = {
            "runs": ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in runs.items()),
            "rows": ",\n".join(json.dumps(r, allow_nan=False) for r in rows),
        }
        write_text(path, f'{{"runs": {{\n{lines["runs"]}\n}},\n"rows": [\n{lines["rows"]}\n]}}\n')


def run_all(
    jobs, *, work, key, out, module, timeout, package, version=None, again=False, preload=()
):
    """Run every job that has no valid row yet, one at a time, saving after each.

    A job is a dict with the fields of `key`; `work(*its values)` returns the measurements. A row
    is valid if it did not fail and nothing it depends on has changed: our source for our own
    models (`package(job) == "pushforward"`), the peer's installed version for a peer.
    `version(job)` says which that is where a peer has an environment of its own.
    """
    run = provenance(module)
    for count, job in enumerate(jobs, 1):
        ours = package(job) == "pushforward"
        if version is not None:
            row = dict(job, version=version(job))
        else:
            row = dict(job, version=source_digest() if ours else package_version(package(job)))
        label = f"[{count}/{len(jobs)}] {' '.join(str(job[k]) for k in key)}:"
        same = [r for r in read_results(out)["rows"] if all(r[k] == job[k] for k in key)]
        if not again and any(
            r["status"] != "failed" and row["version"] in (r["version"], None) for r in same
        ):
            print(label, "already there", file=sys.stderr)
            continue
        if row["version"] is None:
            print(label, f"{package(job)} is not installed, skipped", file=sys.stderr)
            continue
        done = run_job(work, [job[k] for k in key], timeout(job), preload)
        row |= {k: scrub(v) if isinstance(v, str) else v for k, v in done.items()}
        save_row(out, key, row, run)
        told = {k: v for k, v in row.items() if k not in key and not isinstance(v, dict)}
        print(label, json.dumps(told), file=sys.stderr, flush=True)
