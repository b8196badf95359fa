"""State dicts of torch.save are read in both formats; anything else in them is refused."""

import contextlib
import copy
import io
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from pushforward.errors import ModelFileError
from pushforward.metrics.features.torch_files import read_torch_file

PATH = Path("weights.pth")


def saved(value, archive=True):
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=archive)
    return file.getvalue()


@pytest.mark.parametrize("archive", [True, False])
def test_a_state_dict_comes_back_bit_for_bit(archive):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    shared = torch.arange(12.0).reshape(3, 4)
    state = {**network.state_dict(), "turned": shared.T, "part": shared[1:, 2], "none": shared[:0]}
    state["half"] = torch.ones(3, dtype=torch.float16)
    read = read_torch_file(saved(state, archive), PATH)
    assert read.keys() == state.keys()
    for name, tensor in state.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor), name


@pytest.mark.parametrize("archive", [True, False])
def test_the_ordered_dict_of_a_module_is_read(archive):
    network = torch.nn.Linear(2, 2)
    read = read_torch_file(saved(network.state_dict(), archive), PATH)
    assert torch.equal(read["weight"], network.weight)


class Attack:
    def __reduce__(self):
        return os.system, ("touch attacked",)


@pytest.mark.parametrize("archive", [True, False])
def test_a_call_is_refused_and_not_made(archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFileError, match=r"names '\w+ system'.*weights_only=True"):
        read_torch_file(saved({"w": torch.ones(1), "x": Attack()}, archive), PATH)
    with pytest.raises(ModelFileError):
        read_torch_file(pickle.dumps(Attack()), PATH)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("archive", [True, False])
def test_a_whole_module_is_refused(archive):
    with pytest.raises(ModelFileError, match="more than a dictionary of tensors"):
        read_torch_file(saved(torch.nn.Linear(2, 2), archive), PATH)


def test_a_cut_or_altered_file_is_refused_and_never_another_error(rng):
    whole = {archive: saved({"w": torch.arange(64.0)}, archive) for archive in (True, False)}
    for data in whole.values():
        for length in range(0, len(data) - 1, 37):
            with pytest.raises(ModelFileError):
                read_torch_file(data[:length], PATH)
        for _ in range(200):
            changed = bytearray(data)
            changed[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
            with contextlib.suppress(ModelFileError):
                read_torch_file(bytes(changed), PATH)


def test_a_tensor_larger_than_its_storage_is_refused():
    wide = torch.zeros(1).expand(10**9)
    with pytest.raises(ModelFileError, match="longer than its storage"):
        read_torch_file(saved({"w": wide}), PATH)


def test_a_compressed_archive_is_refused():
    stored, packed = io.BytesIO(saved({"w": torch.zeros(1000)})), io.BytesIO()
    with zipfile.ZipFile(stored) as a, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as b:
        for name in a.namelist():
            b.writestr(name, a.read(name))
    with pytest.raises(ModelFileError, match="compressed"):
        read_torch_file(packed.getvalue(), PATH)


@pytest.mark.parametrize("archive", [True, False])
def test_tensors_that_shared_memory_share_it_again(archive):
    whole = torch.arange(1000.0)
    read = read_torch_file(
        saved({"a": whole, **{f"b{k}": whole for k in range(50)}}, archive), PATH
    )
    assert len({tensor.data_ptr() for tensor in read.values()}) == 1  # so no file fills the memory


def test_an_archive_whose_parts_overlap_is_refused():
    """The same bytes under many names: a small file that would be read as a large one."""
    file = io.BytesIO(saved({"w": torch.zeros(1000)}))
    with zipfile.ZipFile(file, "a") as archive:
        (storage,) = [i for i in archive.infolist() if i.filename.endswith("/data/0")]
        for k in range(1, 5):
            twin = copy.copy(storage)
            twin.filename = storage.filename[:-1] + str(k)
            archive.filelist.append(twin)
        archive._didModify = True
    with pytest.raises(ModelFileError, match="larger than the whole"):
        read_torch_file(file.getvalue(), PATH)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (-1, (2,), (1,)),
        (0, (-2,), (1,)),
        (0, (2,), (-1,)),
        (0, (2, 2), (1,)),
        (0, (1,) * 65, (1,) * 65),
        (999, (2,), (1,)),
        (0, (2,), (2**60,)),
    ],
)
def test_sizes_that_cannot_be_are_refused(offset, shape, strides):
    class Wrong:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (
                Storage(),
                offset,
                shape,
                strides,
                False,
                None,
            )

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            here = isinstance(obj, Storage)
            return ("storage", torch.FloatStorage, "0", "cpu", 4) if here else None

    program, file = io.BytesIO(), io.BytesIO()
    Pickler(program, 2).dump({"w": Wrong()})
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", program.getvalue())
        archive.writestr("archive/data/0", bytes(16))
    with pytest.raises(ModelFileError, match=r"no possible size|than its storage"):
        read_torch_file(file.getvalue(), PATH)
