"""MOSSBench records become samples: harmless queries that models refuse too often, so none is to be refused.

A record is `{pid, question, image, metadata: {over: "type 1", ...}, ...}`; the file names each by its pid.
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.placeholders import without_placeholder
from unmirage.data.rows import Row, shown
from unmirage.records import Sample


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record looks like MOSSBench's."""
    metadata = record.get("metadata")
    return "question" in record and isinstance(metadata, dict) and "over" in metadata


def samples_of(row: Row) -> list[Sample]:
    """Return the one sample of a record."""
    metadata = row.fields.get("metadata")
    if not isinstance(metadata, dict):
        raise row.error(f"field 'metadata' must be an object, not {shown(metadata)}")
    record = row.optional_name("pid") or row.identity()
    return [
        Sample(
            id=record,
            record=record,
            query=without_placeholder(row.text("question")),
            image=row.image(),
            refused=False,
            label_source="field",
            category=row._replace(fields=metadata, part=f"{row.part}, metadata").category("over"),
        )
    ]
