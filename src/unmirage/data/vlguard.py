"""VLGuard records, and the frozen attack sets of the same shape, become samples: one for each instruction.

A record is `{id, image, safe, harmful_category?, harmful_subcategory?, "instr-resp": [...]}`; see `_SUFFIX`
for the keys that its pairs of query and response have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from unmirage.data.rows import Row, shown
from unmirage.records import Sample

_PAIRS = "instr-resp"
# What the sample's id adds to the record's, by the key of the query.
_SUFFIX = {"instruction": "", "safe_instruction": "/safe", "unsafe_instruction": "/unsafe"}


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record looks like VLGuard's."""
    return _PAIRS in record


def read(rows: Sequence[Row]) -> Iterator[Sample]:
    """Yield the samples of all records, in order; ids may repeat."""
    for row in rows:
        safe = row.fields.get("safe")
        if not isinstance(safe, bool):
            raise row.error(f"field 'safe' must be true or false, not {shown(safe)}")
        for pair in _pairs(row):
            yield _sample(row, pair, safe)


def _pairs(row: Row) -> Iterator[Row]:
    pairs = row.fields.get(_PAIRS)
    if not isinstance(pairs, list) or not pairs:
        raise row.error(f"field '{_PAIRS}' must be a list of instructions, not {shown(pairs)}")
    for index, pair in enumerate(pairs):
        if not isinstance(pair, dict):
            raise row.error(f"field '{_PAIRS}[{index}]' must be an object, not {shown(pair)}")
        yield Row(f"{row.where}, {_PAIRS}[{index}]", row.number, pair)


def _sample(row: Row, pair: Row, safe: bool) -> Sample:
    key = next((key for key in _SUFFIX if key in pair.fields), None)
    if key is None:
        raise pair.error(f"has no query; valid fields: {', '.join(_SUFFIX)}")
    record = row.identity()
    return Sample(
        id=record + _SUFFIX[key],
        record=record,
        query=pair.text(key),
        answer=pair.optional_text("response") or "",
        image=row.image(),
        refused=key == "unsafe_instruction" or (key == "instruction" and not safe),
        label_source="field",
        category=row.optional_text("harmful_subcategory", "harmful_category"),
    )
