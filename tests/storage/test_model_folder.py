"""The model folder: what goes in comes out, and what is not ours is never overwritten."""

import hashlib
import json
import os
import shutil
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pushforward.errors import ModelFileError, ParameterError, PushforwardError
from pushforward.storage import atomic, model_folder, strict_json
from pushforward.storage.model_folder import read_folder, write_file_atomically, write_folder

MODEL = {"class": "GIS", "params": {"alpha": 0.1, "names": ["a", "é", "\ud800"], "none": None}}


def tensors():
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(4, 6, generator=generator)
    return {
        "f32": base,
        "view of f32": base[1:3],
        "transposed": base.T,
        "strided": base[:, ::2],
        "expanded": torch.ones(1, 3).expand(5, 3),
        "param": torch.nn.Parameter(base.double()),
        "graph": (torch.nn.Parameter(base.clone()) * 2),
        "scalar": torch.tensor(3.5, dtype=torch.float64),
        "empty": torch.zeros(0, 3),
        "empty view": base[:0],
        "bool": base > 0,
        "i64": torch.tensor([-(2**63), 2**63 - 1]),
        "u8 état": generator.get_state(),
        "nan": torch.tensor([float("nan"), float("-inf"), -0.0, 1e-45]),
        "conj": torch.tensor([1 + 2j, 3 - 1j]).conj(),
        "neg": torch.tensor([1 + 2j, 3 - 1j]).conj().imag,
    } | {str(dtype): torch.tensor([0, 1, 1]).to(dtype) for dtype in model_folder.DTYPES}


def content(tensor):
    tensor = tensor.detach().resolve_conj().resolve_neg().contiguous()
    return tensor.dtype, tensor.shape, tensor.reshape(-1).view(torch.uint8).tolist()


def test_round_trip(tmp_path):
    given_ = tensors()
    folder = write_folder(tmp_path / "made" / "on the way" / "m", MODEL, given_, "# é \ud800\n")
    assert folder == tmp_path / "made" / "on the way" / "m"
    config, read = read_folder(folder)
    assert config == MODEL
    assert list(read) == sorted(given_)
    for name, tensor in given_.items():
        assert content(read[name]) == content(tensor), name
        assert not read[name].requires_grad
    read["f32"] += 1  # writable, and nothing shares memory
    assert torch.equal(read["view of f32"], given_["view of f32"])


def test_nothing_is_a_model_too(tmp_path):
    assert read_folder(write_folder(tmp_path / "m", {}, {}, "")) == ({}, {})


def test_config_says_what_was_written(tmp_path):
    write_folder(tmp_path / "m", MODEL, tensors(), "# GIS")
    document = json.loads((tmp_path / "m/config.json").read_text())
    assert document["format"] == 1  # nothing in it that an older reader does not know
    assert document["library"] == "pushforward"
    for name, entry in document["files"].items():
        data = (tmp_path / "m" / name).read_bytes()
        assert entry == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    digest = document.pop("sha256")
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert digest == hashlib.sha256(canonical.encode()).hexdigest()


