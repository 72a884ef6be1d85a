"""Read SPA-VL; the chosen answer is the sample's answer and determines its label.

A row is `{image, question, chosen, rejected, class1, class2, class3}`, in the JSON variant with an `id`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from unmirage.data import preference
from unmirage.data.rows import Row
from unmirage.records import Sample


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has SPA-VL's fields, with one text as the chosen answer."""
    return {"question", "chosen", "rejected"} <= record.keys() and not isinstance(record["chosen"], list | dict)


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a row; rows without an id are numbered from 1."""
    row.text("question")
    row.text("chosen")
    category = row.category("class3", "class2", "class1")
    return [replace(sample, category=category) for sample in preference.samples_of(row)]
