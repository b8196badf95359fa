"""Reads the Python version of CIFAR's batches as data: nothing in them is called or imported.

Besides plain data, five names are understood that stand for the steps by which NumPy writes an
array of bytes. The published batches use protocols 0 and 2; copies written by Python 3
(protocols 2 to 4) are read too.
"""

import enum
import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...errors import DataError
from ...storage.pickle_reader import StackMachine, UnsupportedPickle

__all__ = ["read_batch"]


def read_batch(path: Path) -> dict[str, Any]:
    """Return the dict of a batch: text, bytes, numbers, lists and uint8 arrays by name.

    Raises:
        DataError: for a file that is cut short or holds anything else.
    """
    try:
        if (size := path.stat().st_size) > _LARGEST:
            raise UnsupportedPickle(f"it has {size:,} bytes, more than {_LARGEST:,}")
        found = _Batch(path.read_bytes()).run()
        if not isinstance(found, dict):
            raise UnsupportedPickle("it holds no dict")
    except (OSError, UnsupportedPickle) as error:
        raise DataError(
            f"{path} cannot be read: {error}. Expected a batch of CIFAR's Python version as it "
            "was published; its binary version is read too."
        ) from error
    return {
        key.decode("latin-1") if isinstance(key, bytes) else key: (
            value.value if isinstance(value, _Array) else value
        )
        for key, value in found.items()
    }


_LARGEST = 2**29  # bytes of a batch; the published ones have 31 and 150 million


class _Step(enum.Enum):
    """A step in the writing of an array of bytes."""

    MAKE = "an empty array"
    ARRAY = "the class of arrays"
    DTYPE = "a dtype from its name"
    ENCODE = "bytes from text"
    BYTES = "the dtype uint8"


class _Array:
    """An array on the stack: empty until its state has been read."""

    value: np.ndarray | None = None


class _Batch(StackMachine):
    """Knows arrays of uint8."""

    names: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"): _Step.MAKE,
        ("numpy._core.multiarray", "_reconstruct"): _Step.MAKE,
        ("numpy", "ndarray"): _Step.ARRAY,
        ("numpy", "dtype"): _Step.DTYPE,
        ("_codecs", "encode"): _Step.ENCODE,
    }
    _encoded = 0  # characters

    def call(self, function: Any, arguments: tuple) -> Any:
        match function, arguments:
            case _Step.MAKE, (_Step.ARRAY, *_):
                return _Array()
            case _Step.DTYPE, ("u1" | b"u1", *_):
                return _Step.BYTES
            case _Step.ENCODE, (str(text), "latin1"):
                return self._encode(text)
        raise UnsupportedPickle("it makes something other than an array of uint8")

    def _encode(self, text: str) -> bytes:
        self._encoded += len(text)
        if self._encoded > len(self.data):
            raise UnsupportedPickle("it writes more bytes than it has")
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError as error:
            raise UnsupportedPickle("it has text that is not Latin-1") from error

    def set_state(self, target: Any, state: Any) -> None:
        if target is _Step.BYTES:
            return
        match target, state:
            case _Array(), (_, tuple(shape), _Step.BYTES, by_columns, bytes(data)):
                sides = all(type(side) is int and side >= 0 for side in shape)
                if len(shape) > 4 or not sides or math.prod(shape) != len(data):
                    raise UnsupportedPickle(
                        f"it has an array of another shape than its {len(data):,} bytes"
                    )
                order = "F" if by_columns is True or by_columns == 1 else "C"
                target.value = np.frombuffer(data, np.uint8).reshape(shape, order=order)
            case _:
                raise UnsupportedPickle("it has an array of something other than uint8")
