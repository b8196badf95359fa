"""Read tensors from a file of ``torch.save`` without unpickling it.

Such a file is a pickle, a program that can run anything. Here a machine that can call nothing
takes its steps: besides plain data it knows the names of a tensor's parts, and whatever a
dictionary of tensors does not need is refused.
"""

import enum
import io
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...errors import ModelFileError
from ...storage.pickle_reader import StackMachine, UnsupportedPickle

__all__ = ["read_torch_file"]

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_MOST_AXES = 64


def read_torch_file(data: bytes, path: Path) -> dict[str, Tensor]:
    """Tensors by name, from the bytes of a file that ``torch.save`` wrote of a state dict.

    Both of torch's formats are read: the archive, and the one before torch 1.6, in which
    pytorch-fid's weights are published. Tensors that shared memory share it again.

    Args:
        data: the content.
        path: its name, for errors.

    Raises:
        ModelFileError: The file holds or does anything else than a state dict needs.

    Example:
        >>> import io, torch
        >>> file = io.BytesIO()
        >>> torch.save({"w": torch.arange(3)}, file)
        >>> read_torch_file(file.getvalue(), Path("w.pth"))
        {'w': tensor([0, 1, 2])}
    """
    try:
        views, storages = _archive(data) if zipfile.is_zipfile(io.BytesIO(data)) else _stream(data)
        return {name: _tensor(view, storages) for name, view in views.items()}
    except Exception as error:  # hostile bytes: whatever they cause is a refusal
        raise ModelFileError(
            f"{path}: not read, since it is more than a dictionary of tensors, or damaged: "
            f"{str(error)[:200]}. Load it where you trust it with torch.load(..., "
            "weights_only=True), write its state dict with safetensors.torch.save_file, and give "
            "that file."
        ) from error


class _Step(enum.Enum):
    """A step in the writing of tensors."""

    DICT = "an ordered dict"
    TENSOR = "a tensor from its parts"
    PARAMETER = "a parameter of a tensor"


@dataclass(frozen=True)
class _Storage:
    """Numbers that lie outside the program."""

    key: str
    dtype: torch.dtype


@dataclass(frozen=True)
class _View:
    """A tensor to be, in its storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Program(StackMachine):
    """The pickle machine for tensors and the state dicts of modules."""

    names: ClassVar = {
        ("collections", "OrderedDict"): _Step.DICT,
        ("torch._utils", "_rebuild_tensor_v2"): _Step.TENSOR,
        ("torch._utils", "_rebuild_parameter"): _Step.PARAMETER,
        ("torch", "DoubleStorage"): torch.float64,
        ("torch", "FloatStorage"): torch.float32,
        ("torch", "HalfStorage"): torch.float16,
        ("torch", "BFloat16Storage"): torch.bfloat16,
        ("torch", "LongStorage"): torch.int64,
        ("torch", "IntStorage"): torch.int32,
        ("torch", "ByteStorage"): torch.uint8,
        ("torch", "BoolStorage"): torch.bool,
    }

    def call(self, function: Any, arguments: tuple) -> Any:
        match function, arguments:
            case _Step.DICT, ():
                return {}
            case _Step.PARAMETER, (_View() as view, *_):
                return view
            case _Step.TENSOR, (_Storage() as storage, offset, tuple(shape), tuple(strides), *_):
                whole = all(type(n) is int and n >= 0 for n in (offset, *shape, *strides))
                if not whole or not len(shape) == len(strides) <= _MOST_AXES:
                    raise UnsupportedPickle("it has a tensor of no possible size")
                return _View(storage, offset, shape, strides)
        raise UnsupportedPickle("it makes something other than tensors")

    def set_state(self, target: Any, state: Any) -> None:
        if not isinstance(target, dict):  # of a dict: versions of modules, of no use here
            raise UnsupportedPickle("it gives an object a state")

    def outside(self, description: Any) -> Any:
        match description:
            case ("storage", torch.dtype() as dtype, str(key), *_):
                return _Storage(key, dtype)
        raise UnsupportedPickle("it refers to something other than a storage")

    def views(self) -> dict[str, _View]:
        """The next program's dictionary of tensors."""
        value = self.run()
        if not isinstance(value, dict) or not all(
            isinstance(k, str) and isinstance(v, _View) for k, v in value.items()
        ):
            raise UnsupportedPickle("it holds something other than tensors by name")
        return value


def _archive(data: bytes) -> tuple[dict[str, _View], dict[str, bytearray]]:
    """The tensors and storages of the format since torch 1.6."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise UnsupportedPickle("it is compressed, which torch.save does not do")
        if sum(entry.file_size for entry in entries) > len(data):
            raise UnsupportedPickle("its parts are larger than the whole")
        (program,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        prefix = program.removesuffix(".pkl") + "/"
        storages = {
            name.removeprefix(prefix): bytearray(archive.read(name))
            for name in archive.namelist()
            if name.startswith(prefix)
        }
        return _Program(archive.read(program)).views(), storages


def _stream(data: bytes) -> tuple[dict[str, _View], dict[str, bytearray]]:
    """The tensors and storages of the format before: five programs, then the storages."""
    file = _Program(data)
    if file.run() != _LEGACY_MAGIC:
        raise UnsupportedPickle("it does not begin as torch.save begins")
    file.run()  # the version of the protocol
    file.run()  # facts of the machine it was written on
    views = file.views()
    sizes = {view.storage.key: view.storage.dtype.itemsize for view in views.values()}
    keys = file.run()
    return views, {key: bytearray(file.take(file.number("Q") * sizes[key])) for key in keys}


def _tensor(view: _View, storages: Mapping[str, bytearray]) -> Tensor:
    storage, dtype = storages[view.storage.key], view.storage.dtype
    if 0 in view.shape:
        return torch.empty(view.shape, dtype=dtype)
    last = view.offset + sum((n - 1) * s for n, s in zip(view.shape, view.strides, strict=True))
    if max(last + 1, math.prod(view.shape)) * dtype.itemsize > len(storage):
        raise UnsupportedPickle("it has a tensor that is longer than its storage")
    flat = torch.frombuffer(storage, dtype=dtype)
    return flat.as_strided(view.shape, view.strides, view.offset)
