"""Any change to any byte, length or name of a file is found."""

import os
import shutil

import pytest

from pushforward.errors import ModelFileError
from pushforward.storage.model_folder import read_folder

FILES = ["config.json", "model.safetensors", "README.md"]


def refused(folder, name=None):
    with pytest.raises(ModelFileError) as caught:
        read_folder(folder)
    text = str(caught.value)
    assert str(folder) in text
    assert name is None or name in text
    assert text.isprintable()
    return text


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_byte(model, name):
    path = model / name
    data = path.read_bytes()
    with open(path, "r+b", buffering=0) as file:
        for at in range(len(data)):
            # One bit in turn, and the space that JSON would not mind.
            for byte in {data[at] ^ (1 << at % 8), data[at] ^ 0x20, 0x20} - {data[at]}:
                os.pwrite(file.fileno(), bytes([byte]), at)
                refused(model)
            os.pwrite(file.fileno(), data[at : at + 1], at)
    read_folder(model)


@pytest.mark.parametrize("name", FILES)
def test_every_length(model, name):
    path = model / name
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        refused(model, name)
    for more in (b"\0", b"\n", b" ", b"x" * 5000):
        path.write_bytes(data + more)
        refused(model, name)


@pytest.mark.parametrize("name", FILES)
def test_renamed_or_removed(model, name):
    (model / name).rename(model / "renamed")
    assert "'renamed'" in refused(model, name)
    assert "missing" in refused(model, name)
    (model / "renamed").unlink()
    refused(model, name)


@pytest.mark.parametrize("other", FILES)
@pytest.mark.parametrize("name", FILES)
def test_swapped(model, name, other):
    if name == other:
        return
    (model / name).rename(model / "kept")
    (model / other).rename(model / name)
    (model / "kept").rename(model / other)
    refused(model)


def test_files_of_two_models(model, tmp_path, make_model):
    other = make_model(tmp_path / "other", value=0.25)  # same sizes, other weights
    for name in FILES[:2]:
        mixed = tmp_path / f"mixed {name}"
        shutil.copytree(model, mixed)
        shutil.copy(other / name, mixed / name)
        refused(mixed, "model.safetensors")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "kind", ["folder", "link", "dangling", "link to itself", "fifo", "device"]
)
def test_not_a_regular_file(model, tmp_path, name, kind):
    path = model / name
    path.rename(tmp_path / "real")
    if kind == "folder":
        path.mkdir()
    elif kind == "link":  # to the very bytes that are expected
        path.symlink_to(tmp_path / "real")
    elif kind == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "link to itself":
        path.symlink_to(name)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    text = refused(model, name)
    if kind not in ("folder", "fifo"):
        assert "cp -rL" in text


def test_not_readable(model):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (model / "model.safetensors").chmod(0)
    assert "Permission denied" in refused(model, "model.safetensors")


def test_empty_folder_and_folder_of_folders(tmp_path):
    refused(tmp_path)
    (tmp_path / "config.json").mkdir()
    refused(tmp_path)
