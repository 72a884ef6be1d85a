"""Samples to write, with the fields of their records that a `Sample` does not hold."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import date, time
from types import MappingProxyType
from typing import Any, NamedTuple

from unmirage.data.load import shape_of
from unmirage.data.sample_file import SampleFile
from unmirage.data.tables import COLUMNS
from unmirage.records import Dataset, Pictured, Sample

_NOTHING: Mapping[str, object] = MappingProxyType({})
_FIELDS = tuple(field.name for field in fields(Sample))
# Omitted where they are empty.
_OPTIONAL = frozenset({"group", "images", "context", "rejected"})
# What a reader of flat rows takes for a field of ours that is empty.
_TAKEN_FOR = {name: ours for ours in ("query", "answer", "image", "category") for name in COLUMNS[ours]} | {
    name: "context" for ours in ("system", "history") for name in COLUMNS[ours]
}
# What it takes for a judgement of the answer, which our records do not have.
_JUDGES = frozenset(COLUMNS["answer_label"])
PREFIX = "original_"


class Written(NamedTuple):
    """A row to write.

    Attributes:
        others: the fields of its record that the sample does not hold.
        added: fields to add, such as a weight.
    """

    sample: Sample
    others: Mapping[str, object] = _NOTHING
    added: Mapping[str, object] = _NOTHING


def rows_of(data: SampleFile | Dataset) -> Iterator[Written]:
    """Yield the samples of data in order, with the other fields of their records."""
    if isinstance(data, Dataset):
        yield from map(Written, data)
        return
    for samples, others in data.records():
        for sample in samples:
            yield Written(sample, others)


def as_row(one: Sample | Written) -> Written:
    """Return a sample as a row without other fields."""
    return one if isinstance(one, Written) else Written(one)


class FlatRecords:
    """Turns the rows of one file into flat records: the fields of `Sample`, then those of the original record.

    A field of the original record keeps its name, unless a reader would take it for another field or the file for
    another format. Then it gets the prefix "original_", in all later records too.
    """

    def __init__(self) -> None:
        self._renamed: set[str] = set()

    def record(self, one: Sample | Written) -> dict[str, object]:
        """Return the record of a row."""
        sample, others, added = as_row(one)
        record = {name: getattr(sample, name) for name in _FIELDS} | conversation_record(sample)
        record = {name: value for name, value in record.items() if value or name not in _OPTIONAL} | dict(added)
        return with_others(record, others, self._clashes) if others else record

    def _clashes(self, record: Mapping[str, object], name: str, value: object) -> bool:
        plain = name.casefold()  # readers ignore capitals
        ours = _TAKEN_FOR.get(plain)
        is_taken = plain in _FIELDS or plain in _JUDGES or (ours is not None and not record.get(ours))
        if is_taken or shape_of({**record, name: value}):
            self._renamed.add(name)
        return name in self._renamed


def with_others(record: dict[str, object], others: Mapping[str, object], clashes: Any = None) -> dict[str, object]:
    """Return a record with the fields of the original one; those that clash get the prefix "original_".

    Args:
        clashes: called with the record, name and value; tells whether a name that the record lacks clashes too.
    """
    for name, value in others.items():
        own = name
        while own in record or (own == name and clashes is not None and clashes(record, name, value)):
            own = PREFIX + own
        record[own] = value
    return record


def conversation_record(one: Pictured) -> dict[str, object]:
    """Return placed pictures and earlier turns as plain values."""
    turns = [
        {"role": turn.role, "text": turn.text, "images": [placed._asdict() for placed in turn.images]}
        for turn in one.context
    ]
    return {"images": [placed._asdict() for placed in one.images], "context": turns}


def plain(value: Any) -> Any:
    """Return a value of any file as JSON has it: NaN as null, dates as text, bytes in Base64."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, date | time):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return plain(value.tolist())  # of NumPy
    return [plain(one) for one in value] if isinstance(value, list | tuple | set | frozenset) else str(value)
