"""Read VLGuard and prebuilt attack sets in its format: one sample for each instruction.

A record is `{id, image, safe, harmful_category?, harmful_subcategory?, "instr-resp": [...]}`; `_SUFFIX` lists the query
keys of its pairs. `group`, of a pair or of a record, is an extension of unmirage; that of the pair takes precedence.
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.dialogue import asked
from unmirage.data.rows import Row, shown
from unmirage.records import Sample

_PAIRS = "instr-resp"
# Suffix of the sample id, by query key.
_SUFFIX = {"instruction": "", "safe_instruction": "/safe", "unsafe_instruction": "/unsafe"}


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has VLGuard's fields."""
    return _PAIRS in record


def samples_of(row: Row) -> list[Sample]:
    """Return the samples of a record, in order; ids may repeat."""
    safe = row.fields.get("safe")
    if not isinstance(safe, bool):
        raise row.error(f"field 'safe' must be true or false, not {shown(safe)}")
    return [_sample(row, pair, safe) for pair in row.parts(_PAIRS, "instructions")]


def _sample(row: Row, pair: Row, safe: bool) -> Sample:
    # A Parquet file has all of the keys, and null in the others.
    key = next((key for key in _SUFFIX if pair.fields.get(key) is not None), None)
    if key is None:
        raise pair.error(f"has no query; valid fields: {', '.join(_SUFFIX)}")
    record = row.identity()
    return Sample(
        id=record + _SUFFIX[key],
        record=record,
        answer=pair.optional_text("response") or "",
        refused=key == "unsafe_instruction" or (key == "instruction" and not safe),
        label_source="field",
        category=row.category("harmful_subcategory", "harmful_category"),
        group=pair.group() or row.group(),
        **asked(pair, pair.text(key), row.image_paths()),
    )
