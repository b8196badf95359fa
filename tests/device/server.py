"""Runs scripts on the pretend device, each in a copy of one process.

A process has the device from its start or never, and takes seconds to start; its copies take none.
Reads lines of JSON, (script, arguments, file for what is said), and answers each with the exit
code of the script. Not a test itself: the fixture ``on_device`` starts it.
"""

import importlib
import json
import os
import runpy
import sys
import traceback
from pathlib import Path

import pretend_cuda

#: What scripts import sooner or later, once for all of them.
IMPORTED = (
    "exercise", "pushforward.demo", "pushforward.refinement", "sklearn.ensemble", "torch._dynamo",
    "torch.optim",
)  # fmt: skip


def answer(script, arguments, said):
    """Run a script in a copy of this process; its exit code."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        for number in (1, 2):
            os.dup2(os.open(f"{said}.{number}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1) for n in (1, 2))
        sys.argv = [script, *arguments]
        runpy.run_path(script, run_name="__main__")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    pretend_cuda.install()  # before torch is imported
    for name in IMPORTED:
        importlib.import_module(name)
    here = Path(__file__).parent
    root = here.parents[1]
    sys.path.append(str(root))  # for `from benchmarks.common import`
    os.environ["PRETEND_CUDA"] = str(here)  # what asks benchmarks for this device
    for line in sys.stdin:
        name, arguments, said = json.loads(line)
        script = root / name if "/" in name else here / name
        print(answer(str(script), arguments, said), flush=True)
    os._exit(0)  # to take all apart that was imported takes seconds
