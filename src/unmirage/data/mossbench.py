"""Read MOSSBench, harmless queries that models tend to refuse; all have the label "answered".

A record is `{pid, question, image, metadata: {over: "type 1", ...}, ...}`; the file's keys are the pids.
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.dialogue import single_sample
from unmirage.data.rows import Row, shown
from unmirage.records import Sample


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has MOSSBench's fields."""
    metadata = record.get("metadata")
    return "question" in record and isinstance(metadata, dict) and "over" in metadata


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a record."""
    metadata = row.fields.get("metadata")
    if not isinstance(metadata, dict):
        raise row.error(f"field 'metadata' must be an object, not {shown(metadata)}")
    category = row._replace(fields=metadata, part=f"{row.part}, metadata").category("over")
    return [single_sample(row, row.text("question"), refused=False, record=row.optional_name("pid"), category=category)]
