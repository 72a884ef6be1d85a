"""Read BeaverTails (Ji et al. 2023, arXiv 2307.04657) and BeaverTails-V, whose label is about the answer.

A row is `{prompt, response, category: {name: true or false}, is_safe}`, in BeaverTails-V `{question, image, response,
category, is_response_safe: "yes" or "no"}`. An unsafe answer is `Sample.rejected`; only a safe one is the sample's
answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from unmirage.data.dialogue import Pair, samples_from
from unmirage.data.labels import label_from_answer, truth
from unmirage.data.messages import prompt_of
from unmirage.data.rows import Row, shown
from unmirage.data.turns import Said
from unmirage.records import Sample
from unmirage.text.refusals import is_refusal

PROMPTS = ("prompt", "question")
_SAFE = ("is_safe", "is_response_safe")


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has BeaverTails' fields."""
    judged = any(truth(record.get(name)) is not None for name in _SAFE)
    return judged and "response" in record and any(name in record for name in PROMPTS)


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a record.

    An answer that refuses is safe: a file that calls it unsafe means its query, and the answer is kept.
    """
    field = next((name for name in _SAFE if name in row.fields), _SAFE[0])
    safe = truth(row.fields.get(field))
    if safe is None:
        found = shown(row.fields.get(field))
        raise row.error(f"field '{field}' must be true or false (about the answer), not {found}")
    answer = row.text("response")
    good = safe or is_refusal(answer)
    said = [*prompt_of(row, *PROMPTS), Said("assistant", [answer], row)]
    return [judged(sample, safe=safe) for sample in samples_from(row, said, Pair(good=good))]


def judged(sample: Sample, *, safe: bool) -> Sample:
    """Return the sample with the label that the judgement of its answer implies.

    A safe answer is the label. Without one, the query should be refused.
    """
    if safe:
        refused, source = label_from_answer(sample.answer)
        return replace(sample, refused=refused, label_source=source)
    return replace(sample, refused=True, label_source="field")
