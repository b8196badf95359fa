"""A pretend CUDA device, for tests on machines without a GPU.

``install()`` has to be called before torch is imported and holds for the whole process, so that
tests use it in processes of their own. After it ``torch.device("cuda")`` is there: its tensors are
computed with by the CPU, what CUDA refuses raises, and :func:`counts` tells how many kernels a
GPU would have been given, what was copied, and how often the host would have waited.
"""

import ctypes
import fcntl
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("pretend_cuda.cpp")

_library = None
_within_graphs = Counter()


def missing():
    """Why the device cannot be built here, or None where it can."""
    if sys.platform != "linux":
        return "the pretend device is built on Linux only"
    if shutil.which("g++") is None:
        return "the pretend device needs g++"
    return None


def build():
    """The compiled library, made once for a source and a version of torch and then kept."""
    torch = Path(importlib.util.find_spec("torch").origin).parent
    version = importlib.metadata.version("torch")
    key = hashlib.sha256(SOURCE.read_bytes() + f"{version} {torch}".encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"pushforward-pretend-cuda-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    library = folder / f"{key}.so"
    with open(folder / f"{key}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of pytest build it once between them
        if not library.exists():
            unfinished = library.with_suffix(f".{os.getpid()}")
            subprocess.run(
                ["g++", "-O1", "-shared", "-fPIC", "-std=c++20", f"-I{torch}/include",
                 str(SOURCE), f"-L{torch}/lib", "-ltorch_cpu", "-lc10",
                 f"-Wl,-rpath,{torch}/lib", "-o", str(unfinished)],
                check=True,
            )  # fmt: skip
            unfinished.rename(library)
    return library


def install():
    """Make "cuda" a device of this process; before torch is imported, unless it is one."""
    global _library
    if _library is not None:
        return
    if "torch" in sys.modules:
        raise RuntimeError("torch is imported already: install the pretend device before it.")
    libraries = Path(importlib.util.find_spec("torch").origin).parent / "lib"
    for name in ("libc10.so", "libtorch_cpu.so"):
        ctypes.CDLL(str(libraries / name), mode=ctypes.RTLD_GLOBAL)
    _library = ctypes.CDLL(str(build()), mode=ctypes.RTLD_GLOBAL)
    _library.pretend_counts.restype = ctypes.c_char_p
    _patch_torch()


def installed():
    """Whether "cuda" is the pretend device in this process."""
    return _library is not None


def reset():
    """Begin to count anew, where the device is installed."""
    _within_graphs.clear()
    if _library is not None:
        _library.pretend_reset()


def counts():
    """What was counted since :func:`reset`: totals by name, and calls by kernel.

    Totals are without what graphs do, which are launched at once.
    """
    if _library is None:
        return {"totals": {}, "kernels": {}}
    found = _all_counts()
    found["totals"] = {k: n - _within_graphs[k] for k, n in found["totals"].items()}
    return found


def _all_counts():
    return json.loads(_library.pretend_counts())


def _patch_torch():
    """Let the Python side of torch see the device, of which only the C++ side knows."""
    import torch

    answers = {
        "_lazy_init": None,
        "is_available": True,
        "is_initialized": True,
        "device_count": 1,
        "current_device": 0,
        "set_device": None,
        "synchronize": None,
        "mem_get_info": (8 * 10**9, 8 * 10**9),
        "get_rng_state": torch.zeros(8, dtype=torch.uint8),
        "set_rng_state": None,
        "manual_seed": None,
        "manual_seed_all": None,
        "get_device_name": "a pretend device",
        "max_memory_allocated": 0,
        "reset_peak_memory_stats": None,
        "empty_cache": None,
        "is_bf16_supported": True,
    }
    for name, answer in answers.items():
        setattr(torch.cuda, name, lambda *args, answer=answer, **more: answer)
    torch.inference_mode = _InferenceMode
    torch.cuda.CUDAGraph, torch.cuda.graph = _Graph, _capture
    torch.cuda.graph_pool_handle = lambda: (0, 0)


class _Graph:
    """``torch.cuda.CUDAGraph``, by a tape of calls."""

    def __init__(self):
        from tape import Tape

        self.tape = Tape()

    def replay(self):
        before = Counter(_all_counts()["totals"])
        self.tape.replay()
        after = Counter(_all_counts()["totals"])
        after.subtract(before)
        _within_graphs.update(after)


@contextmanager
def _capture(graph, pool=None, stream=None, capture_error_mode="global"):
    """``torch.cuda.graph``."""
    with graph.tape:
        yield


class _InferenceMode:
    """``torch.inference_mode`` without its tensors, which the device does not have."""

    def __init__(self, mode=True):
        self.mode = mode

    def __enter__(self):
        import torch

        self._before = torch.is_grad_enabled()
        torch.set_grad_enabled(not self.mode)

    def __exit__(self, *failure):
        import torch

        torch.set_grad_enabled(self._before)

    def __call__(self, function):
        @functools.wraps(function)
        def inside(*args, **options):
            with _InferenceMode(self.mode):
                return function(*args, **options)

        return inside
