"""Folders made by somebody who knows the format, with every sum right."""

import contextlib
import io
import json
import os
import pickle
import resource
import struct
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch

from pushforward.errors import ModelFileError
from pushforward.storage.model_folder import read_folder, write_folder

MIB = 2**20


class Payload:
    """Creates the file `marker` when unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def archive(name, data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(name, data)
    return file.getvalue()


def saved(function, *args):
    file = io.BytesIO()
    function(file, *args)
    return file.getvalue()


MALICIOUS = {
    "pickle 0": lambda p: pickle.dumps(p, 0),
    "pickle 5": lambda p: pickle.dumps(p, 5),
    "torch.save": lambda p: saved(lambda f: torch.save({"w": p}, f)),
    "old torch.save": lambda p: saved(
        lambda f: torch.save({"w": p}, f, _use_new_zipfile_serialization=False)
    ),
    "npy": lambda p: saved(np.save, np.array([p], dtype=object)),
    "npz": lambda p: saved(lambda f: np.savez(f, w=np.array([p], dtype=object))),
    "zip bomb": lambda p: archive("data.pkl", b"\0" * 50 * MIB),
    "py": lambda p: f"import os; os.system('touch {p.marker}')".encode(),
    "json": lambda p: json.dumps(
        {"py/object": "os.system", "py/reduce": ["os.system", [f"touch {p.marker}"]]}
    ).encode(),
    "yaml": lambda p: f"!!python/object/apply:os.system ['touch {p.marker}']".encode(),
    "header, then pickle": lambda p: struct.pack("<Q", 2) + b"{}" + pickle.dumps(p),
    "pickle as header": lambda p: struct.pack("<Q", len(pickle.dumps(p))) + pickle.dumps(p),
}


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
@pytest.mark.parametrize("kind", MALICIOUS)
def test_code_is_never_run(model, tmp_path, reseal, name, kind):
    marker = tmp_path / "marker"
    (model / name).write_bytes(MALICIOUS[kind](Payload(marker)))
    if name != "config.json":
        reseal(model)
    with pytest.raises(ModelFileError) as caught:
        read_folder(model)
    assert not marker.exists()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def test_a_payload_would_run(tmp_path):
    """The attack works where it is let: else the test above would prove nothing."""
    pickle.loads(pickle.dumps(Payload(tmp_path / "marker")))  # noqa: S301
    assert (tmp_path / "marker").exists()


def test_a_class_named_in_config_is_only_a_word(model, reseal):
    document = json.loads((model / "config.json").read_bytes())
    document["model"] = {"class": "os.system", "__reduce__": ["os.system", ["true"]]}
    reseal(model, document)
    assert read_folder(model)[0] == document["model"]


def config_with(model_text):
    return f'{{"library": "pushforward", "format": 1, "model": {model_text}}}'.encode()


BOMBS = {
    "deep lists": config_with("[" * 10**6 + "]" * 10**6),
    "deep objects": config_with('{"a":' * 10**6 + "1" + "}" * 10**6),
    "deep, open": b"[" * 10**7,
    "many lists": config_with("[" + "[]," * 2_000_000 + "[]]"),
    "many numbers": config_with("[" + "0," * 5_000_000 + "0]"),
    "huge integer": config_with("9" * 10**6),
    "huge negative": config_with("-" + "9" * 1000),
    "1e400": config_with("1e400"),
    "-1e400": config_with("-1e400"),
    "long float": config_with("0." + "1" * 10**6),
    "NaN": config_with("NaN"),
    "Infinity": config_with("-Infinity"),
    "twice the same key": config_with('{"a": 1, "a": 2}'),
    "library twice": b'{"library": "zuko", "library": "pushforward"}',
    "format twice": config_with("{}")[:-1] + b', "format": 1}',
    "open strings": b'{"' + b'\\"' * 10**7,
    "open string": b'"' * (2 * 10**6 + 1),
    "long escapes": config_with('"' + "\\n" * 10**7 + '"'),
    "long string": config_with('"' + "x" * 10**7 + '"'),
    "bad escape": config_with('"\\x41"'),
    "bad unicode": config_with('"\\u12"'),
    "control character": config_with('"a\nb"'),
    "null byte": config_with('"a\0b"'),
    "utf-8": config_with('"é"'),
    "utf-16": config_with("{}").decode().encode("utf-16"),
    "utf-32": config_with("{}").decode().encode("utf-32"),
    "byte order mark": b"\xef\xbb\xbf" + config_with("{}"),
    "invalid utf-8": b"\xff\xfe\xfd" * 10,
    "comment": config_with("{} /* hm */"),
    "trailing comma": config_with("[1,]"),
    "two documents": config_with("{}") * 2,
    "single quotes": b"{'library': 'pushforward'}",
    "white space": b" " * 10**7,
    "scalar": b"1",
    "null": b"null",
    "string": b'"pushforward"',
    "list": b"[]",
    "empty": b"",
    "nulls": b"\0" * 10**6,
    "backslashes": b"\\" * 10**7,
}


@pytest.mark.parametrize("kind", BOMBS)
def test_json_bombs(model, kind):
    (model / "config.json").write_bytes(BOMBS[kind])
    start = time.process_time()
    with pytest.raises(ModelFileError) as caught:
        read_folder(model)
    assert time.process_time() - start < 2
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_config_over_the_limit_is_not_read(model):
    with open(model / "config.json", "r+b") as file:
        file.truncate(2**40)  # sparse
    with pytest.raises(ModelFileError, match="over 67108864"):
        read_folder(model)


WEIRD = [None, True, False, 0, -1, 1.5, 2**300, "", "x", [], {}, [[]], {"a": {}}, "0" * 64]


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))


def test_every_value_of_config_replaced_by_every_kind(model, reseal):
    """With the sums mended: either the model's own config changed, or a refusal."""
    original = (model / "config.json").read_bytes()
    for path in places(json.loads(original)):
        for value in WEIRD:
            document = json.loads(original)
            if path:
                parent = document
                for key in path[:-1]:
                    parent = parent[key]
                parent[path[-1]] = value
            else:
                document = value
            if isinstance(document, dict) and isinstance(document.get("files"), dict):
                mended = json.loads(json.dumps(document))
                if path[:1] != ("files",):
                    reseal(model, mended)
                else:  # the inner digest only: the entries are what is attacked
                    reseal(model, mended, measure=False)
            else:
                (model / "config.json").write_text(json.dumps(document, indent=2) + "\n")
            try:
                read_folder(model)
            except ModelFileError:
                continue
            harmless = json.loads((model / "config.json").read_bytes())
            same_files = harmless["files"] == json.loads(original)["files"]
            assert path[:1] in {("model",), ("version",), ("sha256",)} or same_files


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def one(dtype="F32", shape=(1,), begin=0, end=4, **more):
    return {"w": {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]} | more}