def test_equal_content_gives_equal_bytes(tmp_path):
    one, two = tensors(), dict(reversed(tensors().items()))
    for name, content in (("one", one), ("two", two)):
        write_folder(tmp_path / name, MODEL, content, "# GIS")
    for file in ("config.json", "model.safetensors", "README.md"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_saving_what_was_read_changes_nothing(tmp_path):
    write_folder(tmp_path / "one", MODEL, tensors(), "")
    write_folder(tmp_path / "two", *read_folder(tmp_path / "one"), "")
    for file in ("config.json", "model.safetensors", "README.md"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_whole_numbers_are_stored_no_wider_than_they_are(tmp_path):
    edge = {t: torch.iinfo(t) for t in (torch.int16, torch.int32)}
    size = 5000

    def spanning(low, high):
        return torch.tensor([low, high] * (size // 2))

    given_ = {
        "small": spanning(edge[torch.int16].min, edge[torch.int16].max),
        "above": spanning(0, edge[torch.int16].max + 1),
        "below": spanning(edge[torch.int32].min, 5),
        "wide": spanning(edge[torch.int32].min - 1, 5),
        "extreme": spanning(-(2**63), 2**63 - 1),
        "few": torch.arange(10),
        "own": spanning(0, 9).short(),  # whose dtype is the caller's
        "none": torch.zeros(0, 7, dtype=torch.int64),
    }
    folder = write_folder(tmp_path / "m", MODEL, given_, "")
    document = json.loads((folder / "config.json").read_text())
    assert (document["format"], document["int64"]) == (2, ["above", "below", "small"])
    config, read = read_folder(folder)
    assert config == MODEL
    for name, tensor in given_.items():
        assert content(read[name]) == content(tensor), name
    stored = (2 + 4 + 4 + 8 + 8 + 2) * size
    assert (folder / "model.safetensors").stat().st_size < stored + 1500
    again = write_folder(tmp_path / "again", config, read, "")
    for file in ("config.json", "model.safetensors"):
        assert (folder / file).read_bytes() == (again / file).read_bytes()


@pytest.mark.parametrize("name", ["absent", "floats"])
def test_only_narrow_whole_numbers_are_widened(tmp_path, monkeypatch, name):
    pack = model_folder._pack
    monkeypatch.setattr(model_folder, "_pack", lambda tensors: (pack(tensors)[0], [name]))
    folder = write_folder(tmp_path / "m", MODEL, {"floats": torch.ones(3)}, "")
    with pytest.raises(ModelFileError, match=f"'{name}' is no tensor of int16 or int32"):
        read_folder(folder)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**1024), 2**1024)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(config=st.dictionaries(st.text(), values, max_size=4))
def test_any_json_comes_back_exactly(tmp_path_factory, config):
    folder = tmp_path_factory.mktemp("any") / "m"
    read, _ = read_folder(write_folder(folder, config, {}, ""))
    assert repr(read) == repr(config)  # repr: order of keys, -0.0, 1 and 1.0 and True


def test_floats_are_exact(tmp_path):
    numbers = [struct.unpack("d", os.urandom(8))[0] for _ in range(500)]
    numbers = [x for x in numbers if np.isfinite(x)] + [5e-324, 1.7976931348623157e308, -0.0]
    read, _ = read_folder(write_folder(tmp_path / "m", {"x": numbers}, {}, ""))
    assert struct.pack(f"{len(numbers)}d", *read["x"]) == struct.pack(f"{len(numbers)}d", *numbers)


def test_numpy_scalars_and_tuples_become_pythons(tmp_path):
    config = {"n": np.int64(3), "x": np.float32(0.1), "b": np.bool_(True), "t": (1, (2,))}
    read, _ = read_folder(write_folder(tmp_path / "m", config, {}, ""))
    assert read == {"n": 3, "x": float(np.float32(0.1)), "b": True, "t": [1, [2]]}
    assert type(read["n"]) is int


def nested(depth):
    config = value = {}
    for _ in range(depth):
        value["a"] = value = {}
    return config


CIRCULAR: dict = {}
CIRCULAR["self"] = CIRCULAR


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"alpha": [1.0, float("nan")]}, r"config\['alpha'\]\[1\] is nan"),
        ({"alpha": np.float64("inf")}, "is inf"),
        ({"when": np.datetime64("2020-01-01")}, "type date"),
        ({1: "one"}, "key 1"),
        ({"f": print}, "builtin_function"),
        ({"x": {1, 2}}, "type set"),
        ({"n": 10**500}, "400 digits"),
        (nested(150), "deep"),
        (CIRCULAR, "deep"),
        ({"many": [0] * 1_001}, "values"),
        ([1], "must be a dict"),
    ],
)
def test_config_that_json_cannot_hold_is_refused_before_writing(
    tmp_path, monkeypatch, config, text
):
    monkeypatch.setattr(strict_json, "MAX_TOKENS", 1_000)
    with pytest.raises(ParameterError, match=text):
        write_folder(tmp_path / "m", config, {}, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "bad",
    [
        {"a": np.zeros(2)},
        {"a": 1.0},
        {"a": torch.zeros(2).to_sparse()},
        {"a": torch.zeros(2, device="meta")},
        {"a": torch.zeros(2, dtype=torch.complex128)},
        {"a": torch.zeros(2, dtype=torch.float8_e4m3fn)},
        {1: torch.zeros(2)},
        {"__metadata__": torch.zeros(2)},
        {"\ud800": torch.zeros(2)},
        [torch.zeros(2)],
    ],
)
def test_tensors_that_cannot_be_stored_are_refused_before_writing(tmp_path, bad):
    with pytest.raises(ParameterError):
        write_folder(tmp_path / "m", {}, bad, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "a\0b", b"bytes", None, 3])
