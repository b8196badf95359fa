"""Files and folders that appear on disk whole or not at all, whatever moment a process dies.

New content is written into a locked temporary folder beside the target, synced, and put in
place by a rename. The lock dies with its process, so the next save knows what was abandoned.
"""

import ctypes
import errno
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

__all__ = [
    "Names", "alone_in", "check_room", "partial_folder", "set_aside_copies",
    "write_file_atomically", "write_folder_atomically",
]  # fmt: skip

#: Files of ours in a folder: their names, or a function that tells them.
Names = Collection[str] | Callable[[str], bool]

_PARTIAL = "partial"
_DAY = 86_400.0
_LONGEST = 255  # bytes of a name, in all file systems of today


def write_file_atomically(
    path: str | os.PathLike[str], data: bytes | Callable[[BinaryIO], object]
) -> None:
    """Write one file so that a kill leaves the old content or the new, never a part.

    Args:
        path: The file, made or replaced.
        data: Its bytes, or a function that writes them to the open binary file it is given.

    Raises:
        OSError: The system refused the write; an old file is still whole. It names the file.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "LATEST"
        >>> write_file_atomically(path, b"step-200")
        >>> path.read_text()
        'step-200'
    """
    target = Path(os.path.realpath(path))
    try:
        with partial_folder(target, [_PARTIAL]) as folder:
            _write_synced(folder / _PARTIAL, data)
            os.replace(folder / _PARTIAL, target)
            _sync_folder(target.parent)
    except (
        OSError
    ) as error:  # a full disk has no name by itself, and the temporary file is no help
        raise _named(error, target) from error


def _named(error: OSError, target: Path) -> OSError:
    """The same error about the file that was to be written."""
    if error.errno is None:
        return OSError(f"{target}: {error}")
    return OSError(error.errno, error.strerror, str(target))


def check_room(target: Path) -> None:
    """Refuse a name that nothing could be written to, before the work that goes into it.

    Args:
        target: an absolute path; missing parents will be made.

    Raises:
        OSError: if the folder it will be in, or the nearest there is, cannot be written to; it
            names the target.
    """
    parent = next(path for path in target.parents if os.path.lexists(path))
    try:
        for part in target.relative_to(parent).parts[:-1]:  # of folders to be made
            if len(os.fsencode(part)) > _LONGEST:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        probe = parent / _sibling(target, "tmp").name
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise _named(error, target) from error


@contextmanager
def alone_in(folder: Path) -> Iterator[bool]:
    """Lock a folder that is there, until the end or until this process is gone.

    Yields:
        Whether it is this one's: False while another process has it. True where the file system
        has no locks.
    """
    if sys.platform == "win32":
        yield True
        return
    try:
        lock = _lock(folder, wait=False)
    except OSError as error:
        yield error.errno not in {errno.EWOULDBLOCK, errno.EACCES}
        return
    try:
        yield True
    finally:
        os.close(lock)


def write_folder_atomically(
    target: Path,
    files: Mapping[str, bytes],
    check: Callable[[Path], object],
    litter: Collection[str] = (),
) -> None:
    """Write a folder of files in one step, in the place of an old one if there is one.

    Args:
        target: An absolute path.
        files: The content of each file by its name.
        check: Called with ``target`` where something stands there, before anything is written
            and again before the swap; raises if that must not be replaced.
        litter: Names of further files that may be deleted with the old folder. Nothing else in
            it ever is.

    Raises:
        OSError: The system refused the write; an old folder is still whole.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "run"
        >>> write_folder_atomically(folder, {"a.txt": b"1"}, check=print)
        >>> (folder / "a.txt").read_text()
        '1'
    """
    _check_there(target, check)
    target.parent.mkdir(parents=True, exist_ok=True)
    with partial_folder(target, [*files, *litter]) as new:
        for name, data in files.items():
            _write_synced(new / name, data)
        _sync_folder(new)
        _put_in_place(new, target, check)
        _sync_folder(target.parent)


def set_aside_copies(target: Path) -> list[Path]:
    """Old folders of this name that a save moved out of the way, the newest first.

    Only of interest where the target is missing: then a save was killed between its two renames.
    """
    return sorted(_leftovers(target, "old"), key=_changed, reverse=True)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_ctime  # a rename changes ctime, not mtime
    except OSError:
        return 0.0


