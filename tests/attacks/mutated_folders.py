"""Model folders that somebody changed and whose sums he mended, and what loading them costs.

``python tests/attacks/mutated_folders.py --count 20000`` changes every golden folder in turn and
says what was not answered by a model that works or by a typed error, in how long, and with how
much memory. The tests run a small share of the same.
"""

import argparse
import copy
import hashlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

import pushforward
from pushforward.errors import ModelFileError, PushforwardError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
MIB = 2**20
SLOW = 1.0  # seconds of one answer
HUNG = 20  # seconds after which an answer is given up
ROOM = 64 * MIB  # beside twice the folder

NUMBERS = [0, -1, 1, 2, 3, 7, 255, 1000, 10**5, 10**7, 2**31, 2**53, 2**63, 2**64, 10**30, 10**300]
NUMBERS += [0.5, -0.5, 1.5, 1e-300, 5e-324, 1e5, 1e308, -1e308]
WORDS = ["", "x", "nan", "cuda", "cuda:99", "meta", "float99", "os.system", "../..", "\u0000", "é"]
VALUES = [None, True, False, [], {}, [[]], [0] * 7, {"a": 1}, *NUMBERS, *WORDS]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def write(folder, document, weights):
    """Write a folder as its library would have sealed it, without waiting for the disk."""
    document = dict(document)
    (folder / "model.safetensors").write_bytes(weights)
    document["files"] = {**document["files"]}
    document["files"]["model.safetensors"] = {"size": len(weights), "sha256": digest(weights)}
    document.pop("sha256", None)
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    document["sha256"] = digest(canonical)
    (folder / "config.json").write_text(json.dumps(document, indent=2) + "\n")


def paths_of(value, path=()):
    """The places of all values in JSON values."""
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from paths_of(value[key], (*path, key))
    elif isinstance(value, list):
        for place in range(len(value)):
            yield from paths_of(value[place], (*path, place))


def at(value, path):
    for step in path:
        value = value[step]
    return value


def changed_config(rng, model):
    """Change one value somewhere; says what was done."""
    # first the key, then one of its places: else long histories would be nearly all of them
    top = rng.choice(list(model))
    below = [(top, *rest) for rest in paths_of(model[top])]
    path = rng.choice(below) if below and rng.random() < 0.9 else (top,)
    parent, key = at(model, path[:-1]), path[-1]
    kind = rng.randrange(10)
    if kind < 6:
        value = copy.deepcopy(rng.choice(VALUES))
        parent[key] = value
        return f"{path} = {value!r:.40}"
    if kind == 6:
        del parent[key]
        return f"without {path}"
    if kind == 7 and isinstance(parent[key], (int, float)) and not isinstance(parent[key], bool):
        parent[key] = parent[key] * rng.choice([-1, 2, 3, 10, 1000, 10**6])
        return f"{path} = {parent[key]!r:.40}"
    if kind == 8:
        other = at(model, rng.choice(list(paths_of(model))))
        parent[key] = copy.deepcopy(other)
        return f"{path} = {other!r:.40} of elsewhere"
    if isinstance(parent[key], list) and parent[key]:
        parent[key] = copy.deepcopy(parent[key]) * rng.choice([2, 10, 1000])
        return f"{path} many times"
    parent[key] = [copy.deepcopy(parent[key])]
    return f"{path} in a list"


def hostile_number(rng, dtype):
    if dtype == torch.bool:
        return rng.choice([True, False])
    if dtype.is_floating_point or dtype.is_complex:
        return rng.choice([float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1e38, 1e-38])
    info = torch.iinfo(dtype)
    return rng.choice([0, 1, -1, 2, 100, info.max, info.min]) if info.min < 0 else info.max


def changed_tensor(rng, tensors):
    """Change one tensor, its name, shape, type or numbers; says what was done."""
    name = rng.choice(list(tensors))
    tensor = tensors[name]
    kind = rng.randrange(9)
    if kind <= 3 and tensor.numel():
        value = hostile_number(rng, tensor.dtype)
        tensor = tensor.clone()
        flat = tensor.view(-1)
        few = rng.choice([1, 1, 1, 3, len(flat)])
        flat[[rng.randrange(len(flat)) for _ in range(few)]] = value
        tensors[name] = tensor
        return f"{name}: {few} of {len(flat)} are {value}"
    if kind == 4:
        del tensors[name]
        return f"without {name}"
    if kind == 5:
        new = rng.choice([f"{name}x", "x", name.partition(".")[2] or "y", "flow.weight"])
        tensors[new] = tensors.pop(name)
        return f"{name} is called {new}"
    if kind == 6:
        dtypes = [torch.float32, torch.float64, torch.int64, torch.bool, torch.complex64]
        dtype = rng.choice([*dtypes, torch.float16, torch.bfloat16, torch.uint8])
        tensors[name] = tensor.real.to(dtype) if tensor.is_complex() else tensor.to(dtype)
        return f"{name} is of {dtype}"
    shapes = [tensor.flatten(), tensor[None], tensor.reshape(-1)[:0], tensor.reshape(-1)[:1]]
    if tensor.ndim:
        shapes += [tensor[:0], torch.cat([tensor, tensor]), tensor[1:], tensor.flip(0)]
        shapes += [tensor.transpose(0, -1).contiguous()]
    tensors[name] = rng.choice(shapes).clone()
    return f"{name} has shape {tuple(tensors[name].shape)}"


