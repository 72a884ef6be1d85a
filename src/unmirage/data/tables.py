"""Flat tables (JSON lines, a JSON list, CSV) become samples, one a row; columns are named or guessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from unmirage.data.labels import VALID, parse_label
from unmirage.data.rows import Row, shown
from unmirage.errors import UserError, unknown
from unmirage.records import LabelSource, Sample
from unmirage.text.refusals import is_refusal

# Under which names each column is looked for, first come first.
COLUMNS: dict[str, tuple[str, ...]] = {
    "query": ("query", "question", "prompt", "instruction", "text"),
    "answer": ("answer", "response", "output", "completion"),
    "refused": ("refused", "label", "unsafe", "safe", "is_refused", "is_unsafe", "is_safe"),
    "image": ("image", "img", "image_path", "picture"),
    "id": ("id", "sample_id", "question_id"),
    "record": ("record", "record_id"),
    "category": ("category", "harmful_subcategory", "harmful_category"),
    "label_source": ("label_source",),
}

_SOURCES: dict[str, LabelSource] = {"field": "field", "answer": "answer"}


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has a query under one of the usual names."""
    return any(name in record for name in COLUMNS["query"])


def read(rows: Sequence[Row], columns: Mapping[str, str] | None = None) -> Iterator[Sample]:
    """Yield one sample a row, in order.

    Args:
        rows: the table.
        columns: which column holds what, such as {"query": "prompt"}; the rest is guessed by `COLUMNS`.
    """
    names = _resolve(rows, columns or {})
    for row in rows:
        yield _sample(row, names)


def _resolve(rows: Sequence[Row], columns: Mapping[str, str]) -> dict[str, str]:
    """Return the file's column for each of ours; those it lacks keep their own name."""
    present = dict.fromkeys(name for row in rows for name in row.fields)
    for ours, theirs in columns.items():
        if ours not in COLUMNS:
            raise unknown("column", ours, COLUMNS)
        if theirs not in present:
            place = rows[0].where.rpartition(": ")[0]
            raise UserError(f"{place}: has no column {shown(theirs)} for '{ours}'; it has {_listed(present)}")
    guessed = {ours: next((name for name in usual if name in present), ours) for ours, usual in COLUMNS.items()}
    return guessed | dict(columns)


def _sample(row: Row, names: Mapping[str, str]) -> Sample:
    query = row.text(names["query"])
    answer = row.optional_text(names["answer"]) or ""
    identity = row.identity(names["id"])
    refused, source = _label(row, names, answer)
    return Sample(
        id=identity,
        record=row.optional_name(names["record"]) or identity,
        query=query,
        answer=answer,
        image=row.image(names["image"]),
        refused=refused,
        label_source=source,
        category=row.optional_name(names["category"]),
    )


def _label(row: Row, names: Mapping[str, str], answer: str) -> tuple[bool, LabelSource]:
    """Read the label from its column; where that is empty, from the answer."""
    column = names["refused"]
    value = row.fields.get(column)
    if value in (None, ""):
        if not answer:
            raise row.error(f"neither '{column}' nor '{names['answer']}' is filled; one of them must tell the label")
        return is_refusal(answer), "answer"
    refused = parse_label(value, column)
    if refused is None:
        raise row.error(f"field '{column}' is {shown(value)}; valid: {VALID}")
    return refused, _source(row, names["label_source"])


def _source(row: Row, column: str) -> LabelSource:
    stated = row.optional_text(column) or "field"
    if stated not in _SOURCES:
        raise row.error(f"field '{column}' is {shown(stated)}; valid: {', '.join(_SOURCES)}")
    return _SOURCES[stated]


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(shown(name) for name in names)
