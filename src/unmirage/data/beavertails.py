"""Read BeaverTails (Ji et al. 2023, arXiv 2307.04657), whose label is about the answer.

A row is `{prompt, response, category: {name: true or false}, is_safe}`. An unsafe answer is `Sample.rejected`; only a
safe one is the sample's answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from unmirage.data.dialogue import Pair, Said, samples_from
from unmirage.data.labels import label_from_answer
from unmirage.data.rows import Row, shown
from unmirage.records import Sample
from unmirage.text.markup import pieces
from unmirage.text.refusals import is_refusal
from unmirage.text.thoughts import final_answer


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has BeaverTails' fields."""
    return {"prompt", "response"} <= record.keys() and isinstance(record.get("is_safe"), bool)


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a record.

    An answer that refuses is safe: a file that calls it unsafe means its query, and the answer is kept.
    """
    safe = row.fields.get("is_safe")
    if not isinstance(safe, bool):
        raise row.error(f"field 'is_safe' must be true or false (about the answer), not {shown(safe)}")
    answer = row.text("response")
    good = safe or is_refusal(final_answer(answer))
    said = [Said("user", pieces(row.text("prompt")), row), Said("assistant", [answer], row)]
    return [judged(sample, safe=safe) for sample in samples_from(row, said, Pair(good=good))]


def judged(sample: Sample, *, safe: bool) -> Sample:
    """Return the sample with the label that the judgement of its answer implies.

    A safe answer is the label. Without one, the query should be refused.
    """
    if safe:
        refused, source = label_from_answer(sample.answer)
        return replace(sample, refused=refused, label_source=source)
    return replace(sample, refused=True, label_source="field")
