"""HoliSafe rows become samples; their type says whether the query is to be refused.

A row is `{image, query, type, subcategory}`. The type has a letter each for the picture, the text, and both
together: S for safe, U for unsafe. A safe picture and a safe text may be unsafe together (SSU).
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.placeholders import without_placeholder
from unmirage.data.rows import Row, shown
from unmirage.records import Sample

_TYPES = ("SSS", "SSU", "USU", "SUU", "UUU")


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record looks like HoliSafe's."""
    return "query" in record and record.get("type") in _TYPES


def samples_of(row: Row) -> list[Sample]:
    """Return the one sample of a row; rows without an id are numbered from 1."""
    kind = row.text("type")
    if kind not in _TYPES:
        raise row.error(f"field 'type' is {shown(kind)}; valid: {', '.join(_TYPES)}")
    record = row.identity()
    return [
        Sample(
            id=record,
            record=record,
            query=without_placeholder(row.text("query")),
            answer=row.optional_text("answer", "response") or "",
            image=row.image(),
            refused=kind.endswith("U"),
            label_source="field",
            category=row.category("subcategory", "category"),
        )
    ]
