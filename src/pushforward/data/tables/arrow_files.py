"""Tables in parquet and feather files, through pyarrow."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
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


class ArrowTable(Table):
    """What parquet and feather share: arrow tables that become pandas frames."""

    path: Path
    schema: Any

    @property
    def columns(self) -> list[str | int]:
        return list(self.schema.empty_table().to_pandas().columns)

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
        for name, dtype in self.gaps.items():
            if isinstance(frame[name].dtype, np.dtype):
                nullable = pd.api.types.pandas_dtype(dtype)
                column = table[name].to_pandas(types_mapper=lambda _, found=nullable: found)
                frame[name] = column.set_axis(frame.index)
        return frame


class ParquetTable(ArrowTable):
    """A parquet file, or the parts of one table in a folder."""

    def __init__(self, path: Path, parts: Sequence[Path]) -> None:
        self.path, self._parts = path, parts
        self._arrow = need_pyarrow(path)
        metadata = [self._read(part, lambda file: file.metadata) for part in parts]
        self.schema = self._read(parts[0], lambda file: file.schema_arrow)
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
        try:
            with self._arrow.parquet.ParquetFile(part) as file:
                return get(file)
        except (self._arrow.ArrowException, OSError) as error:
            raise unreadable(part, error) from error

    def _has_null(self, name: str) -> bool:
        for metadata in self._metadata:
            names = [metadata.schema.column(i).path for i in range(metadata.num_columns)]
            for group in range(metadata.num_row_groups):
                found = metadata.row_group(group).column(names.index(name)).statistics
                if found is None or found.null_count is None or found.null_count:
                    return True
        return False

    def read(self) -> Any:
        tables = [self._read(part, lambda file: file.read()) for part in self._parts]
        return self._frame(self._arrow.concat_tables(tables))

    def _batches(self, n_rows: int) -> Iterator[Any]:
        for part in self._parts:
            try:
                # pre-buffering would keep the whole file, no buffer a whole row group in memory
                options: dict[str, Any] = {"pre_buffer": False, "buffer_size": 1 << 20}
                with self._arrow.parquet.ParquetFile(part, **options) as file:
                    for batch in file.iter_batches(batch_size=n_rows):
                        yield self._frame(self._arrow.Table.from_batches([batch]))
            except (self._arrow.ArrowException, OSError) as error:
                raise unreadable(part, error) from error


class FeatherTable(ArrowTable):
    """A feather (arrow file) table, memory-mapped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._arrow = need_pyarrow(path)
        with self._open() as file:
            self.schema = file.schema
        self.n_rows = sum(batch.num_rows for batch in self._record_batches())

    def _open(self) -> Any:
        try:
            return self._arrow.ipc.open_file(self._arrow.memory_map(str(self.path)))
        except (self._arrow.ArrowException, OSError) as error:
            raise unreadable(self.path, error) from error

    def _record_batches(self) -> Iterator[Any]:
        with self._open() as file:
            for i in range(file.num_record_batches):
                try:
                    yield file.get_batch(i)
                except (self._arrow.ArrowException, OSError) as error:
                    raise unreadable(self.path, error) from error

    def _has_null(self, name: str) -> bool:
        return any(batch.column(name).null_count for batch in self._record_batches())

    def read(self) -> Any:
        batches = list(self._record_batches())
        return self._frame(self._arrow.Table.from_batches(batches, self.schema))

    def _batches(self, n_rows: int) -> Iterator[Any]:
        for batch in self._record_batches():
            table = self._arrow.Table.from_batches([batch])
            for start in range(0, table.num_rows, n_rows):
                yield self._frame(table.slice(start, n_rows))
