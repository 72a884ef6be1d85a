"""Documents: the JSON files that the package writes and reads, and results, which also show themselves.

Each document is one frozen dataclass with a `schema` field. pydantic derives the writer, the reader and the published
JSON Schema from it.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError, WrapSerializer

from unmirage.errors import UserError, unknown
from unmirage.run.files import naming, read_json, write_json_atomic
from unmirage.run.paths import RUN_FILE, no_such, quoted
from unmirage.text.printable import clean

# Documents by name. Strings, so that a document is imported only when it is needed.
DOCUMENTS = {
    "align": "unmirage.workflows.align.AlignSummary",
    "align-plan": "unmirage.align.estimate.result.Estimate",
    "audit": "unmirage.audit.result.AuditResult",
    "base-training": "unmirage.testbed.documents.BaseTraining",
    "calibration": "unmirage.evaluate.calibration.JudgeCalibration",
    "card": "unmirage.workflows.cards.Card",
    "convert": "unmirage.models.conversion.Conversion",
    "demo-full": "unmirage.testbed.documents.FullDemo",
    "explain": "unmirage.attack.documents.Explanation",
    "graft": "unmirage.models.graft.document.Graft",
    "lmms-eval": "unmirage.evaluate.lmms_eval.LmmsResults",
    "methods": "unmirage.testbed.documents.MethodsComparison",
    "overlap": "unmirage.workflows.overlaps.RunOverlap",
    "prepare": "unmirage.prepare.document.Prepared",
    "pretrained": "unmirage.pretrained.documents.PretrainedStudy",
    "relearning": "unmirage.testbed.documents.Relearning",
    "results": "unmirage.evaluate.results.Results",
    "search": "unmirage.attack.documents.SearchResult",
    "settings-search": "unmirage.testbed.documents.SettingsChoice",
    "truth": "unmirage.evaluate.judges.exact.Truth",
    "unlearning-settings": "unmirage.evaluate.unlearning_settings.UnlearningSettings",
}
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}
_MOST_ROWS = 16
_LONGEST_CELL = 40

Row = Mapping[str, Any]


def without_none(*names: str) -> WrapSerializer:
    """Return the annotation of an object whose document lacks these fields where they are None."""

    def write(value: Any, handler: Any) -> dict[str, Any]:
        return {key: item for key, item in handler(value).items() if item is not None or key not in names}

    return WrapSerializer(write)


def document_of(name: str) -> type[Document]:
    """Return the class of a document.

    Raises:
        UserError: no document has this name.
    """
    if name not in DOCUMENTS:
        raise unknown("document", name, DOCUMENTS)
    module, _, own = DOCUMENTS[name].rpartition(".")
    found: type[Document] = getattr(import_module(module), own)
    return found


class Document:
    """Base of the documents. Types are strict; unknown fields from later versions are ignored.

    Attributes:
        FILE: usual name of the file.
        WRITER: command that writes it.
    """

    __slots__ = ()
    __pydantic_config__ = ConfigDict(strict=True, allow_inf_nan=False)
    FILE: ClassVar[str]
    WRITER: ClassVar[str]

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the document in a file.

        Raises:
            UserError: the file is missing, or is no such document. The message names the file and the field.
        """
        if not Path(path).is_file():
            raise no_such("file", path, f"write it with `{cls._writer(Path(path))}`")
        return cls.read(read_json(Path(path)), str(path))

    @classmethod
    def _writer(cls, path: Path) -> str:
        """Return the command that writes a file, with the run directory that the file is missing from."""
        in_run = path.name == cls.FILE and (path.parent / RUN_FILE).is_file()
        return re.sub(r"\bRUN\b", lambda _: quoted(path.parent), cls.WRITER) if in_run else cls.WRITER

    @classmethod
    def schema_name(cls) -> str:
        """Return the value of the field `schema`, such as "unmirage.audit/3"."""
        (schema,) = (one.default for one in fields(cls) if one.name == "schema")  # type: ignore[arg-type]
        return str(schema)

    @classmethod
    def read(cls, document: Any, where: str = "") -> Self:
        """Return the object of a document. Null is the same as a missing field.

        Args:
            document: JSON values.
            where: names the document in errors; "" for its usual file.

        Raises:
            UserError: the document is of another kind, or a field is wrong.
        """
        schema = cls.schema_name()
        where = where or cls.FILE
        found = document.get("schema") if isinstance(document, Mapping) else None
        if found != schema:
            named = "schema is missing" if found is None else f"schema is {clean(repr(found), 60)}"
            raise UserError(f"{where}: {named}; valid: '{schema}', written by `{cls.WRITER}`")
        try:
            checked: Self = _validated(cls, document)
            return checked
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = clean(".".join(map(str, first["loc"])), 200)
            raise UserError(f"{where}: {place}: {first['msg']} (schema {schema})".replace("\n", " ")) from None

    def to_dict(self) -> dict[str, Any]:
        """Return the document as plain JSON values."""
        return dumped(self)

    def save(self, path: str | Path) -> Path:
        """Write the document as JSON, atomically, and return its path."""
        with naming(Path(path)):
            write_json_atomic(Path(path), self.to_dict())
        return Path(path)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the document."""
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_adapter(cls).json_schema()}


def _adapter(kind: type) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _validated(kind: type, document: Any) -> Any:
    """Validate a document; if that fails, do so again without the fields that may be missing and are null."""
    try:
        return parsed(kind, document)
    except ValidationError as error:
        copy = json.loads(json.dumps(document))
        nulls = [one["loc"] for one in error.errors(include_url=False) if one["input"] is None]
        for place in nulls:
            with suppress(LookupError, TypeError):  # the place of a union's member ends with its name
                _remove(copy, place)
        try:
            return parsed(kind, copy)
        except ValidationError as other:
            raise (error if other.errors()[0]["loc"] in nulls else other) from None


def _remove(document: Any, place: Sequence[int | str]) -> None:
    *outer, name = place
    for key in outer:
        document = document[key]
    del document[name]


def dumped(part: Any) -> dict[str, Any]:
    """Return the JSON values of a document or of a part of one."""
    found: dict[str, Any] = _adapter(type(part)).dump_python(part, mode="json")
    return found


def parsed(kind: type, document: Any) -> Any:
    """Return the object of a document or of a part of one; raise `ValidationError` if a field is wrong."""
    # JSON turns arrays into tuples and names into enums, which strict validation of Python objects does not.
    text = json.dumps(document, ensure_ascii=False)
    return _adapter(kind).validate_json(text.encode("utf-8", "replace"))


class Shown(ABC):
    """Base of objects that show themselves as a short table, in a terminal and in a notebook."""

    __slots__ = ()

    @abstractmethod
    def heading(self) -> str:
        """Return a one-line title of the result."""

    @abstractmethod
    def summary(self) -> Sequence[Row]:
        """Return the rows of the short table; all rows have the same columns."""

    def __repr__(self) -> str:
        shown, more = self._shown()
        lines = [clean(self.heading()), *_aligned(shown)]
        return "\n".join([*lines, f"... and {more:,} more"] if more else lines)

    def _repr_html_(self) -> str:
        shown, more = self._shown()
        head = "".join(f"<th>{escape(name)}</th>" for name in shown[0]) if shown else ""
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row.values()) + "</tr>" for row in shown
        )
        rest = f"<p>and {more:,} more</p>" if more else ""
        title = escape(clean(self.heading()))
        return f"<p>{title}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"

    def _shown(self) -> tuple[Sequence[Row], int]:
        rows = self.summary()
        return rows[:_MOST_ROWS], max(0, len(rows) - _MOST_ROWS)


class Result(Document, Shown):
    """Base of the objects that the public functions return."""

    __slots__ = ()

    @abstractmethod
    def rows(self) -> Sequence[Row]:
        """Return the rows of the data frame; all rows have the same columns."""

    def to_frame(self) -> Any:
        """Return the result as a pandas data frame.

        Raises:
            UserError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UserError("to_frame: pandas is not installed. Install it: pip install pandas") from None
        return pandas.DataFrame(self.rows())


def _cell(value: Any) -> str:
    if value is None:
        return "n/a"
    text = f"{value:.3f}" if isinstance(value, float) else " ".join(clean(str(value)).split())
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 3]}..."


def _aligned(rows: Sequence[Row]) -> list[str]:
    """Return the lines of a table with its header; numbers are right-aligned."""
    if not rows:
        return []
    names = list(rows[0])
    cells = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(names))]
    numeric = [all(row[name] is None or isinstance(row[name], int | float) for row in rows) for name in names]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in cells
    ]
