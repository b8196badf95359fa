"""Random mutations of whole folders: always a ModelFileError, never a crash.

``PUSHFORWARD_MUTATIONS=20000`` runs the full scale; the default is a tenth of it.
"""

import json
import os
import random
import shutil
import time

import pytest

from pushforward.errors import ModelFileError
from pushforward.storage.model_folder import read_folder

MUTATIONS = int(os.environ.get("PUSHFORWARD_MUTATIONS", "2000"))
FILES = ["config.json", "model.safetensors", "README.md"]
WORDS = [b"", b"\0", b"\xff", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b" ", b"\n", b"-"]
WORDS += [
    b"1e999",
    b"NaN",
    b"null",
    b"true",
    b"9" * 30,
    b"\x80\x04cos\nsystem\n",
    b"../",
    b"\\ud8",
]
NAMES = [*FILES, "CONFIG.JSON", "model.bin", "model.safetensors ", "Readme.md", "\udcff"]


def mutate_bytes(rng, data):
    """Some edits of a string of bytes, as a fuzzer makes them."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5, 20])):
        at, stop = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        kind = rng.randrange(8)
        if kind == 0 and data:
            data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[min(at, len(data) - 1)] = rng.randrange(256)
        elif kind == 2:
            data[at:at] = rng.choice(WORDS)
        elif kind == 3:
            data[at : at + rng.randrange(1, 9)] = rng.choice(WORDS)
        elif kind == 4:
            del data[at:stop]
        elif kind == 5:
            data[at:at] = data[at:stop]
        elif kind == 6:
            del data[at:]
        else:
            data[at : at + 8] = rng.randbytes(8)
    return bytes(data)


def mutate_folder(rng, folder):
    """Rename, remove, swap, empty or replace one of the files."""
    path = folder / rng.choice(FILES)
    other = folder / rng.choice(FILES)
    kind = rng.randrange(6)
    if kind == 0:
        path.rename(folder / rng.choice(NAMES))
    elif kind == 1:
        path.unlink()
    elif kind == 2:
        path.write_bytes(other.read_bytes())
    elif kind == 3:
        path.write_bytes(b"")
    elif kind == 4:
        path.unlink()
        rng.choice([path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to(other)])()
    else:
        path.write_bytes(rng.randbytes(rng.randrange(2000)))


def mutate_json(rng, value):
    """Change, drop, add or move one value somewhere in a document."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            value[rng.choice([*value, "new"])] = value.pop(key)
        else:
            value[key] = mutate_json(rng, value[key])
        return value
    if isinstance(value, int) and rng.random() < 0.5:
        return value + rng.choice([-1, 1, 2**31, -(2**63), 2**64])
    return rng.choice([None, True, 0, -1, 1.5, 2**64, "", "x", "0" * 64, [], {}, [[1]], "F64"])


@pytest.fixture
def folders(model, tmp_path):
    original = {name: (model / name).read_bytes() for name in FILES}

    def fresh():
        # Written in place: tmp_path is made once and the folder is only mended between rounds.
        for entry in list(os.scandir(model)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            elif entry.name not in original or not entry.is_file(follow_symlinks=False):
                os.unlink(entry.path)
        for name, data in original.items():
            (model / name).write_bytes(data)
        return model, original

    return fresh


def now(folder):
    return {
        name: (folder / name).read_bytes()
        for name in FILES
        if (folder / name).is_file() and not (folder / name).is_symlink()
    }


@pytest.mark.parametrize("name", [*FILES, "folder"])
def test_mutations(folders, name):
    rng = random.Random(f"mutations of {name}")
    done = slowest = 0
    while done < MUTATIONS // 4:
        folder, original = folders()
        if name == "folder":
            mutate_folder(rng, folder)
        else:
            (folder / name).write_bytes(mutate_bytes(rng, original[name]))
        if now(folder) == original:
            continue  # two edits that undid each other
        start = time.process_time()
        with pytest.raises(ModelFileError):
            read_folder(folder)
        slowest = max(slowest, time.process_time() - start)
        done += 1
    assert slowest < 1


@pytest.mark.parametrize("name", [*FILES, "header"])
def test_mutations_with_every_sum_mended(folders, reseal, name):
    """Then some load, as the sums are no signature; none crashes, hangs or builds other types."""
    rng = random.Random(f"sealed mutations of {name}")
    slowest = 0
    for _ in range(MUTATIONS // 4):
        folder, original = folders()
        if name == "config.json":
            document = json.loads(original[name])
            for _ in range(rng.randrange(1, 4)):
                document = mutate_json(rng, document)
            try:
                reseal(folder, document, measure=False)
            except (TypeError, AttributeError):  # no longer a document that has sums
                continue
        elif name == "header":
            data = original["model.safetensors"]
            length = int.from_bytes(data[:8], "little")
            header = json.loads(data[8 : 8 + length])
            for _ in range(rng.randrange(1, 4)):
                header = mutate_json(rng, header)
            text = json.dumps(header).encode()
            data = len(text).to_bytes(8, "little") + text + data[8 + length :]
            (folder / "model.safetensors").write_bytes(data)
            reseal(folder)
        else:
            (folder / name).write_bytes(mutate_bytes(rng, original[name]))
            reseal(folder)
        start = time.process_time()
        try:
            config, tensors = read_folder(folder)
        except ModelFileError:
            pass
        else:
            assert isinstance(config, dict)
            size = len((folder / "model.safetensors").read_bytes())
            assert sum(tensor.nbytes for tensor in tensors.values()) <= size
            repr(config), repr(tensors)
        slowest = max(slowest, time.process_time() - start)
    assert slowest < 1
