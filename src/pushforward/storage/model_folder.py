"""The model folder: ``config.json``, ``model.safetensors`` and ``README.md``, whole or refused.

A kill at any moment of a save leaves the old model or the new one. Reading checks every byte and
builds only JSON values and tensors. ``docs/model-folder.md`` has the format and threat model.
"""

import hashlib
import importlib.metadata
import os
import reprlib
import stat
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ..errors import ModelFileError, ParameterError, stacklevel_of_caller
from ..wording import near_file
from . import strict_json
from .atomic import (
    check_room,
    set_aside_copies,
    write_file_atomically,
    write_folder_atomically,
)

__all__ = [
    "FORMAT_VERSION", "check_target", "read_folder", "read_model", "write_file_atomically",
    "write_folder",
]  # fmt: skip

#: Of the reader. A folder without narrowed tensors is written in format 1, which has no "int64".
FORMAT_VERSION = 2
CONFIG, WEIGHTS, README = "config.json", "model.safetensors", "README.md"
_DTYPE_OF = {
    "BOOL": torch.bool,
    **{"U8": torch.uint8, "U16": torch.uint16, "U32": torch.uint32, "U64": torch.uint64},
    **{"I8": torch.int8, "I16": torch.int16, "I32": torch.int32, "I64": torch.int64},
    **{"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64},
    "C64": torch.complex64,
}
DTYPES = set(_DTYPE_OF.values())
#: Of a folder: each costs microseconds and a kilobyte, however few numbers it has.
MOST_TENSORS = 100_000

_LIBRARY = "pushforward"
_KEYS = {"format", "library", "version", "files", "model", "sha256"}
_INT64 = "int64"  # the key of format 2: names of tensors that are stored narrower than they are
_NARROW = (torch.int16, torch.int32)
_MANY = 1024  # numbers of a tensor that are worth narrowing
_JUNK = {".DS_Store", "Thumbs.db", "desktop.ini"}  # file managers add these unasked
_WHERE = "Give the folder that a pushforward model was saved to."
AGAIN = "Copy the whole folder again from its source, or save the model again."


def write_folder(
    folder: str | os.PathLike[str], config: dict[str, Any], tensors: dict[str, Tensor], readme: str
) -> Path:
    """Write a model folder in one step: afterwards it is the new one, or else still the old one.

    Args:
        folder: Where to write. It may be absent, empty, or a model folder, which is replaced;
            anything else is left alone. Missing parents are made.
        config: Any JSON values; NumPy scalars become Python's, tuples become lists.
        tensors: Any names, shapes, layouts in memory and devices, of a dtype in ``DTYPES``.
            Tensors that share memory are stored apart, large ones of int64 as int32 or int16
            where all values fit; they are read as int64 again.
        readme: The text of ``README.md``.

    Returns:
        The folder's absolute path.

    Raises:
        ParameterError: ``config``, ``tensors`` or ``readme`` cannot be stored exactly.
        ModelFileError: The target is not a model folder, or the system refused the write.

    Example:
        >>> import tempfile
        >>> home = Path(tempfile.mkdtemp())
        >>> folder = write_folder(home / "gis", {"layers": 2}, {"w": torch.ones(2)}, "# GIS")
        >>> sorted(path.name for path in folder.iterdir())
        ['README.md', 'config.json', 'model.safetensors']
        >>> read_folder(home / "gis")
        ({'layers': 2}, {'w': tensor([1., 1.])})
    """
    target = _resolve(folder)
    if not isinstance(readme, str):
        raise ParameterError(f"readme must be a str, not {type(readme).__name__}.")
    # backslashreplace: a lone surrogate in a column's name must not stop a save.
    weights, narrowed = _pack(tensors)
    files = {WEIGHTS: weights, README: readme.encode("utf-8", "backslashreplace")}
    files[CONFIG] = _seal(config, files, narrowed)
    try:
        write_folder_atomically(target, files, _check_replaceable, litter=_JUNK)
    except OSError as error:
        raise ModelFileError(
            f"{target}: the model could not be saved: {error.strerror or error}. A model that was "
            "there before is still whole. Mend the cause or choose another folder; save again."
        ) from error
    return target


def check_target(folder: str | os.PathLike[str]) -> None:
    """Refuse a folder that :func:`write_folder` could not write, before the work of hours.

    Raises:
        ModelFileError: What stands there must not be replaced, or nothing can be written there.
    """
    target = _resolve(folder)
    if os.path.lexists(target):
        _check_replaceable(target)
    try:
        check_room(target)
    except OSError as error:
        raise ModelFileError(
            f"{target}: no model could be saved there: {error.strerror or error}. Choose another "
            "folder, or make this one writable."
        ) from error


def read_folder(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a model folder, after checking that every byte is the one that was written.

    Whether ``config`` and ``tensors`` fit together (names, shapes) is for the caller to check.

    Args:
        folder: The model folder. It may have been renamed or moved; its files may not.

    Returns:
        ``config`` as given to :func:`write_folder`, and the tensors, sorted by name, on the CPU.

    Raises:
        ModelFileError: Something is missing, altered, unsafe or of an unknown version.
    """
    return read_model(folder)[:2]


def read_model(
    folder: str | os.PathLike[str],
) -> tuple[dict[str, Any], dict[str, Tensor], str]:
    """Read a model folder as :func:`read_folder` does, and the version that wrote it.

    Raises:
        ModelFileError: Something is missing, altered, unsafe or of an unknown version.
    """
    target = _resolve(folder)
    for _ in range(20):
        before = _identity(target)
        try:
            return _read(target)
        except ModelFileError:
            # A save in another process may have swapped the folder meanwhile: read the new one.
            if _identity(target) == before:
                raise
    return _read(target)


def _read(target: Path) -> tuple[dict[str, Any], dict[str, Tensor], str]:
    if os.path.isdir(target):
        return _read_whole(target)
    for copy in set_aside_copies(target):
        try:
            result = _read_whole(copy)
        except ModelFileError:
            continue
        warnings.warn(
            f"{target} is missing: a save was killed. Reading the model saved before, which is "
            f"in {copy}; the next save puts this right.",
            stacklevel=stacklevel_of_caller(),
        )
        return result
    what = "a file, not a folder"
    if not os.path.lexists(target):
        what = f"no such folder{near_file(target, CONFIG)}"
    _refuse(target, what, _WHERE)


def _read_whole(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor], str]:
    config_path = folder / CONFIG
    document = _unseal(_read_file(config_path, None), config_path)
    _read_summed(folder / README, document)
    # the bytes have no other name, so that they are gone before the tensors are copied
    tensors = _unpack([_read_summed(folder / WEIGHTS, document)], folder / WEIGHTS)
    for name in document.get(_INT64, ()):
        if name not in tensors or tensors[name].dtype not in _NARROW:
            _refuse(config_path, f"{reprlib.repr(name)} is no tensor of int16 or int32 to widen")
        tensors[name] = tensors[name].long()
    return document["model"], tensors, reprlib.repr(document["version"])


def _read_summed(path: Path, document: dict[str, Any]) -> bytes:
    """The bytes of a file, which are those that were hashed: it is read once."""
    expected = document["files"][path.name]
    data = _read_file(path, expected["size"])
    if _sha256(data) != expected["sha256"]:
        _refuse(path, f"altered since it was saved: its SHA-256 is not the one in {CONFIG}")
    return data


def _read_file(path: Path, size: int | None) -> bytes:
    """Read a regular file of exactly `size` bytes (None: of at most MAX_BYTES)."""
    # NONBLOCK: opening a named pipe must not hang. NOFOLLOW: a link may lead anywhere. Systems
    # have some of these flags and lack others.
    flags = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
    try:
        if path.is_symlink():
            _refuse(path, "a link, not a file", "Copy the folder with links resolved (cp -rL).")
        with open(os.open(path, os.O_RDONLY | flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                _refuse(path, "not a regular file")
            if size is None and status.st_size > strict_json.MAX_BYTES:
                _refuse(path, f"{status.st_size} bytes, over {strict_json.MAX_BYTES}")
            if size is not None and status.st_size != size:
                _refuse(path, f"{status.st_size} bytes; {size} were expected (cut off or altered)")
            return file.read(status.st_size)
    except FileNotFoundError:
        _, folders, files = next(os.walk(path.parent), ("", [], []))  # never raises
        found = ", ".join(map(ascii, sorted(folders + files)[:10])) or "nothing"
        _refuse(path, f"missing; the folder holds {found}. Its files cannot be renamed")
    except (OSError, MemoryError) as error:
        known = error.strerror if isinstance(error, OSError) else None
        reason = known or f"{type(error).__name__} {error}"
        _refuse(path, f"could not be read: {reason}")


def _identity(folder: Path) -> tuple[object, ...]:
    try:
        status = os.stat(folder)
    except OSError:
        return tuple(set_aside_copies(folder))
    return status.st_dev, status.st_ino, status.st_ctime_ns


def _check_replaceable(target: Path) -> None:
    """Refuse to replace anything but an empty folder or a model folder and nothing more."""
    advice = "Nothing was changed. Save to another folder, or remove this one yourself."
    if not target.is_dir():
        _refuse(target, "stands there and is not a folder", advice)
    if not (found := set(os.listdir(target)) - _JUNK):
        return
    if extra := sorted(found - {CONFIG, WEIGHTS, README}):
        names = ", ".join(map(ascii, extra[:5]))
        _refuse(target, f"holds what is not part of a model ({names}) and would be lost", advice)
    try:
        _parse(_read_file(target / CONFIG, None), target / CONFIG)
    except ModelFileError as error:
        _refuse(target, f"holds files, but not those of a pushforward model ({error})", advice)
    if os.path.samefile(target, os.curdir):  # this process would be left in a deleted folder
        _refuse(target, "is the current working folder", "Save from outside of it.")


def _refuse(path: Path, problem: str, advice: str = AGAIN) -> NoReturn:
    raise ModelFileError(f"{path}: {problem}. {advice}")


def _resolve(folder: str | os.PathLike[str]) -> Path:
    name = os.fspath(folder) if isinstance(folder, os.PathLike) else folder
    if not isinstance(name, str) or not name or "\0" in name:
        raise ParameterError(f"The name of a folder was expected, got {reprlib.repr(name)}.")
    # The folder behind a link is the one that is read or replaced; the link stays.
    return Path(os.path.realpath(name))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _seal(config: dict[str, Any], files: dict[str, bytes], narrowed: list[str]) -> bytes:
    if not isinstance(config, dict):
        raise ParameterError(f"config must be a dict, not {type(config).__name__}.")
    try:
        version = importlib.metadata.version(_LIBRARY)
    except importlib.metadata.PackageNotFoundError:  # run from a source tree
        version = "unknown"
    try:
        document: dict[str, Any] = {
            "format": 2 if narrowed else 1,
            "library": _LIBRARY,
            "version": version,
            "files": {n: {"size": len(b), "sha256": _sha256(b)} for n, b in files.items()},
            "model": strict_json.plain(config),
        }
        if narrowed:
            document[_INT64] = narrowed
        document["sha256"] = _sha256(strict_json.dumps_canonical(document))
        data = strict_json.dumps(document)
        _unseal(data, Path(CONFIG))  # the reader's limits hold for the writer too
    except ValueError as error:
        raise ParameterError(f"The model's config cannot be stored: {error}.") from error
    return data


def _parse(data: bytes, path: Path) -> dict[str, Any]:
    try:
        document = strict_json.loads(data)
    except ValueError as error:
        _refuse(path, f"not JSON as it was written: {error}")
    if not isinstance(document, dict) or document.get("library") != _LIBRARY:
        _refuse(path, f'not of a {_LIBRARY} model ("library" is missing or another)', _WHERE)
    return document


def _unseal(data: bytes, path: Path) -> dict[str, Any]:
    document = _parse(data, path)
    found = document.get("format")
    if type(found) is int and found > FORMAT_VERSION:
        problem = f"written by a newer version ({reprlib.repr(document.get('version'))})"
        _refuse(path, problem, "Upgrade: pip install --upgrade pushforward")
    if type(found) is not int or found < 1:
        _refuse(path, f'"format" is {reprlib.repr(found)}; 1 or {FORMAT_VERSION} was expected')
    keys = _KEYS if found == 1 else _KEYS | {_INT64}
    if odd := sorted(document.keys() ^ keys):
        _refuse(path, f"missing or unknown keys: {reprlib.repr(odd)}")
    files, model = document["files"], document["model"]
    described = isinstance(files, dict) and all(
        isinstance(entry, dict) and set(entry) == {"size", "sha256"} and type(entry["size"]) is int
        for entry in files.values()
    )
    if not described or set(files) != {WEIGHTS, README} or not isinstance(model, dict):
        _refuse(path, '"files" or "model" is not of the shape that was written')
    names = document.get(_INT64, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        _refuse(path, f'"{_INT64}" is not a list of names')
    # The second test finds what the digest does not see: spaces, the order of keys, 1E5 for 1e5.
    body = strict_json.dumps_canonical({k: document[k] for k in keys - {"sha256"}})
    if document["sha256"] != _sha256(body) or not strict_json.written_so(document, data):
        _refuse(path, "altered since it was saved: its SHA-256 is not the one written in it")
    return document


def _pack(tensors: dict[str, Tensor]) -> tuple[bytes, list[str]]:
    """The bytes of the weights, and the names of the tensors that were narrowed, sorted."""
    if not isinstance(tensors, dict):
        raise ParameterError(f"tensors must be a dict, not {type(tensors).__name__}.")
    packed: dict[str, Tensor] = {}
    narrowed: list[str] = []
    storages = set()
    for name, tensor in tensors.items():
        if not isinstance(name, str) or name == "__metadata__":
            raise ParameterError(f"{name!r} cannot name a tensor; use another string.")
        is_tensor = isinstance(tensor, Tensor)
        dtype, layout = (tensor.dtype, tensor.layout) if is_tensor else (None, None)
        if dtype not in DTYPES or layout != torch.strided or tensor.is_meta:
            raise ParameterError(
                f"tensors[{name!r}] is a {type(tensor).__name__} of {dtype}, {layout}; expected: "
                f"a dense torch tensor with data, of one of {sorted(map(str, DTYPES))}."
            )
        tensor = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
        storage = tensor.untyped_storage().data_ptr()
        packed[name] = tensor.clone() if storage in storages else tensor  # no shared memory
        storages.add(storage)
        if (narrow := _narrowest(tensor)) != tensor.dtype:
            packed[name] = tensor.to(narrow)
            narrowed.append(name)
    try:
        weights = safetensors.torch.save(dict(sorted(packed.items())))
    except ValueError as error:  # a name that UTF-8 cannot hold
        raise ParameterError(f"The tensors cannot be stored: {error}") from error
    if problem := _too_many(weights):  # the reader's limit holds for the writer too
        raise ParameterError(f"The tensors cannot be stored in a folder: {problem}.")
    return weights, sorted(narrowed)


def _narrowest(tensor: Tensor) -> torch.dtype:
    """The smallest dtype that a tensor is stored in: its own but for large ones of int64."""
    if tensor.dtype != torch.int64 or tensor.numel() < _MANY:
        return tensor.dtype
    low, high = int(tensor.min()), int(tensor.max())
    fitting = (t for t in _NARROW if torch.iinfo(t).min <= low and high <= torch.iinfo(t).max)
    return next(fitting, tensor.dtype)


def _unpack(held: list[bytes], path: Path) -> dict[str, Tensor]:
    """The tensors in the bytes of a safetensors file.

    Args:
        held: the bytes alone in a list, from which they are taken: they and the tensors are never
            in memory together with a third copy.
        path: of the file, for errors.
    """
    if problem := _too_many(held[0]):
        _refuse(path, problem)
    try:
        found = safetensors.deserialize(held.pop())
    except Exception as error:  # hostile bytes: whatever the parser raises is a refusal
        _refuse(path, f"not a usable safetensors file: {ascii(error)[:200]}")
    parts = dict(sorted(found))
    del found
    # copies are aligned as tensors that are made here: sums of others may differ in the last bit
    return {name: _tensor(name, parts.pop(name), path) for name in list(parts)}


def _too_many(data: bytes) -> str:
    """Why the header of a safetensors file is not parsed: it describes too much; "" if it may be.

    Every tensor has an opening brace, and one is around all of them.
    """
    length = int.from_bytes(data[:8], "little")
    count = data.count(b"{", 8, min(8 + length, len(data))) - 1
    return f"it holds {count:,} tensors, over {MOST_TENSORS:,}" if count > MOST_TENSORS else ""


def _tensor(name: str, part: dict[str, Any], path: Path) -> Tensor:
    dtype, shape, data = _DTYPE_OF.get(part["dtype"]), part["shape"], part["data"]
    if dtype is None:
        _refuse(path, f"tensor {reprlib.repr(name)} has the dtype {ascii(part['dtype'])[:40]}")
    try:
        if len(data) == 0:  # which frombuffer does not take
            return torch.empty(shape, dtype=dtype)
        tensor = torch.frombuffer(data, dtype=dtype).reshape(shape)
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        _refuse(
            path, f"tensor {reprlib.repr(name)} has a shape that is none: {ascii(error)[:200]}"
        )
    if dtype == torch.bool and bool(tensor.view(torch.uint8).max() > 1):
        _refuse(path, f"tensor {reprlib.repr(name)} has booleans other than 0 and 1")
    if sys.byteorder == "big":
        return torch.from_numpy(tensor.numpy().byteswap())
    return tensor.clone()
