"""Opening files that others wrote: regular ones only, unpacked no further than data need.

A few bytes of a packed file can stand for gigabytes. What a file claims, or is while it is
unpacked, is compared with its size, and lines that never end are given up.
"""

import gzip
import io
import os
import stat
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import DataError

__all__ = ["LONGEST_LINE", "check_expansion", "check_regular", "open_bytes"]

MOST_EXPANSION = 200  # tables and images compress 2 to 20 times; a bomb up to 1000 times
SMALL = 2**26  # bytes that are no harm however they were packed
LONGEST_LINE = 2**25  # bytes; a hundred thousand cells take a few million
_CHUNK = 1 << 16


def check_regular(path: str | os.PathLike) -> None:
    """Refuse what is no file or folder: reading a named pipe or a device may never end.

    Raises:
        DataError: naming the kind; also for a path that the system does not let us look at.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise DataError(
            f"{os.fspath(path)} cannot be read: {error.strerror}. Expected a file or folder: "
            "check the path."
        ) from error
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    raise DataError(
        f"{os.fspath(path)} is {kinds.get(stat.S_IFMT(mode), 'a device')}. Expected a file, which "
        "can be read more than once: write the data to one first."
    )


def check_expansion(path: str | os.PathLike, size: int, packed: int | None = None) -> None:
    """Refuse a packed file that claims to hold far more than data could.

    Args:
        path: the file.
        size: bytes it claims to hold.
        packed: bytes it takes; None for those of the file.

    Raises:
        DataError: naming both sizes.
    """
    packed = os.path.getsize(path) if packed is None else packed
    if size > SMALL and size > MOST_EXPANSION * packed:
        raise DataError(
            f"{os.fspath(path)} claims to hold {size:,} bytes in {packed:,}, which is no "
            "compression of images or tables. It is damaged or hostile: fetch it again from where "
            "it was published."
        )


def open_bytes(path: str | os.PathLike, *, lines: bool = True) -> BinaryIO:
    """Open a file for reading, unpacked where its name ends in ``.gz``.

    Reading raises DataError for a file that is damaged, that unpacks to far more than data could,
    or that has a line of more than ``LONGEST_LINE`` bytes.

    Args:
        path: of the file.
        lines: whether it is text in lines.

    Raises:
        DataError: for what is no regular file, and what cannot be opened.
    """
    check_regular(path)
    try:
        packed = Path(path).suffix.lower() == ".gz"
        opened: Any = gzip.open(path, "rb") if packed else open(path, "rb")  # noqa: SIM115
        return io.BufferedReader(_Guarded(opened, Path(path), lines), _CHUNK)
    except OSError as error:
        raise _unreadable(path, error) from error


class _Guarded(io.RawIOBase):
    """A file that is read from, and the limits it has to keep."""

    def __init__(self, file: Any, path: Path, lines: bool) -> None:
        self._file, self._path, self._lines = file, path, lines
        self._packed = os.path.getsize(path)
        self._read, self._line = 0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(self._path, error) from error
        buffer[: len(data)] = data
        self._read += len(data)
        check_expansion(self._path, self._read, self._packed)
        if self._lines:
            self._measure_line(data)
        return len(data)

    def _measure_line(self, data: bytes) -> None:
        end = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._line = self._line + len(data) if end < 0 else len(data) - end
        if self._line > LONGEST_LINE:
            raise DataError(
                f"{self._path} has a line of more than {LONGEST_LINE:,} bytes. Expected lines of "
                "text, one a row: it is damaged, or no file of text."
            )

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _unreadable(path: str | os.PathLike, error: Exception) -> DataError:
    return DataError(
        f"{os.fspath(path)} cannot be read: {error}. Expected a whole file: write it again."
    )