def test_odd_names_of_folders(name):
    with pytest.raises(ParameterError, match="name of a folder"):
        write_folder(name, {}, {}, "")
    with pytest.raises(ParameterError, match="name of a folder"):
        read_folder(name)


def test_readme_must_be_text(tmp_path):
    with pytest.raises(ParameterError, match="readme"):
        write_folder(tmp_path / "m", {}, {}, b"no")


# --- what is replaced and what is not --------------------------------------------------------


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["exchange", "two renames"])
def way(request, monkeypatch):
    if request.param == "two renames":
        monkeypatch.setattr(atomic, "_exchange", lambda new, target: False)
    return request.param


def test_replaces_a_model_and_an_empty_folder(tmp_path, way):
    (tmp_path / "m").mkdir()
    for step in range(3):
        write_folder(tmp_path / "m", {"step": step}, {"w": torch.ones(step)}, "")
        assert read_folder(tmp_path / "m")[0] == {"step": step}
        assert listing(tmp_path) == ["m"]
        (tmp_path / "m" / ".DS_Store").write_bytes(b"")


def fill(folder, **files):
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text("a file"),
        lambda path: fill(path, data_csv="1,2"),
        lambda path: fill(path, README_md="# mine"),
        lambda path: fill(path, config_json='{"model_type": "bert"}', model_safetensors=""),
        lambda path: fill(path, config_json="[]"),
        lambda path: fill(path, config_json="not json"),
        lambda path: (write_folder(path, {}, {}, ""), (path / "notes.txt").write_text("mine")),
        lambda path: (write_folder(path, {}, {}, ""), (path / "plots").mkdir()),
    ],
    ids=["file", "data", "readme", "other library", "list", "no json", "notes", "subfolder"],
)
def test_never_overwrites_what_is_not_a_model(tmp_path, make, way):
    target = tmp_path / "m"
    make(target)
    before = listing(target) if target.is_dir() else target.read_text()
    with pytest.raises(ModelFileError, match="Nothing was changed"):
        write_folder(target, {}, {}, "")
    assert (listing(target) if target.is_dir() else target.read_text()) == before
    assert listing(tmp_path) == ["m"]


def test_a_damaged_model_can_be_replaced(tmp_path, way):
    write_folder(tmp_path / "m", {}, {}, "")
    (tmp_path / "m/model.safetensors").unlink()
    write_folder(tmp_path / "m", {"new": 1}, {}, "")
    assert read_folder(tmp_path / "m")[0] == {"new": 1}


def test_users_file_that_slips_in_survives(tmp_path, way, monkeypatch):
    target = write_folder(tmp_path / "m", {}, {}, "")
    checked = model_folder._check_replaceable
    calls = []

    def late(path):
        checked(path)
        calls.append(path)
        if len(calls) == 2:  # after the last look, before the swap
            (path / "notes.txt").write_text("mine")

    monkeypatch.setattr(model_folder, "_check_replaceable", late)
    write_folder(target, {"new": 1}, {}, "")
    assert read_folder(target)[0] == {"new": 1}
    assert [path.read_text() for path in tmp_path.glob(".*/notes.txt")] == ["mine"]


