"""Tables in parquet and feather files, through pyarrow."""

import re
import zoneinfo
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ..files import check_expansion, check_regular
from .lazy_table import Table, unreadable

__all__ = ["FeatherTable", "ParquetTable", "need_pyarrow"]

NULLABLE = {"bool": "boolean"} | {
    f"{sign}int{bits}": f"{sign.upper()}Int{bits}"
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
}


def need_pyarrow(path: Path) -> Any:
    """Return the pyarrow module.

    Raises:
        DataError: where it is not installed, with the command that installs it.
    """
    try:
        import pyarrow
        import pyarrow.feather
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            f"{path} needs pyarrow, which is not installed: "
            'pip install "pushforward[files]", or use csv or npy.'
        ) from error
    return pyarrow


#: What pyarrow and pandas raise of files that are damaged or hold what pandas cannot: dates
#: before 1677 or after 2262, unknown time zones, metadata about columns that are not there.
_DAMAGED = (
    *(OSError, ValueError, TypeError, OverflowError, LookupError, AttributeError),
    *(NotImplementedError, RecursionError, AssertionError),
)


class ArrowTable(Table):
    """What parquet and feather share: arrow tables that become pandas frames."""

    path: Path
    schema: Any
    _arrow: Any

    @cached_property
    def columns(self) -> list[str | int]:  # pyright: ignore[reportIncompatibleVariableOverride]
        with self._reading(self.path):
            return list(self.schema.empty_table().to_pandas().columns)

    @contextmanager
    def _reading(self, part: Path) -> Iterator[None]:
        """Turn what goes wrong while reading a file into one line that says what to do."""
        try:
            yield
        except DataError:
            raise
        except (self._arrow.ArrowException, *_DAMAGED) as error:
            raise unreadable(part, error) from error

    def _check_schema(self, part: Path) -> None:
        """Refuse columns of one name, which no row can tell apart, and unknown time zones.

        Raises:
            DataError: naming one.
        """
        for field in self.schema:
            zone = field.type.tz if self._arrow.types.is_timestamp(field.type) else None
            if zone is not None and not _is_zone(zone):
                raise DataError(
                    f"{part} has the time zone {zone!r} in column {field.name!r}, which is not "
                    "known here. Expected one such as UTC, +01:00 or Europe/Berlin."
                )
        name, count = (
            Counter(self.schema.names).most_common(1)[0] if self.schema.names else ("", 1)
        )
        if count > 1:
            raise DataError(
                f"{part} has {count} columns {name!r}. Expected a name of its own for each: "
                "rename them."
            )

    @cached_property
    def gaps(self) -> dict[str, str]:
        """Columns of whole numbers or booleans with nulls anywhere, to nullable dtypes.

        Without these a batch that happens to have no null would get another dtype.
        """
        types = {field.name: str(field.type) for field in self.schema}
        return {
            name: NULLABLE[types[name]]
            for name in types
            if types[name] in NULLABLE and self._has_null(name)
        }

    def _has_null(self, name: str) -> bool:
        raise NotImplementedError

    def _frame(self, table: Any) -> Any:
        import pandas as pd

        frame = table.to_pandas()
        kinds = frame.dtypes.to_dict()
        gaps = [name for name in self.gaps if isinstance(kinds.get(name), np.dtype)]
        if not gaps:
            return frame
        made = {dtype: pd.api.types.pandas_dtype(dtype) for dtype in {*self.gaps.values()}}
        nullable = {str(table.schema.field(name).type): made[self.gaps[name]] for name in gaps}
        # all at once: each column that is put into a wide frame alone moves all others
        found = table.select(gaps).replace_schema_metadata(None)
        found = found.to_pandas(types_mapper=lambda kind: nullable[str(kind)])
        rest = frame.drop(columns=gaps)
        return pd.concat([rest, found.set_axis(frame.index)], axis=1)[list(frame.columns)]


def _is_zone(name: str) -> bool:
    """Whether a time zone has a known name, or is an offset such as +01:00."""
    if re.fullmatch(r"[+-]\d{2}:?\d{2}", name):
        return True
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return True


