"""Read flat tables (JSONL, a JSON list, CSV, Parquet): one sample per row, with named or guessed columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from unmirage.data.rows import Row, listed, shown
from unmirage.errors import UserError, unknown
from unmirage.records import LabelSource, Sample
from unmirage.text.refusals import is_refusal

# Accepted names of each column, in order of preference.
COLUMNS: dict[str, tuple[str, ...]] = {
    "query": ("query", "question", "prompt", "instruction", "text"),
    "answer": ("answer", "response", "output", "completion"),
    "refused": ("refused", "label", "unsafe", "safe", "is_refused", "is_unsafe", "is_safe"),
    "image": ("image", "img", "image_path", "picture"),
    "id": ("id", "sample_id", "question_id"),
    "record": ("record", "record_id"),
    "category": ("category", "harmful_subcategory", "harmful_category"),
    "label_source": ("label_source",),
    "group": ("group",),
}

_SOURCES: dict[str, LabelSource] = {"field": "field", "answer": "answer"}


class _Names(NamedTuple):
    """The file's name of each column."""

    query: str
    answer: str
    refused: str
    image: str
    id: str
    record: str
    category: str
    label_source: str
    group: str


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has a query column."""
    return any(name in record for name in COLUMNS["query"])


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a row; columns are guessed from this row alone."""
    return table_reader([row])(row)


def table_reader(first: Sequence[Row], columns: Mapping[str, str] | None = None) -> Callable[[Row], list[Sample]]:
    """Return the `samples_of` function of a table.

    Args:
        first: the table's first rows, which determine the columns present.
        columns: the file's column for each of ours, such as {"query": "prompt"}; others are guessed from `COLUMNS`.
    """
    names = _resolve(first, columns or {})
    return lambda row: [_sample(row, names)]


def _resolve(first: Sequence[Row], columns: Mapping[str, str]) -> _Names:
    """Return the file's column for each of ours; missing ones keep our name."""
    present = dict.fromkeys(name for row in first for name in row.fields)
    for ours, theirs in columns.items():
        if ours not in COLUMNS:
            raise unknown("column", ours, COLUMNS)
        if theirs not in present:
            place = f"{first[0].source}: has no column {shown(theirs)} for '{ours}' in its first {len(first):,} records"
            raise UserError(f"{place}; it has {listed(present)}")
    guessed = {ours: next((name for name in usual if name in present), ours) for ours, usual in COLUMNS.items()}
    return _Names(**(guessed | dict(columns)))


def _sample(row: Row, names: _Names) -> Sample:
    query = row.text(names.query)
    answer = row.optional_text(names.answer) or ""
    identity = row.identity(names.id)
    refused, source = _label(row, names, answer)
    return Sample(
        id=identity,
        record=row.optional_name(names.record) or identity,
        query=query,
        answer=answer,
        image=row.image(names.image),
        refused=refused,
        label_source=source,
        category=row.category(names.category),
        group=row.group(names.group),
    )


def _label(row: Row, names: _Names, answer: str) -> tuple[bool, LabelSource]:
    """Return the label from its column, or from the answer if the column is empty."""
    column = names.refused
    value = row.fields.get(column)
    if value is None or value == "":
        if not answer:
            raise row.error(f"neither '{column}' nor '{names.answer}' is filled; one of them is needed for the label")
        return is_refusal(answer), "answer"
    refused = parse_label(value, column)
    if refused is None:
        raise row.error(f"field '{column}' is {shown(value)}; valid: {VALID}")
    return refused, _source(row, names.label_source)


def _source(row: Row, column: str) -> LabelSource:
    stated = row.optional_text(column) or "field"
    if stated not in _SOURCES:
        raise row.error(f"field '{column}' is {shown(stated)}; valid: {', '.join(_SOURCES)}")
    return _SOURCES[stated]


def parse_columns(text: str) -> dict[str, str]:
    """Return {"query": "prompt", ...} for "query=prompt,..."."""
    named: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        ours, equals, theirs = (piece.strip() for piece in part.partition("="))
        if not (ours and equals and theirs):
            raise UserError(f"--columns: {part!r} is not NAME=COLUMN; valid: query=prompt,answer=output")
        named[ours] = theirs
    return named


_YES = frozenset({"true", "1", "yes", "y", "t"})
_NO = frozenset({"false", "0", "no", "n", "f"})
_REFUSED = frozenset({"refused", "refuse", "refusal", "unsafe", "harmful"})
_ANSWERED = frozenset({"answered", "answer", "complied", "safe", "harmless"})
# In these columns, "yes" means answered.
_INVERTED = frozenset({"safe", "is_safe", "answered"})

VALID = "true, false, 1, 0, yes, no, refused, answered, unsafe, safe"


def parse_label(value: object, column: str) -> bool | None:
    """Return whether a label means "refused"; None if it is invalid.

    Args:
        value: true or false, 1 or 0, or a word of `VALID` in any case.
        column: name of the column; in a column such as "safe", yes and no are inverted.
    """
    if isinstance(value, bool):
        return value != (column.casefold() in _INVERTED)
    word = str(value).strip().casefold()
    if word in _REFUSED or word in _ANSWERED:
        return word in _REFUSED
    if word in _YES or word in _NO:
        return (word in _YES) != (column.casefold() in _INVERTED)
    return None