def test_not_the_current_folder(tmp_path, monkeypatch):
    write_folder(tmp_path / "m", {"old": 1}, {}, "")
    monkeypatch.chdir(tmp_path / "m")
    with pytest.raises(ModelFileError, match="current working folder"):
        write_folder(".", {}, {}, "")
    assert read_folder(".")[0] == {"old": 1}


def test_relative_names_and_a_link_to_a_folder(tmp_path, monkeypatch, way):
    monkeypatch.chdir(tmp_path)
    write_folder("real", {"n": 1}, {}, "")
    (tmp_path / "link").symlink_to("real")
    write_folder("link", {"n": 2}, {}, "")
    assert (tmp_path / "link").is_symlink()
    assert read_folder("link")[0] == read_folder("real")[0] == {"n": 2}
    assert listing(tmp_path) == ["link", "real"]


def test_a_renamed_or_copied_folder_loads(tmp_path):
    write_folder(tmp_path / "m", MODEL, tensors(), "")
    (tmp_path / "m").rename(tmp_path / "other")
    shutil.copytree(tmp_path / "other", tmp_path / "copy")
    assert read_folder(tmp_path / "other")[0] == read_folder(tmp_path / "copy")[0] == MODEL


def test_the_mode_follows_the_umask(tmp_path):
    old = os.umask(0o022)
    try:
        folder = write_folder(tmp_path / "m", {}, {}, "")
    finally:
        os.umask(old)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "config.json").stat().st_mode & 0o777 == 0o644


# --- what is refused at reading --------------------------------------------------------------


def test_missing_folder_and_a_file(tmp_path):
    with pytest.raises(ModelFileError, match="no such folder"):
        read_folder(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelFileError, match="a file, not a folder"):
        read_folder(tmp_path / "file")
    with pytest.raises(ModelFileError, match=r"config.json: missing; the folder holds 'file'"):
        read_folder(tmp_path)
    with pytest.raises(ValueError, match="no such"):  # caught without knowing this package
        read_folder("/" + "x" * 300)
    assert issubclass(ModelFileError, PushforwardError)
    with pytest.raises(ModelFileError, match="missing; the folder holds nothing"):
        model_folder._read_whole(tmp_path / "removed meanwhile")


def test_extra_files_are_not_looked_at(tmp_path):
    folder = write_folder(tmp_path / "m", MODEL, {}, "")
    (folder / ".gitattributes").write_text("* -text")
    (folder / "other.pkl").write_bytes(b"\x80\x04.")
    (folder / "link").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    (folder / ".git").mkdir()
    assert read_folder(folder)[0] == MODEL


def change(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes, indent=2) + "\n")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"format": 3, "version": "9.0", "new key": 1}, r"newer version \('9.0'\).*pip install"),
        ({"format": 10**300}, "newer version"),
        ({"format": 0}, "1 or 2 was expected"),
        ({"format": True}, "1 or 2 was expected"),
        ({"format": "1"}, "1 or 2 was expected"),
        ({"format": 1.0}, "1 or 2 was expected"),
        ({"library": "zuko"}, "not of a pushforward model"),
        ({"library": None}, "not of a pushforward model"),
        ({"extra": 1}, "unknown keys: \\['extra'\\]"),
        ({"format": 2}, "unknown keys: \\['int64'\\]"),
        ({"int64": []}, "unknown keys: \\['int64'\\]"),
        ({"format": 2, "int64": "w"}, "not a list of names"),
        ({"format": 2, "int64": [1]}, "not a list of names"),
        ({"format": 2, "int64": []}, "altered"),
        ({"files": {}}, "shape"),
        ({"files": []}, "shape"),
        ({"files": {"../../etc/passwd": {"size": 1, "sha256": ""}}}, "shape"),
        ({"model": []}, "shape"),
        ({"model": MODEL | {"class": "SIG"}}, "altered"),
        ({"version": "0.0.0"}, "altered"),
        ({"sha256": "0" * 64}, "altered"),
        ({"sha256": None}, "altered"),
    ],
)
def test_edited_config(tmp_path, changes, text):
    folder = write_folder(tmp_path / "m", MODEL, {}, "")
    change(folder, **changes)
    with pytest.raises(ModelFileError, match=text) as caught:
        read_folder(folder)
    assert str(folder / "config.json") in str(caught.value)


