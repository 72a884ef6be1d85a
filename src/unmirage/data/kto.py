"""Read answers that are called good or bad, as KTO needs them (TRL, LLaMA-Factory, ms-swift).

The truth value, `label` or `kto_tag`, is about the last answer, not about the query: true means a good answer. The
query is in `messages`, `conversations`, `prompt` or `instruction`.
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.dialogue import Pair, samples_from
from unmirage.data.labels import truth
from unmirage.data.messages import answer_in, prompt_of, said_in
from unmirage.data.rows import Row, shown
from unmirage.data.turns import Said
from unmirage.records import Sample
from unmirage.text.markup import pieces

_TURNS = ("messages", "conversations")
_ANSWERS = ("completion", "output", "response")
_TRUE, _FALSE = "true", "false"  # in text, as CSV files have them


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has a truth value that judges its answer; 1 and 0 are none in `label`."""
    judged = str(record.get("label")).casefold() in (_TRUE, _FALSE) and (
        any(isinstance(record.get(name), list) for name in _TURNS) or {"prompt", "completion"} <= record.keys()
    )
    return judged or truth(record.get("kto_tag")) is not None


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a record. A good answer determines the label; a bad one leaves the query without a label."""
    field = "label" if row.fields.get("kto_tag") is None else "kto_tag"
    good = truth(row.fields.get(field))
    if good is None:
        raise row.error(f"field '{field}' must be true (a good answer) or false, not {shown(row.fields.get(field))}")
    return samples_from(row, _said(row), Pair(good=good))


def _said(row: Row) -> list[Said]:
    if any(name in row.fields for name in _TURNS):
        return [*said_in(row), *answer_in(row, "completion")]
    prompt = prompt_of(row, "prompt", "instruction", "query")
    more = row.optional_text("input") if "instruction" in row.fields else None
    if more is not None:
        prompt = [*prompt[:-1], Said("user", [*prompt[-1].parts, *pieces(f"\n{more}")], row)]
    answer = next((name for name in _ANSWERS if row.fields.get(name)), "completion")
    return [*prompt, *answer_in(row, answer)]
