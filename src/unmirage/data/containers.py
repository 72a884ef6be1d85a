"""A file on disk in, its records as rows out, whatever they mean: a JSON list, JSON lines, or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from unmirage.data.rows import Row, shown
from unmirage.errors import UserError

_BY_SUFFIX = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_LONGEST_CELL = 2**30


def read_rows(path: Path, container: str | None = None) -> tuple[str, list[Row]]:
    """Return how the file holds its records ("json", "jsonl" or "csv") and the records.

    Args:
        path: the file.
        container: how to read it; None to tell from its suffix and its first characters.
    """
    text = _read_text(path)
    name = container or _BY_SUFFIX.get(path.suffix.lower()) or _json_kind(text)
    rows = list(READERS[name](text, path))
    if not rows:
        raise UserError(f"{path}: holds no records; valid: at least one record in JSON, JSONL or CSV")
    return name, rows


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name the data file in it (.json, .jsonl or .csv)")
    if not path.exists():
        raise UserError(f"{path}: no such file")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8 text") from None


def _json_kind(text: str) -> str:
    """Tell JSON lines from one JSON document by content: the first line is an object by itself."""
    first = text.lstrip().partition("\n")[0].strip()
    return "jsonl" if first.startswith("{") and first.endswith("}") else "json"


def _read_json(text: str, path: Path) -> Iterator[Row]:
    records = _parse(text, str(path)) if text.strip() else []
    if not isinstance(records, list):
        raise UserError(f"{path}: must hold a JSON list of records, not {shown(records)}")
    for number, record in enumerate(records, 1):
        yield _row(record, f"{path}: record {number} of {len(records)}", number)


def _read_jsonl(text: str, path: Path) -> Iterator[Row]:
    number = 0
    for line_number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            number += 1
            where = f"{path}: line {line_number}"
            yield _row(_parse(line, where), where, number)


def _read_csv(text: str, path: Path) -> Iterator[Row]:
    # Python's own limit of 128 KiB a cell is no protection here, and answers may be longer.
    csv.field_size_limit(_LONGEST_CELL)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) < len(header):
            raise UserError(f"{path}: line 1: two columns have the same name; valid: different names")
        for number, cells in enumerate(filter(None, reader), 1):
            where = f"{path}: line {reader.line_num}"
            if len(cells) != len(header):
                raise UserError(f"{where}: has {len(cells)} of {len(header)} cells")
            yield Row(where, number, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: not CSV ({error})") from None


READERS: dict[str, Callable[[str, Path], Iterator[Row]]] = {
    "json": _read_json,
    "jsonl": _read_jsonl,
    "csv": _read_csv,
}


def _row(record: object, where: str, number: int) -> Row:
    if not isinstance(record, dict):
        raise UserError(f"{where}: must be an object with named fields, not {shown(record)}")
    return Row(where, number, record)


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, " if "\n" in text else ""
        raise UserError(f"{where}: not JSON ({place}column {error.colno}: {error.msg})") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON ({error})") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value; write null")