# --- leftovers of killed saves ---------------------------------------------------------------


def leftover(folder, kind="tmp", name="m"):
    path = folder / f".{name}.pushforward-{kind}-{'0' * 16}"
    path.mkdir()
    (path / "config.json").write_text("{}")
    return path


def test_leftovers_are_removed_if_ours_and_abandoned(tmp_path, way):
    ours = leftover(tmp_path)
    other = leftover(tmp_path, name="n")
    has_coordinate = tmp_path / f".m.pushforward-tmp-{'1' * 16}"
    has_coordinate.mkdir()
    users = tmp_path / ".m.pushforward-tmp-mine"
    users.mkdir()
    lock = atomic._lock(has_coordinate, wait=True)
    try:
        write_folder(tmp_path / "m", {}, {}, "")
    finally:
        os.close(lock)
    assert not ours.exists()
    assert other.exists()
    assert has_coordinate.exists()
    assert users.exists()
    write_folder(tmp_path / "m", {}, {}, "")
    assert not has_coordinate.exists()


def test_the_copy_set_aside_is_read_and_then_swept(tmp_path, way):
    folder = write_folder(tmp_path / "m", {"old": 1}, {}, "")
    damaged = leftover(tmp_path, "old")
    folder.rename(tmp_path / f".m.pushforward-old-{'a' * 16}")
    with pytest.warns(UserWarning, match="a save was killed"):
        assert read_folder(folder)[0] == {"old": 1}
    write_folder(folder, {"new": 1}, {}, "")
    assert read_folder(folder)[0] == {"new": 1}
    assert not damaged.exists()
    assert listing(tmp_path) == ["m"]


def test_a_failed_save_keeps_the_copy_set_aside(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "m", {"old": 1}, {}, "")
    folder.rename(tmp_path / f".m.pushforward-old-{'a' * 16}")
    monkeypatch.setattr(atomic, "_put_in_place", lambda *_: os.rmdir(tmp_path / "none"))
    with pytest.raises(ModelFileError, match="could not be saved"):
        write_folder(folder, {}, {}, "")
    with pytest.warns(UserWarning, match="a save was killed"):
        assert read_folder(folder)[0] == {"old": 1}


def test_a_folder_that_is_swapped_while_read_gives_the_new_model(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "m", {"old": 1}, {"w": torch.zeros(2)}, "")
    read_file, swapped = model_folder._read_file, []

    def slow(path, size):
        if size is not None and not swapped:  # config.json is read, the other files are not
            swapped.append(path)
            write_folder(folder, {"new": 1}, {"w": torch.ones(2)}, "")
        return read_file(path, size)

    monkeypatch.setattr(model_folder, "_read_file", slow)
    config, read = read_folder(folder)
    assert config == {"new": 1}
    assert read["w"].tolist() == [1, 1]


# --- one file --------------------------------------------------------------------------------


def test_write_file_atomically(tmp_path, monkeypatch):
    path = tmp_path / "log.json"
    write_file_atomically(path, b"one")
    write_file_atomically(str(path), lambda file: file.write(b"two"))
    assert path.read_bytes() == b"two"

    def fails(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_file_atomically(path, fails)
    monkeypatch.setattr(os, "fsync", lambda descriptor: os.rmdir(tmp_path / "none"))
    with pytest.raises(OSError, match=r"log\.json"):  # not the temporary file
        write_file_atomically(path, b"three")
    assert path.read_bytes() == b"two"
    assert listing(tmp_path) == ["log.json"]
    with pytest.raises(OSError, match="directory"):
        write_file_atomically(tmp_path, b"")
