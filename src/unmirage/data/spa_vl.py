"""SPA-VL rows become samples: the chosen answer is the sample's, and says whether the query is to be refused.

A row is `{image, question, chosen, rejected, class1, class2, class3}`, in the JSON variant with an `id`.
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.placeholders import without_placeholder
from unmirage.data.rows import Row
from unmirage.records import Sample
from unmirage.text.refusals import is_refusal


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record looks like SPA-VL's."""
    return {"question", "chosen", "rejected"} <= record.keys()


def samples_of(row: Row) -> list[Sample]:
    """Return the one sample of a row; rows without an id are numbered from 1."""
    chosen = row.text("chosen")
    record = row.identity()
    return [
        Sample(
            id=record,
            record=record,
            query=without_placeholder(row.text("question")),
            answer=chosen,
            image=row.image(),
            refused=is_refusal(chosen),
            label_source="answer",
            category=row.category("class3", "class2", "class1"),
        )
    ]
