"""Read the records of Parquet files, and of Arrow tables in general, in batches."""

from __future__ import annotations

import io
import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate, count
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from unmirage.data.images import ImageFolder, Pictures
from unmirage.data.nested import has_floats, pictures_in, replaced, without_nan
from unmirage.data.rows import Row
from unmirage.data.source import Bad
from unmirage.errors import UserError
from unmirage.run.paths import no_such
from unmirage.run.progress import StepProgress

_BATCH = 256
# Rows with lists of pictures are converted with the bytes of all pictures.
_SMALL_BATCH = 16
_NAME = re.compile(r"row-(\d+)(?:-(\d+)(?:-(\d+))?)?\.png")


def needs_extra(path: Path, error: ImportError) -> UserError:
    """Return the error for a missing optional dependency."""
    return UserError(f"{path}: needs the extra 'data': pip install 'unmirage[data]' ({error})")


class ArrowData(ABC):
    """Records in Arrow tables, which may have columns of embedded images.

    A column of images holds bytes, or structs `{bytes, path}`. An image is named after its row, "row-000012.png"
    (whatever its format), and in a second column with images "row-000012-2.png". A column may also hold images inside
    lists and structs, such as `images` or `messages`: there, the third image of a row is "row-000012-1-3.png", where 1
    is the place of the column among those with images. A row has these names in the places of the images.

    The path that a file stores next to the bytes is ignored: it may be unsafe or repeated. A cell with a path only is
    an image file below the image folder. NaN in a numeric column is an empty cell: pandas has no other in them.

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
        self.kinds = {column.name: column.type for column in schema}
        self.picture_columns = [name for name, kind in self.kinds.items() if pictures_in(kind)]
        self._nested = [name for name in self.picture_columns if pictures_in(self.kinds[name]) == "nested"]
        self._floats = [name for name, kind in self.kinds.items() if has_floats(kind)]
        self.batch_size = _SMALL_BATCH if self._nested else _BATCH

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
        flat = [name for name in self.picture_columns if name not in self._nested]
        for batch in self.batches():
            names = {column: self._names(batch, column, number) for column in flat}
            for index, fields in enumerate(batch.drop_columns(flat).to_pylist()):
                number += 1
                for column in self._floats:
                    fields[column] = without_nan(fields[column])
                for column in self._nested:
                    fields[column] = replaced(fields[column], self.kinds[column], self._namer(number, column))
                fields |= {column: values[index] for column, values in names.items()}
                yield Row(fields, number, source, "row", number)
            if progress:
                progress(number, self.size)
        if progress:
            progress(self.size, self.size)

    def pictures(self, root: Path) -> Pictures:
        """Return the images in the table and below `root`."""
        return EmbeddedPictures(self, self.files(root)) if self.picture_columns else ImageFolder(root)

    def files(self, root: Path) -> Pictures:
        """Return the image files that cells with a path only name."""
        return ImageFolder(root)

    def _names(self, batch: Any, column: str, done: int) -> list[str | None]:
        place = self.picture_columns.index(column)
        ending = f"-{place + 1}.png" if place else ".png"
        there = batch.column(column).is_valid().to_pylist()
        return [f"row-{done + index:06d}{ending}" if full else None for index, full in enumerate(there, 1)]

    def _namer(self, number: int, column: str) -> Callable[[Any], str]:
        """Return a function that gives the next picture of a nested cell its name."""
        place = self.picture_columns.index(column) + 1
        following = count(1)
        return lambda _: f"row-{number:06d}-{place}-{next(following)}.png"


class EmbeddedPictures(Pictures):
    """The images embedded in a table, by the names of `ArrowData`.

    Args:
        data: the table.
        rest: images that handle all other names, and cells with a path only.
    """

    def __init__(self, data: ArrowData, rest: Pictures) -> None:
        super().__init__()
        self._data = data
        self._rest = rest
        # Several threads decode images, but the files of a table must be read by one thread at a time.
        self._reading = Lock()

    def exists(self, relative: str) -> bool:
        """Return whether the table has an image of this name; never raise."""
        found = self._found(relative)
        return self._rest.exists(found) if isinstance(found, str) else found is not None

    def _file(self, relative: str) -> BinaryIO:
        found = self._found(relative)
        if isinstance(found, str):
            return self._rest._file(found)
        if found is None:
            raise UserError(f"image {relative[:200]!r} is not in {self._data.path}; valid: row-000001.png and so on")
        return io.BytesIO(found)

    def _found(self, relative: str) -> bytes | str | None:
        """Return the bytes of an image, or the path of its file; None if the table has no such image."""
        name = _NAME.fullmatch(relative)
        columns = self._data.picture_columns
        if name is None:
            return relative
        row, place, within = int(name[1]), int(name[2] or 1), int(name[3] or 0)
        if not (1 <= row <= self._data.size and 1 <= place <= len(columns)):
            return None
        column = columns[place - 1]
        kind = self._data.kinds[column]
        if (pictures_in(kind) == "nested") != bool(within):
            return None
        with self._reading:
            value = self._data.cell(row - 1, column)
        cells: list[Any] = []
        replaced(value, kind, cells.append)
        cell = cells[max(within, 1) - 1] if len(cells) >= max(within, 1) else None
        content = cell.get("bytes") if isinstance(cell, Mapping) else cell
        path = cell.get("path") if isinstance(cell, Mapping) else None
        return content if isinstance(content, bytes) else path if isinstance(path, str) else None


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
            raise no_such("file", part)
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
        for file in self._files:
            with self._readable():
                yield from file.iter_batches(self.batch_size, columns=_leaves(file.schema, self.picture_columns))

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


def _leaves(schema: Any, pictures: Collection[str]) -> list[str]:
    """Return the leaves of all columns, such as "images.list.element.path", but no bytes next to a path."""
    leaves = [schema.column(index).path for index in range(len(schema))]
    known = set(leaves)
    return [
        leaf
        for leaf in leaves
        if not (
            leaf.partition(".")[0] in pictures
            and leaf.endswith(".bytes")
            and f"{leaf.removesuffix('bytes')}path" in known
        )
    ]