CLAIMS = {
    "huge shape": safetensors(one(shape=[2**40]), bytes(4)),
    "huge shape and offsets": safetensors(one(shape=[2**40], end=2**42), bytes(4)),
    "shape that overflows to 1": safetensors(one(shape=[2**63, 2, 1]), bytes(4)),
    "shape that overflows to 0": safetensors(one(shape=[2**32, 2**32], end=0)),
    "zero of a huge shape": safetensors(one(shape=[0, 2**63 - 1, 2**63 - 1], end=0)),
    "zero of a larger shape": safetensors(one(shape=[0, 2**64 - 1], end=0)),
    "many dimensions": safetensors(one(shape=[1] * 10_000), bytes(4)),
    "many zeros": safetensors(one(shape=[0] * 100_000, end=0)),
    "negative shape": safetensors(one(shape=[-1]), bytes(4)),
    "float shape": safetensors(one(shape=[1.0]), bytes(4)),
    "negative offset": safetensors(one(begin=-4, end=0), bytes(4)),
    "end before begin": safetensors(one(begin=4, end=0), bytes(4)),
    "past the end": safetensors(one(begin=4, end=8), bytes(4)),
    "a hole": safetensors(one(begin=4, end=8), bytes(8)),
    "unused tail": safetensors(one(), bytes(8)),
    "overlap": safetensors({"a": one()["w"], "b": one()["w"]}, bytes(4)),
    "header of 2**63": safetensors(b"{}", length=2**63),
    "header of 2**64 - 1": safetensors(b"{}", length=2**64 - 1),
    "header of 100 MB": safetensors(b"{}", length=10**8),
    "header of 0": safetensors(b"{}", length=0),
    "no header": b"",
    "short": b"\1\0\0",
    "unknown dtype": safetensors(one(dtype="F128"), bytes(4)),
    "dtype object": safetensors(one(dtype="O"), bytes(4)),
    "float 8": safetensors(one(dtype="F8_E4M3", shape=[4]), bytes(4)),
    "float 8 scale": safetensors(one(dtype="F8_E8M0", shape=[4]), bytes(4)),
    "float 4": safetensors(one(dtype="F4", shape=[8]), bytes(4)),
    "float 6": safetensors(one(dtype="F6_E2M3", shape=[16], end=12), bytes(12)),
    "booleans of 255": safetensors(one(dtype="BOOL", shape=[4]), b"\xff" * 4),
    "deep": safetensors(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "metadata of numbers": safetensors({"__metadata__": {"a": 1}}),
    "metadata as tensor": safetensors({"__metadata__": one()["w"]}, bytes(4)),
    "the same name twice": safetensors(
        b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        b'"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
        bytes(2),
    ),
    "not utf-8": safetensors(b'{"\xff":1}'),
    "not an object": safetensors(b"[]"),
    "a pickle": pickle.dumps({"w": 1}),
    "terminal escapes": safetensors(b'{"\\u001b[31m":{"dtype":"\\u001b[2J"}}'),
}


@pytest.mark.parametrize("kind", CLAIMS)
def test_weights_that_claim_what_they_have_not(model, reseal, kind):
    (model / "model.safetensors").write_bytes(CLAIMS[kind])
    reseal(model)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    if kind in LAWFUL:
        with contextlib.suppress(ModelFileError):
            read_folder(model)
    else:
        with pytest.raises(ModelFileError) as caught:
            read_folder(model)
        assert str(caught.value).isprintable()
    assert time.process_time() - start < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


LAWFUL = {"many zeros", "many dimensions", "the same name twice"}  # odd, and harmless


def test_size_that_config_claims_is_compared_before_reading(model, reseal):
    document = json.loads((model / "config.json").read_bytes())
    document["files"]["model.safetensors"]["size"] = 2**50
    reseal(model, document, measure=False)
    with pytest.raises(ModelFileError, match=f"{2**50} were expected"):
        read_folder(model)


def test_sparse_file_that_memory_cannot_hold(model, reseal):
    document = json.loads((model / "config.json").read_bytes())
    document["files"]["model.safetensors"]["size"] = 2**43
    reseal(model, document, measure=False)
    with open(model / "model.safetensors", "r+b") as file:
        file.truncate(2**43)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**40, hard))
    try:
        with pytest.raises(ModelFileError, match="MemoryError"):
            read_folder(model)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_memory_is_at_most_twice_the_file(tmp_path):
    folder = write_folder(tmp_path / "m", {}, {"w": torch.zeros(4 * MIB)}, "")
    size = (folder / "model.safetensors").stat().st_size
    tracemalloc.start()
    try:
        _, tensors = read_folder(folder)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert tensors["w"].nbytes <= size
    assert size < peak < 2 * size + MIB
