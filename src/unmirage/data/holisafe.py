"""Read HoliSafe, whose `type` field gives the label.

A row is `{image, query, type, subcategory}`. The three letters of the type rate the image, the text and their
combination: S for safe, U for unsafe. A safe image and a safe text may be unsafe together (SSU).
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.dialogue import single_sample
from unmirage.data.rows import Row, shown
from unmirage.records import Sample

_TYPES = ("SSS", "SSU", "USU", "SUU", "UUU")


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has HoliSafe's fields."""
    return "query" in record and record.get("type") in _TYPES


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a row; rows without an id are numbered from 1."""
    kind = row.text("type")
    if kind not in _TYPES:
        raise row.error(f"field 'type' is {shown(kind)}; valid: {', '.join(_TYPES)}")
    answer = row.optional_text("answer", "response") or ""
    category = row.category("subcategory", "category")
    return [single_sample(row, row.text("query"), refused=kind.endswith("U"), answer=answer, category=category)]
