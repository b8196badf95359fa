"""Encoded pictures in parquet files, with their labels."""

import io
import json
import os
import re
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import DataError
from ..tables.arrow_files import need_pyarrow
from .cropping import Framing
from .formats import Format, name_of
from .image_files import DecodedImages
from .image_sources import ImageSet
from .labels import numbers_and_names

__all__ = ["PARQUET", "EncodedImages"]

_IN_MEMORY = 1 << 28  # bytes of encoded pictures; more go to a temporary file
_AT_ONCE = 256  # pictures read at once on their way there

IMAGES = ("image", "img")
LABELS = ("label", "labels", "fine_label")
SPLITS = {"train": "train", "valid": "valid|val|validation", "test": "test"}


class _StoredBytes:
    """Strings of bytes in a temporary file, which has no name and is gone when it is let go.

    A parquet file gives a row only with all others of its group: pictures in random order, as a
    training asks for them, would unpack one group each.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._ends = np.zeros(1, dtype=np.int64)
        self._lock = threading.Lock()

    def extend(self, column: Any) -> None:
        """Append an arrow column of bytes."""
        parts = [value.as_buffer() for value in column]
        for part in parts:
            self._file.write(part)
        self._file.flush()
        sizes = np.array([part.size for part in parts], dtype=np.int64)
        self._ends = np.concatenate([self._ends, self._ends[-1] + sizes.cumsum()])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> bytes:
        start, end = self._ends[number : number + 2].tolist()
        if hasattr(os, "pread"):  # which moves no place in the file that processes share
            return os.pread(self._file.fileno(), end - start, start)
        with self._lock:
            self._file.seek(start)
            return self._file.read(end - start)


class EncodedImages(DecodedImages):
    """Pictures as encoded bytes, decoded when they are asked for.

    Args:
        encoded: an arrow column of bytes, or bytes in a file.
        name: what it is called in errors.
        framing: the part and size that is used.
    """

    def __init__(self, encoded: Any, name: str, framing: Framing) -> None:
        self.encoded = encoded
        self.name = name
        super().__init__(len(encoded), framing)

    def file(self, number: int) -> BinaryIO:
        found = self.encoded[number]
        return io.BytesIO(found if isinstance(found, bytes) else found.as_buffer())

    def _name(self, number: int) -> str:
        return f"row {number} of {self.name}"


def _files(path: Path) -> dict[str, list[Path]]:
    """Return the parquet files of each split, whose name starts with it."""
    if path.is_file():
        return {"all": [path]} if path.suffix.lower() == ".parquet" else {}
    files = sorted(p for p in path.rglob("*.parquet") if not p.name.startswith("."))
    found = {
        split: [p for p in files if re.match(rf"({words})(?![a-z])", p.name)]
        for split, words in SPLITS.items()
    }
    found = {split: chosen for split, chosen in found.items() if chosen}
    return found or ({"all": files} if files else {})


def _splits(path: Path) -> tuple[str, ...]:
    return tuple(_files(path))


def _read(path: Path, split: str, framing: Framing) -> ImageSet:
    need_pyarrow(path)
    import pyarrow
    import pyarrow.parquet as files_of

    files = _files(path)[split]
    try:
        schema = files_of.read_schema(files[0])
        image = _column(schema, IMAGES, files[0])
        label = next((name for name in LABELS if name in schema.names), None)
        encoded = _encoded(files, image)
        labels = None if label is None else _column_of(files, label)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(
            f"{files[0]} cannot be read: {error}. Expected whole parquet files of one schema."
        ) from error
    images = EncodedImages(encoded, str(path), framing)
    if labels is None or label is None:
        return ImageSet(images, name=name_of(path), split=split)
    labels, names = numbers_and_names(labels.to_numpy(), files[0])
    names = names or _class_names(schema, label, labels)
    return ImageSet(images, labels, names, name=name_of(path), split=split)


def _encoded(files: Sequence[Path], image: str) -> Any:
    """Return the encoded pictures of all files: in memory, or in a file where they are many."""
    import pyarrow.parquet as files_of

    if sum(_size(files_of.read_metadata(f), image) for f in files) <= _IN_MEMORY:
        return _bytes_of(_column_of(files, image), image, files[0])
    stored = _StoredBytes()
    for file, part in _parts(files, image):
        stored.extend(_bytes_of(part, image, file))
    return stored


def _size(metadata: Any, column: str) -> int:
    """Bytes of a column, unpacked."""
    total = 0
    for i in range(metadata.num_row_groups):
        group = metadata.row_group(i)
        chunks = [group.column(j) for j in range(group.num_columns)]
        total += sum(
            chunk.total_uncompressed_size
            for chunk in chunks
            if chunk.path_in_schema.split(".")[0] == column
        )
    return total


def _parts(files: Sequence[Path], column: str) -> Iterator[tuple[Path, Any]]:
    """Some rows of a column at a time."""
    import pyarrow
    import pyarrow.parquet as files_of

    for file in files:
        with files_of.ParquetFile(file) as opened:
            for batch in opened.iter_batches(_AT_ONCE, columns=[column]):
                yield file, pyarrow.Table.from_batches([batch])[column]


def _column_of(files: Sequence[Path], column: str) -> Any:
    import pyarrow
    import pyarrow.parquet as files_of

    tables = [files_of.read_table(file, columns=[column]) for file in files]
    return pyarrow.concat_tables(tables)[column]


def _bytes_of(column: Any, image: str, file: Path) -> Any:
    """Return a column of encoded pictures as arrow's bytes."""
    import pyarrow

    if pyarrow.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
        column = pyarrow.table({image: column}).flatten()[f"{image}.bytes"]
    if not pyarrow.types.is_binary(column.type) and not pyarrow.types.is_large_binary(column.type):
        raise DataError(
            f"{file} has {column.type} in column {image!r}. Expected encoded pictures: bytes, or "
            "a struct of bytes and path."
        )
    if column.null_count or not len(column):
        raise DataError(f"{file} has {len(column)} rows, {column.null_count} without a picture.")
    return column


def _column(schema: Any, names: tuple[str, ...], file: Path) -> str:
    for name in names:
        if name in schema.names:
            return name
    raise DataError(
        f"{file} has the columns {schema.names}. Expected pictures under {' or '.join(names)}."
    )


def _class_names(schema: Any, label: str, labels: np.ndarray) -> tuple[str, ...] | None:
    """Return the names of the classes where the file tells them, as those of the hub do."""
    try:
        described = json.loads((schema.metadata or {})[b"huggingface"])
        names = described["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    fine = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if fine and labels.max() < len(names) else None


PARQUET = Format(
    "parquet",
    "columns image (or img) with encoded pictures and label; train-*.parquet, test-*.parquet for "
    "splits",
    _splits, _read,
)  # fmt: skip
