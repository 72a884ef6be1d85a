"""Read the records of JSON, JSONL and CSV files, also compressed ones, one at a time, independent of their format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from unmirage.data.images import ImageFolder
from unmirage.data.json_text import BOM, DECODER, LONGEST, BadValueError, JsonText, Lines, NotJsonError
from unmirage.data.metered import opened
from unmirage.data.packed import PackedError, without_packing
from unmirage.data.rows import Row, shown
from unmirage.data.source import Bad
from unmirage.errors import UserError
from unmirage.run.paths import FOLDER, kind_of
from unmirage.run.progress import StepProgress

_BY_SUFFIX = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_EXCEL = (".xlsx", ".xls")
_PROSE = (".txt", ".md", ".yaml", ".yml")
_NAME_IT = "name the data file in it (.json, .jsonl, .csv or .parquet)"
_SWAPPED = "name a data file (.json, .jsonl, .csv or .parquet). Are the arguments swapped?"
_GLANCE = 1_000


@dataclass(frozen=True)
class TextFile:
    """A text file of records.

    Attributes:
        path: the file.
        container: "json", "jsonl" or "csv".
    """

    path: Path
    container: str

    @property
    def root(self) -> Path:
        """The folder of the file."""
        return self.path.parent

    def rows(self, bad: Bad, progress: StepProgress | None = None) -> Generator[Row, None, None]:
        """Yield all records in order; call `bad` with the error of each unreadable one."""
        with opened(self.path, progress) as file:
            try:
                yield from READERS[self.container](file, str(self.path), bad)
            except PackedError as error:
                bad(error)

    def pictures(self, root: Path) -> ImageFolder:
        """Return the pictures below `root`."""
        return ImageFolder(root)


def text_file(path: Path, container: str | None = None) -> TextFile:
    """Return the file with its container.

    Args:
        path: the file.
        container: "json", "jsonl" or "csv"; None to detect it from the suffix and the first line.
    """
    if path.is_dir():
        raise UserError(f"{path}: is {kind_of(path)}; {_NAME_IT if kind_of(path) == FOLDER else _SWAPPED}")
    if not container and _suffix(path) in _EXCEL:
        raise UserError(f"{path}: is an Excel file; save it as CSV")
    with opened(path) as file:
        found = container or _BY_SUFFIX.get(_suffix(path))
        start = _start(file).removeprefix(BOM).lstrip()[:1]
        if found is None and start not in (b"", b"{", b"[") and path.suffix.lower() in _PROSE:
            raise UserError(
                f"{path}: is not JSON; save it as JSONL, or as CSV with a header line such as 'query,answer'"
            )
        # Some JSON lists are named .jsonl.
        return TextFile(path, "json" if found == "jsonl" and start == b"[" else found or _json_kind(file))


def _start(file: BinaryIO) -> bytes:
    return file.peek(_GLANCE)[:_GLANCE] if isinstance(file, io.BufferedReader) else b""


def _suffix(path: Path) -> str:
    return without_packing(path).suffix.lower()


def _json_kind(file: BinaryIO) -> str:
    """Return "jsonl" if the first line is a complete JSON object, else "json"."""
    start = b""
    while not start.strip():
        # A JSON list of several GB may be a single line; its beginning is enough.
        start = file.readline(_GLANCE).removeprefix(BOM)
        if not start:
            return "json"
    if not start.lstrip().startswith(b"{"):
        return "json"
    first = start if start.endswith(b"\n") else start + file.readline(LONGEST)
    if not first.rstrip().endswith(b"}"):
        return "json"
    alone = not any(piece.strip() for piece in iter(lambda: file.readline(_GLANCE), b""))
    return "json" if alone and _holds_records(first) else "jsonl"


def _holds_records(line: bytes) -> bool:
    """Return whether the line is an object of records, rather than one record."""
    try:
        record = DECODER.decode(line.decode())
    except (ValueError, RecursionError):
        return False
    return bool(record) and all(isinstance(value, dict) for value in record.values())


def _read_jsonl(file: BinaryIO, source: str, bad: Bad) -> Generator[Row, None, None]:
    number = 0
    lines = Lines(file, source)
    decode = DECODER.decode
    for position, line in enumerate(lines, 1):
        if line.isspace():
            continue
        number += 1
        if lines.problem:
            bad(lines.take_problem())
            continue
        try:
            record = decode(line)
        except (ValueError, RecursionError) as error:
            bad(UserError(f"{source}: line {position}: not JSON ({_reason(error, line)})"))
            continue
        if isinstance(record, dict):
            yield Row(record, number, source, "line", position)
        else:
            bad(UserError(f"{source}: line {position}: must be an object with named fields, not {shown(record)}"))


def _reason(error: ValueError | RecursionError, line: str) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    # The decoder reports missing text behind the line break; report the end of the line.
    return f"column {min(error.pos, len(line.rstrip())) + 1}: {error.msg}"


def _read_csv(file: BinaryIO, source: str, bad: Bad) -> Generator[Row, None, None]:
    # Answers may be longer than Python's default limit of 128 KiB per cell.
    csv.field_size_limit(LONGEST)
    delimiter = _delimiter(file, source)
    lines = Lines(file, source)
    reader = csv.reader(_csv_lines(lines), delimiter=delimiter, strict=True)
    header = _header(reader, lines, source)
    for number, cells in enumerate(_csv_rows(reader), 1):
        if lines.problem:
            bad(lines.take_problem())
        elif isinstance(cells, csv.Error):
            bad(UserError(f"{source}: line {reader.line_num}: not CSV ({cells})"))
        elif len(cells) == len(header):
            yield Row(dict(zip(header, cells, strict=True)), number, source, "line", reader.line_num)
        else:
            bad(UserError(f"{source}: line {reader.line_num}: has {len(cells)} of {len(header)} cells"))


def _delimiter(file: BinaryIO, source: str) -> str:
    """Return what separates the cells: tabs in .tsv files, else commas, or what a header line without commas has."""
    if _suffix(Path(source)) == ".tsv":
        return "\t"
    header = next(iter(_start(file).splitlines()), b"")
    return next((mark for mark in (",", "\t", ";") if mark.encode() in header), ",")


def _csv_rows(reader: Iterator[list[str]]) -> Iterator[list[str] | csv.Error]:
    """Yield non-empty rows and errors; the reader continues after an error."""
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield error
        else:
            if cells:
                yield cells


def _header(reader: Iterator[list[str]], lines: Lines, source: str) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise UserError(f"{source}: line 1: not CSV ({error})") from None
    if lines.problem:
        raise lines.problem
    if len(set(header)) < len(header):
        raise UserError(f"{source}: line 1: two columns have the same name; rename one of them")
    return header


def _csv_lines(lines: Lines) -> Iterator[str]:
    """Yield the lines, also those that end in a carriage return alone."""
    for line in lines:
        if "\r" in line:
            yield from io.StringIO(line, newline="")
        else:
            yield line


_CLOSING = {"[": "]", "{": "}"}


def read_json(file: BinaryIO, source: str, bad: Bad) -> Generator[Row, None, None]:
    """Yield the records of a JSON list, or of an object of objects, `{"7": {...}, "9": {...}}`.

    In an object of objects, the key is the id of a record without one. If the document is truncated or malformed,
    all records before the error are yielded and `bad` is called once.
    """
    text = JsonText(file)
    number = 0
    try:
        for number, (name, value) in enumerate(_items(text, source), 1):
            if isinstance(value, BadValueError):
                bad(UserError(f"{source}: record {number}: {value}"))
            elif isinstance(value, dict):
                fields = value if name is None or value.get("id") not in (None, "") else {**value, "id": name}
                yield Row(fields, number, source, "record", number)
            elif name is None:
                where = f"{source}: record {number}"
                bad(UserError(f"{where}: must be an object with named fields, not {shown(value)}"))
            else:
                raise _no_list(source, {name: value})
    except NotJsonError as error:
        bad(UserError(f"{source}: record {number + 1}: {error}"))


def _items(text: JsonText, source: str) -> Iterator[tuple[str | None, object]]:
    """Yield the key (None in a list) and the value of each record."""
    opening = text.mark()
    if not opening:
        return
    if opening not in _CLOSING:
        raise _no_list(source, _value(text))
    closing = _CLOSING[text.take(opening)]
    if text.mark() == closing:
        text.take(closing)
    else:
        mark = ","
        while mark == ",":
            name = text.name() if closing == "}" else None
            yield name, _value(text)
            mark = text.take("," + closing)
    text.end()


def _value(text: JsonText) -> object:
    try:
        return text.value()
    except BadValueError as error:
        return error


def _no_list(source: str, found: object) -> UserError:
    return UserError(f"{source}: must hold a JSON list of records, not {shown(found)}")


READERS: dict[str, Callable[[BinaryIO, str, Bad], Iterator[Row]]] = {
    "json": read_json,
    "jsonl": _read_jsonl,
    "csv": _read_csv,
}
