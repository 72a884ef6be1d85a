"""Read the records of Parquet files, and of Arrow tables in general, in batches."""

from __future__ import annotations

import io
import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from unmirage.data.images import ImageFolder, Pictures
from unmirage.data.rows import Row
from unmirage.data.source import Bad
from unmirage.errors import UserError
from unmirage.run.progress import StepProgress

BATCH = 256
_NAME = re.compile(r"row-(\d+)(?:-(\d+))?\.png")


def needs_extra(path: Path, error: ImportError) -> UserError:
    """Return the error for a missing optional dependency."""
    return UserError(f"{path}: needs the extra 'data': pip install 'unmirage[data]' ({error})")


class ArrowData(ABC):
    """Records in Arrow tables, which may have columns of embedded images.

    An image is named after its row, "row-000012.png" (whatever its format), and in a second image column
    "row-000012-2.png". The path that a file stores next to the bytes is ignored: it may be unsafe or repeated.

    Args:
        path: location of the data, as given by the user.
        root: folder of images that are not in the table.
        size: number of rows.
        schema: the columns, a `pyarrow.Schema`.
    """

    container = "parquet"

    def __init__(self, path: Path, root: Path, size: int, schema: Any) -> None:
        self.path = path
        self.root = root
        self.size = size
        self.picture_columns = [column.name for column in schema if _holds_pictures(column.type)]

    @abstractmethod
    def batches(self) -> Iterator[Any]:
        """Yield the rows in order, as tables or record batches, possibly without image bytes."""

    @abstractmethod
    def cell(self, index: int, column: str) -> Any:
        """Return the value of one cell; `index` counts from 0."""

    def rows(self, bad: Bad, progress: StepProgress | None = None) -> Generator[Row, None, None]:  # noqa: ARG002
        """Yield the records; as columns are typed, none is unreadable and `bad` is unused."""
        number = 0
        source = str(self.path)
        for batch in self.batches():
            names = {column: self._names(batch, column, number) for column in self.picture_columns}
            for index, fields in enumerate(batch.drop_columns(self.picture_columns).to_pylist()):
                fields |= {column: values[index] for column, values in names.items()}
                number += 1
                yield Row(fields, number, source, "row", number)
            if progress:
                progress(number, self.size)
        if progress:
            progress(self.size, self.size)

    def pictures(self, root: Path) -> Pictures:
        """Return the images in the table, or those below `root` if no column has images."""
        return EmbeddedPictures(self) if self.picture_columns else ImageFolder(root)

    def _names(self, batch: Any, column: str, done: int) -> list[str | None]:
        place = self.picture_columns.index(column)
        ending = f"-{place + 1}.png" if place else ".png"
        there = batch.column(column).is_valid().to_pylist()
        return [f"row-{done + index:06d}{ending}" if full else None for index, full in enumerate(there, 1)]


class EmbeddedPictures(Pictures):
    """The images embedded in a table, by the names of `ArrowData`."""

    def __init__(self, data: ArrowData) -> None:
        super().__init__()
        self._data = data
        # Several threads decode images, but the files of a table must be read by one thread at a time.
        self._reading = Lock()

    def exists(self, relative: str) -> bool:
        """Return whether the table has an image of this name; never raise."""
        return self._bytes(relative) is not None

    def _file(self, relative: str) -> BinaryIO:
        content = self._bytes(relative)
        if content is None:
            raise UserError(f"image {relative[:200]!r} is not in {self._data.path}; valid: row-000001.png and so on")
        return io.BytesIO(content)

    def _bytes(self, relative: str) -> bytes | None:
        name = _NAME.fullmatch(relative)
        columns = self._data.picture_columns
        if name is None or not (1 <= int(name[1]) <= self._data.size and 1 <= int(name[2] or 1) <= len(columns)):
            return None
        with self._reading:
            cell = self._data.cell(int(name[1]) - 1, columns[int(name[2] or 1) - 1])
        content = cell.get("bytes") if isinstance(cell, Mapping) else cell
        return content if isinstance(content, bytes) else None


def _holds_pictures(kind: Any) -> bool:
    """Return whether a column has images: bytes, or a struct `{bytes, path}`."""
    import pyarrow.types as types

    if types.is_struct(kind):
        return any(kind.field(index).name == "bytes" for index in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


_SUFFIX = ".parquet"


def is_parquet(path: Path) -> bool:
    """Return whether the path is a Parquet file or a folder that contains some."""
    return any(path.glob(f"*{_SUFFIX}")) if path.is_dir() else path.suffix.lower() == _SUFFIX


def parquet_files(path: Path) -> ParquetFiles:
    """Open a Parquet file, or all in a folder in alphabetical order."""
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
            raise UserError(f"{part}: is not a Parquet file ({first_line(error)})") from None
        if not files[-1].schema_arrow.equals(files[0].schema_arrow):
            raise UserError(f"{part}: its columns differ from those of {parts[0].name}; use one folder per table")
    return ParquetFiles(path, files)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class ParquetFiles(ArrowData):
    """The records of several `pyarrow.parquet.ParquetFile`s with the same columns."""

    def __init__(self, path: Path, files: list[Any]) -> None:
        ends = list(accumulate(file.metadata.num_rows for file in files))
        root = path if path.is_dir() else path.parent
        super().__init__(path, root, ends[-1], files[0].schema_arrow)
        self._files = files
        self._starts = [0, *ends[:-1]]
        self._group: tuple[tuple[int, int, str], Any] | None = None

    def batches(self) -> Iterator[Any]:
        """Yield the rows in batches; images with a path are read without their bytes."""
        columns = [_without_bytes(column) for column in self._files[0].schema_arrow]
        for file in self._files:
            with self._readable():
                yield from file.iter_batches(BATCH, columns=columns)

    def cell(self, index: int, column: str) -> Any:
        """Return the value of one cell. Its row group is cached for the next call."""
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
            raise UserError(f"{self.path}: is damaged or truncated ({first_line(error)})") from None


def _without_bytes(column: Any) -> str:
    kind = column.type
    names = [kind.field(index).name for index in range(kind.num_fields)]
    return f"{column.name}.path" if {"bytes", "path"} == set(names) else str(column.name)