def mutant(rng, document, tensors):
    """A document, tensors, and what was changed in them."""
    document = {**document, "model": copy.deepcopy(document["model"])}
    tensors = dict(tensors)
    said = []
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        if rng.random() < 0.6 or not tensors:
            said.append(changed_config(rng, document["model"]))
            if not document["model"]:
                break
        else:
            said.append(changed_tensor(rng, tensors))
    return document, tensors, "; ".join(said)


def use(model):
    """The first use of a model: what it makes, and what it says of that."""
    if not hasattr(model, "sample"):
        rows = model.columns_.decode(torch.zeros(2, model.columns_.n_coordinates))
        model.predict(rows)
        model.explain(rows)
        repr(model)
        model._card()
        return
    few = model.sample(2, random_state=0)
    for name in ("score_samples", "encode", "reconstruct"):
        if callable(method := getattr(model, name, None)):
            method(few)
    repr(model)
    model._card()


@dataclass
class Answer:
    """What came of a folder.

    Attributes:
        word: "refused", "works", "typed" for a typed error in use, or "bare".
        text: of the error.
        seconds: processor time of loading and, if it loaded, of use.
        extra: bytes that the peak of resident memory rose by while it was loaded.
    """

    word: str
    text: str = ""
    seconds: float = 0.0
    extra: int = 0


def _resident(field_name):
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(field_name))
    return int(line.split()[1]) * 1024


def _forget_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


class _Hung(BaseException):
    """A folder was not answered in time."""


def _give_up(signum, frame):
    raise _Hung


def answer(folder, name):
    """Load a folder and use the model once; only what a caller would see is looked at."""
    _forget_peak()
    before, begun = _resident("VmRSS"), time.process_time()
    signal.alarm(HUNG)
    extra = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = pushforward.load(folder)
            except ModelFileError as error:
                # with networks of the user's own a folder is loaded by the class
                found = Answer("refused", str(error))
                return found
            finally:
                seconds, extra = time.process_time() - begun, _resident("VmHWM") - before
            try:
                use(model)
            except PushforwardError as error:
                return Answer("typed", str(error))
            return Answer("works")
    except _Hung:
        return Answer("bare", "hung: " + _last_line(traceback.format_exc()))
    except Exception:
        return Answer("bare", _last_line(traceback.format_exc()))
    finally:
        signal.alarm(0)
        answer.last = seconds if "seconds" in locals() else 0.0, extra


def _last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    where = [line for line in lines if "/pushforward/" in line]
    return f"{lines[-1][:160]} @ {where[-1].rpartition('/pushforward/')[2] if where else '?'}"


@dataclass
class Tally:
    """What came of many folders."""

    words: Counter = field(default_factory=Counter)
    faults: list = field(default_factory=list)
    slow: int = 0
    slowest: float = 0.0
    largest: int = 0


def golden_folders():
    return sorted(p for p in GOLDEN.iterdir() if (p / "config.json").is_file())


def attack(count, seed=0, only=None, home=None, progress=None):
    """Mutate the golden folders in turn, ``count`` times in all."""
    rng = random.Random(f"folders {seed}")
    tally = Tally()
    sources = [path for path in golden_folders() if only is None or path.name in only]
    read = {}
    for path in sources:
        document = json.loads((path / "config.json").read_bytes())
        read[path] = document, safetensors.torch.load_file(path / "model.safetensors")
        pushforward.load(path)  # what is imported on the way costs memory once
    signal.signal(signal.SIGALRM, _give_up)
    with tempfile.TemporaryDirectory(dir=home) as parent:
        folder = Path(parent) / "model"
        for number in range(count):
            if progress and number and number % 1000 == 0:
                progress(
                    f"{number}: {dict(tally.words)}, slowest {tally.slowest:.2f} s, most "
                    f"memory {tally.largest / MIB:.0f} MiB"
                )
            path = sources[number % len(sources)]
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "README.md").write_bytes((path / "README.md").read_bytes())
            document, tensors, said = mutant(rng, *read[path])
            weights = safetensors.torch.save(dict(sorted(tensors.items())))
            write(folder, document, weights)
            size = sum(file.stat().st_size for file in folder.iterdir())
            found = answer(folder, path.name)
            seconds, extra = answer.last
            tally.words[found.word] += 1
            tally.slowest, tally.largest = max(tally.slowest, seconds), max(tally.largest, extra)
            tally.slow += seconds > SLOW
            if extra > 2 * size + ROOM or found.word == "bare":
                tally.faults.append((path.name, said, found, seconds, extra))
                if progress:
                    progress(
                        f"{path.name}: {said} -> {found.word} {found.text} "
                        f"{seconds:.2f} s {extra / MIB:.0f} MiB"
                    )
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    torch.set_num_threads(1)
    np.seterr(all="ignore")
    tally = attack(options.count, options.seed, options.only, progress=partial(print, flush=True))
    print(
        dict(tally.words),
        f"slowest {tally.slowest:.2f} s, {tally.slow} over {SLOW:.0f} s, most memory "
        f"{tally.largest / MIB:.0f} MiB, faults {len(tally.faults)}",
    )
    return bool(tally.faults)


if __name__ == "__main__":
    sys.exit(main())
