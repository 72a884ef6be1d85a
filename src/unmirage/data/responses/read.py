"""Recognize the format of a file of responses, and read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from unmirage.data.images import ImageFolder, Pictures
from unmirage.data.json_text import BOM
from unmirage.data.load import find_source
from unmirage.data.packed import without_packing
from unmirage.data.responses import garak, logs
from unmirage.data.responses.columns import COLUMNS, LEFT_OUT, Names, find_columns, missing
from unmirage.data.responses.given import Given
from unmirage.data.responses.table import Table
from unmirage.data.rows import Row
from unmirage.data.sample_file import Skipped, nothing_left
from unmirage.data.source import Source, strict
from unmirage.errors import UserError
from unmirage.run.files import read_object

FORMATS = ("auto", "rows", "lmms-eval", "vlmevalkit", "inspect", "garak")
_LOOKED_AT = 1_000
_FEW = 20
_PICKLES = (".pkl", ".pickle", ".pt", ".bin")
_RESPONSES = "responses by id"  # a JSON object of texts


@dataclass
class ResponseFile:
    """An iterable of the responses of one file; it can be read once.

    Attributes:
        path, format: the file and the name of its format.
        rows: the records.
        given: returns the responses of a record.
        root: default folder of the pictures.
        pictures: returns the pictures, given their folder.
        about: the columns, and the name of the model where the file has none; one line.
        skip_bad: skip unreadable records.
        has_queries: whether the file tells the queries.
        skipped: the skipped records.
        left_out: what the format's reader leaves out, with counts.
        endings: unknown finish reasons, with counts.
    """

    path: Path
    format: str
    rows: Iterable[Row]
    given: Callable[[Row], Sequence[Given]]
    root: Path
    pictures: Callable[[Path], Pictures] = ImageFolder
    about: str = ""
    skip_bad: bool = False
    has_queries: bool = True
    skipped: Skipped = field(default_factory=Skipped)
    left_out: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Given]:
        for row in self.rows:
            try:
                given = self.given(row)
            except UserError as error:
                if not self.skip_bad:
                    raise
                self.skipped.add(error)
                continue
            yield from given

    def notes(self) -> list[str]:
        """Return what the last reading noticed, one line each."""
        found = [f"{self.path.name}: {count:,} {what}" for what, count in self.left_out.items() if count]
        if self.skipped.count:
            found.append(f"{self.path.name}: {self.skipped.count:,} records skipped; first: {self.skipped.examples[0]}")
        if self.endings:
            names = ", ".join(f"'{name[:40]}'" for name in sorted(self.endings)[:3])
            found.append(
                f"{self.path.name}: {self.endings.total():,} responses have an unknown finish reason ({names}); "
                "they count as finished"
            )
        return found


@dataclass
class _Found:
    """The records of a file in one format, with its columns."""

    format: str
    rows: Iterable[Row]
    preset: Mapping[str, str] = field(default_factory=dict)
    guessed: tuple[str, ...] | None = None
    model: str = ""


def read_responses(
    path: Path,
    format: str = "auto",
    *,
    columns: Mapping[str, str] | None = None,
    model: str = "",
    skip_bad: bool = False,
) -> ResponseFile:
    """Open a file of responses in any format of `FORMATS` except Inspect's.

    Args:
        path: the file.
        format: its format; "auto" recognizes it.
        columns: the file's column for some of ours; "-" leaves one of ours out.
        model: name of the model, for files without a column of models.
        skip_bad: skip unreadable records instead of stopping at the first.

    Raises:
        UserError: the file cannot be read, or its columns are unknown; the message names the file and the fix.
    """
    if path.suffix.lower() in _PICKLES:
        raise UserError(f"{path}: is a pickle, which can run code and is never opened; save it as CSV, JSON or .xlsx")
    skipped, left_out = Skipped(), Counter[str]()
    source = None if _is_workbook(path) else find_source(path)
    whole = _whole(source) if source is not None else None
    records = _records(path, source, whole, skipped.add if skip_bad else strict)
    first = list(islice(records, _LOOKED_AT))
    if not first:
        raise nothing_left(path, skipped)
    found = _found(format, path, first, chain(first, records), whole, left_out)
    rows = iter(found.rows)
    start = list(islice(rows, _LOOKED_AT))
    if not start:
        raise UserError(f"{path}: has no responses in format '{found.format}'")
    names = _names(found, start, columns or {})
    if model and "model" in names:
        raise UserError(
            f"--model {model}: {path} has the models in column '{names['model']}'; leave --model out, or the column: "
            f"--columns model={LEFT_OUT}"
        )
    name = model or found.model or _stem(path)
    said = [f"{path}: {found.format}", str(names)]
    if "model" not in names:
        said.append(f"model '{name}'" + ("" if model else " (--model NAME for another name)"))
    table = Table(names, name, empty_is_missing=source is not None and source.container == "csv")
    return ResponseFile(
        path=path,
        format=found.format,
        rows=chain(start, rows),
        given=table.given,
        root=path.parent if source is None else source.root,
        pictures=ImageFolder if source is None else source.pictures,
        about="; ".join(said),
        skip_bad=skip_bad,
        has_queries="query" in names,
        skipped=skipped,
        left_out=left_out,
        endings=table.endings,
    )


def _is_workbook(path: Path) -> bool:
    return path.suffix.lower() == ".xlsx"


def _stem(path: Path) -> str:
    return without_packing(path.resolve()).stem


def _whole(source: Source) -> dict[str, Any] | None:
    """Return a JSON document that is one object: responses by id, or a log of lmms-eval; None for other files."""
    if source.container not in ("json", "jsonl") or source.path.suffix.lower() != ".json":
        return None
    with source.path.open("rb") as file:
        if not file.read(_FEW).removeprefix(BOM).lstrip().startswith(b"{"):
            return None
    try:
        document = read_object(source.path)
    except UserError:
        return None  # JSONL, or a damaged file, whose reader names the line
    if isinstance(document.get("logs"), list):
        return document
    usual = {*COLUMNS["response"].names, *COLUMNS["response"].others}
    is_row = any(name.casefold() in usual for name in document)
    return (
        document if document and not is_row and all(isinstance(one, str | None) for one in document.values()) else None
    )


def _records(
    path: Path, source: Source | None, whole: Mapping[str, Any] | None, bad: Callable[[UserError], None]
) -> Iterator[Row]:
    if source is None:
        yield from logs.workbook_rows(path)
    elif whole is not None and "logs" in whole:
        yield from logs.logged_rows(whole, path)
    elif whole is not None:
        for number, (name, text) in enumerate(whole.items(), 1):
            yield Row({"id": name, "response": text}, number, str(path), "record", number)
    else:
        with closing(source.rows(bad)) as rows:
            yield from rows


def _found(
    format: str,
    path: Path,
    first: list[Row],
    rows: Iterable[Row],
    whole: Mapping[str, Any] | None,
    left_out: Counter[str],
) -> _Found:
    """Return the records in their format."""
    name = _recognized([row.fields for row in first[:_FEW]]) if format == "auto" else format
    labels = ("unsafe", "category", "group", "thoughts")
    if name == "lmms-eval":
        model = logs.lmms_eval_model(path, whole)
        return _Found(name, logs.lmms_eval_rows(rows, path, left_out), logs.LMMS_EVAL, labels, model)
    if name == "vlmevalkit":
        model = logs.vlmevalkit_model(path)
        return _Found(name, logs.vlmevalkit_rows(rows), logs.VLMEVALKIT, labels, model)
    if name == "garak":
        return _Found(name, garak.garak_rows(rows, left_out), garak.COLUMNS, ())
    if whole is not None:
        return _Found(_RESPONSES, rows, {"id": "id", "response": "response"}, ())
    return _Found(name, rows)


def _recognized(records: list[Mapping[str, object]]) -> str:
    tests = (("garak", garak.is_garak), ("lmms-eval", logs.is_lmms_eval), ("vlmevalkit", logs.is_vlmevalkit))
    return next((name for name, matches in tests if any(map(matches, records))), "rows")


def _names(found: _Found, start: list[Row], columns: Mapping[str, str]) -> Names:
    """Return the columns of a file; it must have responses, and queries unless they are by id."""
    if found.guessed is None:
        names = find_columns(start, columns)
        if "query" not in names and columns.get("query") != LEFT_OUT:
            raise missing("query", start, ", or --columns query=- if the file has no queries")
        chat = "query" in names and any(isinstance(row.fields.get(names["query"]), list) for row in start)
        if "response" not in names and not chat:
            raise missing("response", start)
        return names
    return find_columns(start, columns, found.preset, found.guessed)
