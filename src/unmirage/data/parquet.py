"""A Parquet file, or a folder of them, in; its records as rows out, read by batches."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

from unmirage.data.arrow import BATCH, ArrowData, needs_extra
from unmirage.errors import UserError

_SUFFIX = ".parquet"


def is_parquet(path: Path) -> bool:
    """Return whether the path names a Parquet file or a folder with some in it."""
    return any(path.glob(f"*{_SUFFIX}")) if path.is_dir() else path.suffix.lower() == _SUFFIX


def parquet_files(path: Path) -> ParquetFiles:
    """Return the file, or the files of the folder in the order of their names, ready to be read."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise needs_extra(path, error) from None
    parts = sorted(path.glob(f"*{_SUFFIX}")) if path.is_dir() else [path]
    files = []
    for part in parts:
        if not part.is_file():
            raise UserError(f"{part}: no such file")
        try:
            files.append(pyarrow.parquet.ParquetFile(part))
        except (pyarrow.ArrowException, OSError) as error:
            raise UserError(f"{part}: is no Parquet file ({first_line(error)})") from None
        if not files[-1].schema_arrow.equals(files[0].schema_arrow):
            raise UserError(f"{part}: has other columns than {parts[0].name}; valid: files of one table")
    return ParquetFiles(path, files)


def first_line(error: BaseException) -> str:
    """Return the first line of the error's text, for an error message of one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class ParquetFiles(ArrowData):
    """The records of `pyarrow.parquet.ParquetFile`s that hold parts of one table."""

    def __init__(self, path: Path, files: list[Any]) -> None:
        ends = list(accumulate(file.metadata.num_rows for file in files))
        root = path if path.is_dir() else path.parent
        super().__init__(path, root, ends[-1], files[0].schema_arrow)
        self._files = files
        self._starts = [0, *ends[:-1]]
        self._group: tuple[tuple[int, int, str], Any] | None = None

    def batches(self) -> Iterator[Any]:
        """Yield the rows by batches, without the bytes of pictures that stand beside a path."""
        columns = [_without_bytes(column) for column in self._files[0].schema_arrow]
        for file in self._files:
            with self._readable():
                yield from file.iter_batches(BATCH, columns=columns)

    def cell(self, index: int, column: str) -> Any:
        """Return the value of one cell. The row group around it is kept, for the next will ask for it too."""
        place = bisect_right(self._starts, index) - 1
        metadata = self._files[place].metadata
        index -= self._starts[place]
        group = 0
        while index >= metadata.row_group(group).num_rows:
            index -= metadata.row_group(group).num_rows
            group += 1
        key = (place, group, column)
        if self._group is None or self._group[0] != key:
            with self._readable():
                self._group = (key, self._files[place].read_row_group(group, columns=[column]).column(0))
        return self._group[1][index].as_py()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        import pyarrow

        try:
            yield
        except (pyarrow.ArrowException, OSError) as error:
            raise UserError(f"{self.path}: is broken or cut short ({first_line(error)})") from None


def _without_bytes(column: Any) -> str:
    kind = column.type
    names = [kind.field(index).name for index in range(kind.num_fields)]
    return f"{column.name}.path" if {"bytes", "path"} == set(names) else str(column.name)