class ParquetTable(ArrowTable):
    """A parquet file, or the parts of one table in a folder."""

    divisible = True

    def __init__(self, path: Path, parts: Sequence[Path]) -> None:
        self.path, self._parts = path, parts
        self._arrow = need_pyarrow(path)
        for part in parts:
            check_regular(part)
        metadata = [self._read(part, lambda file: file.metadata) for part in parts]
        self.schema = self._read(parts[0], lambda file: file.schema_arrow)
        self._check_schema(parts[0])
        for part, found in zip(parts, metadata, strict=True):
            groups = range(found.num_row_groups)
            check_expansion(part, sum(found.row_group(k).total_byte_size for k in groups))
        for part in parts[1:]:
            schema = self._read(part, lambda file: file.schema_arrow)
            if not schema.equals(self.schema):
                raise DataError(
                    f"{part} has other columns or types than {parts[0]}. Expected parts of one "
                    f"table: {self.schema.names} against {schema.names}."
                )
        self.n_rows = sum(found.num_rows for found in metadata)
        self._metadata = metadata

    def _read(self, part: Path, get: Any) -> Any:
        with self._reading(part), self._arrow.parquet.ParquetFile(part) as file:
            return get(file)

    @cached_property
    def _places(self) -> dict[str, int]:
        """The place of each column of values in the metadata, by its name."""
        schema = self._metadata[0].schema
        return {schema.column(i).path: i for i in range(self._metadata[0].num_columns)}

    def _has_null(self, name: str) -> bool:
        for metadata in self._metadata:
            for group in range(metadata.num_row_groups):
                found = metadata.row_group(group).column(self._places[name]).statistics
                if found is None or found.null_count is None or found.null_count:
                    return True
        return False

    def read(self) -> Any:
        tables = [self._read(part, lambda file: file.read()) for part in self._parts]
        with self._reading(self.path):
            return self._frame(self._arrow.concat_tables(tables))

    def _batches(self, n_rows: int) -> Iterator[Any]:
        for _, frame in self._numbered(n_rows, 0, 1):
            yield frame

    def _numbered(self, n_rows: int, own: int, of: int) -> Iterator[tuple[int, Any]]:
        # pre-buffering would keep the whole file, no buffer a whole row group in memory
        options: dict[str, Any] = {"pre_buffer": False, "buffer_size": 1 << 20}
        for part, groups in self._share(own, of):
            with self._reading(part):
                file = self._arrow.parquet.ParquetFile(part, **options)
            with file:
                for start, group in groups:
                    batches = file.iter_batches(batch_size=n_rows, row_groups=group)
                    while True:
                        with self._reading(part):
                            batch = next(batches, None)
                            if batch is None:
                                break
                            frame = self._frame(self._arrow.Table.from_batches([batch]))
                        yield start, frame
                        start += len(frame)

    def _share(self, own: int, of: int) -> Iterator[tuple[Path, list[tuple[int, list[int]]]]]:
        """The parts, with the first rows and the numbers of row groups that are read at once.

        Share ``own`` of ``of`` has the row groups ``own``, ``own + of``, ``own + 2 * of``, ...
        """
        start = place = 0
        for part, metadata in zip(self._parts, self._metadata, strict=True):
            groups: list[tuple[int, list[int]]] = []
            for group in range(metadata.num_row_groups):
                if place % of == own:
                    if of == 1 and groups:
                        groups[0][1].append(group)
                    else:
                        groups.append((start, [group]))
                start += metadata.row_group(group).num_rows
                place += 1
            if groups:
                yield part, groups

    def parts(self) -> list[tuple[str, "ParquetTable"]]:
        """Each file as a table of its own, and its name within the folder."""
        whole = self.path.is_dir()
        return [
            (
                part.relative_to(self.path).as_posix() if whole else part.name,
                ParquetTable(part, [part]),
            )
            for part in self._parts
        ]

    def pack(self, X: Any) -> bytes:
        table = self._arrow.Table.from_pandas(X, preserve_index=False)
        stream = self._arrow.BufferOutputStream()
        with self._arrow.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
        return stream.getvalue().to_pybytes()

    def unpack(self, data: bytes) -> Any:
        with self._arrow.ipc.open_stream(data) as reader:
            return reader.read_all().to_pandas()


class FeatherTable(ArrowTable):
    """A feather (arrow file) table, memory-mapped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._arrow = need_pyarrow(path)
        check_regular(path)
        with self._reading(path), self._open() as file:
            self.schema = file.schema
        self._check_schema(path)
        self.n_rows = sum(batch.num_rows for batch in self._record_batches())

    def _open(self) -> Any:
        with self._reading(self.path):
            return self._arrow.ipc.open_file(self._arrow.memory_map(str(self.path)))

    def _record_batches(self) -> Iterator[Any]:
        with self._open() as file:
            for i in range(file.num_record_batches):
                with self._reading(self.path):
                    batch = file.get_batch(i)
                    batch.validate()
                yield batch

    def _has_null(self, name: str) -> bool:
        return any(batch.column(name).null_count for batch in self._record_batches())

    def read(self) -> Any:
        batches = list(self._record_batches())
        with self._reading(self.path):
            return self._frame(self._arrow.Table.from_batches(batches, self.schema))

    def _batches(self, n_rows: int) -> Iterator[Any]:
        for batch in self._record_batches():
            table = self._arrow.Table.from_batches([batch])
            for start in range(0, table.num_rows, n_rows):
                with self._reading(self.path):
                    frame = self._frame(table.slice(start, n_rows))
                yield frame