@contextmanager
def partial_folder(target: Path, names: Names) -> Iterator[Path]:
    """An empty, locked folder beside ``target``; at the end what is left of it is removed.

    What killed processes left for the same target is removed before.

    Args:
        target: an absolute path in a folder that is there.
        names: of the files that may be in it. Nothing else ever is removed.
    """
    remove_leftovers(target, names)
    while True:
        path = _sibling(target, "tmp")
        path.mkdir()
        try:
            lock = _lock(path, wait=True)
        except FileNotFoundError:  # another process swept it away before it was locked
            continue
        except BaseException:
            remove_folder(path, names)
            raise
        if path.is_dir():
            break
        os.close(lock)  # swept away while this process waited for the lock
    try:
        yield path
    finally:
        os.close(lock)
        remove_folder(path, names)  # after a swap this is the old folder
        remove_leftovers(target, names)


def _sibling(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.pushforward-{kind}-{secrets.token_hex(8)}")


def _leftovers(target: Path, kind: str) -> list[Path]:
    pattern = re.compile(rf"\.{re.escape(target.name)}\.pushforward-{kind}-[0-9a-f]{{16}}")
    try:
        with os.scandir(target.parent) as entries:
            return [
                target.with_name(entry.name)
                for entry in entries
                if pattern.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []


def remove_leftovers(target: Path, names: Names) -> None:
    """Remove what killed saves left, but never a copy set aside while it is the only one."""
    for path in _leftovers(target, "tmp"):
        with suppress(OSError):
            lock = _lock(path, wait=False)
            try:
                remove_folder(path, names)
            finally:
                os.close(lock)
    copies = _leftovers(target, "old")  # listed first: a target seen now is newer than these
    if target.is_dir():
        for path in copies:
            remove_folder(path, names)


def _lock(path: Path, wait: bool) -> int:
    """Lock a folder until the file descriptor returned is closed or this process is gone.

    Raises OSError if another process holds it (``wait=False``).
    """
    if sys.platform == "win32":  # no folder locks: go by age
        if not wait and time.time() - path.stat().st_mtime < _DAY:
            raise BlockingIOError(errno.EWOULDBLOCK, "may still be in use", str(path))
        return os.open(os.devnull, os.O_RDONLY)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        if not wait:
            os.close(descriptor)
            raise  # in use, or a file system without locks: then nothing is swept
    return descriptor


def remove_folder(folder: Path, names: Names) -> None:
    # By name, never recursively: should anything else have got in here, it survives.
    if callable(names):
        is_ours = names
        with suppress(OSError):
            names = [name for name in os.listdir(folder) if is_ours(name)]
        if callable(names):
            return  # there is no such folder
    for name in names:
        with suppress(OSError):
            os.unlink(folder / name)
    with suppress(OSError):
        os.rmdir(folder)


def _write_synced(path: Path, data: bytes | Callable[[BinaryIO], object]) -> None:
    with open(path, "xb") as file:
        if callable(data):
            data(file)
        else:
            file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    if sys.platform == "win32":  # folders cannot be opened there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # file systems without it
            raise
    finally:
        os.close(descriptor)


def _put_in_place(new: Path, target: Path, check: Callable[[Path], object]) -> None:
    for left in reversed(range(1000)):  # a further round: another save got in between
        try:
            if not os.path.lexists(target):
                os.rename(new, target)
                return
            _check_there(target, check)
            if _exchange(new, target):
                return
            aside = _sibling(target, "old")
            os.rename(target, aside)
            try:
                os.rename(new, target)
                return  # the copy set aside is swept after the last sync
            except OSError:
                if not os.path.lexists(target):
                    os.rename(aside, target)
                raise
        except OSError as error:
            if not left or error.errno not in {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY}:
                raise


def _check_there(target: Path, check: Callable[[Path], object]) -> None:
    """Check what stands in a place; anew where another save put something else there meanwhile."""
    while (before := _identity(target)) is not None:
        try:
            check(target)
            return
        except Exception:  # also of files that were gone while they were looked at
            if _identity(target) == before:
                raise


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file or folder from all others; None where there is none."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _exchange(new: Path, target: Path) -> bool:
    """Swap two names in one step (Linux); False where the system cannot."""
    if sys.platform != "linux":
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of <linux/fs.h>
    if renameat2(here, os.fsencode(new), here, os.fsencode(target), exchange) == 0:
        return True
    code = ctypes.get_errno()
    # EPERM: sandboxes that refuse calls they do not know. A real refusal meets rename() again.
    if code in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM}:
        return False
    raise OSError(code, os.strerror(code), str(target))
