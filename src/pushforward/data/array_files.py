"""Arrays in npy and npz files. Objects (pickles) are never read."""

import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from ..errors import DataError
from .files import check_expansion, check_regular

__all__ = ["Archive", "read_npy"]

#: What numpy and zipfile raise of files that are damaged: headers are parsed as Python literals.
DAMAGED = (
    *(OSError, EOFError, ValueError, TypeError, OverflowError, SyntaxError, TokenError),
    *(AttributeError, KeyError, IndexError, MemoryError, RecursionError, UnicodeError),
    *(zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError),
)


def read_npy(path: Path) -> np.ndarray:
    """Return the array of an npy file, memory-mapped.

    Raises:
        DataError: if it is cut short, damaged, made of objects, or no regular file.
    """
    check_regular(path)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except DAMAGED as error:
        raise _unreadable(path, error, "npy file of plain values") from error
    if not isinstance(array, np.ndarray):  # an npz by another name
        array.close()
        raise _unreadable(path, ValueError("it is an npz file"), "npy file of plain values")
    return array


class Archive:
    """The arrays of an npz file, opened one at a time.

    An array that was saved without compression is memory-mapped, so it may be larger than memory.

    Raises:
        DataError: if the file is no npz.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        check_regular(path)
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
        except DAMAGED as error:
            raise self._unreadable(error) from error
        self._members = {
            member.filename.removesuffix(".npy"): member
            for member in members
            if member.filename.endswith(".npy")
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays."""
        return tuple(self._members)

    def read(self, name: str) -> np.ndarray:
        """Return an array.

        Raises:
            DataError: if it is cut short, damaged, made of objects, or claims an absurd size.
        """
        member = self._members[name]
        check_expansion(self.path, member.file_size, member.compress_size)
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(member) as file:
                shape, fortran, dtype = _head(file)
                skip = file.tell()
                if dtype.hasobject:
                    raise DataError(f"the array {name!r} holds Python objects, which are not read")
                if member.compress_type == zipfile.ZIP_STORED and 0 not in shape:
                    start = self._start(member) + skip
                    order: Any = "F" if fortran else "C"
                    return np.memmap(self.path, dtype, "r", start, shape, order)
                count = int(np.prod(shape, dtype=object))
                # no more is unpacked than the archive says it holds, whatever the shape claims
                data = file.read(min(count * dtype.itemsize, member.file_size) + 1)
                if len(data) != count * dtype.itemsize:
                    raise DataError(f"the array {name!r} holds other than {shape} elements")
                array = np.frombuffer(data, dtype)
                return array.reshape(shape, order="F" if fortran else "C")
        except DAMAGED as error:  # also what is encrypted, or of unknown compression
            raise self._unreadable(error) from error

    def _start(self, member: zipfile.ZipInfo) -> int:
        """Return the offset of a member's first byte, which its local head tells."""
        with open(self.path, "rb") as file:
            file.seek(member.header_offset)
            head = file.read(30)
        return (
            member.header_offset
            + 30
            + sum(int.from_bytes(head[at : at + 2], "little") for at in (26, 28))
        )

    def _unreadable(self, error: Exception) -> DataError:
        return _unreadable(self.path, error, "npz file of plain arrays")


def _head(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the head of an npy stream: shape, whether columns come first, dtype."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _unreadable(path: Path, error: Exception, what: str) -> DataError:
    reason = str(error).strip() or type(error).__name__
    return DataError(f"{path} cannot be read: {reason}. Expected a whole {what}: write it again.")
