"""Encoded pictures in parquet files, with their labels."""

import io
import json
import re
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

IMAGES = ("image", "img")
LABELS = ("label", "labels", "fine_label")
SPLITS = {"train": "train", "valid": "valid|val|validation", "test": "test"}


class EncodedImages(DecodedImages):
    """Pictures as encoded bytes in memory, decoded when they are asked for.

    Args:
        encoded: an arrow column of bytes.
        name: what it is called in errors.
        framing: the part and size that is used.
    """

    def __init__(self, encoded: Any, name: str, framing: Framing) -> None:
        self.encoded = encoded
        self.name = name
        super().__init__(len(encoded), framing)

    def file(self, number: int) -> BinaryIO:
        return io.BytesIO(self.encoded[number].as_buffer())

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
        columns = [image] if label is None else [image, label]
        table = pyarrow.concat_tables([files_of.read_table(f, columns=columns) for f in files])
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(
            f"{files[0]} cannot be read: {error}. Expected whole parquet files of one schema."
        ) from error
    images = EncodedImages(_encoded(table, image, files[0]), str(path), framing)
    if label is None:
        return ImageSet(images, name=name_of(path), split=split)
    labels, names = numbers_and_names(table[label].to_numpy(), files[0])
    names = names or _class_names(schema, label, labels)
    return ImageSet(images, labels, names, name=name_of(path), split=split)


def _encoded(table: Any, image: str, file: Path) -> Any:
    """Return the column of encoded pictures, as arrow's bytes."""
    import pyarrow

    column = table[image]
    if pyarrow.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
        column = table.select([image]).flatten()[f"{image}.bytes"]
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
