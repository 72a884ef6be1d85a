"""LLaVA conversations become samples: one for each human turn, judged by the answer that follows it.

A record is `{id, image?, conversations: [{from: "human", value}, {from: "gpt", value}, ...]}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from unmirage.data.placeholders import without_placeholder
from unmirage.data.rows import Row, shown
from unmirage.records import Sample
from unmirage.text.refusals import is_refusal

_TURNS = "conversations"
_ROLES = {"human": "human", "user": "human", "gpt": "gpt", "assistant": "gpt", "system": "system"}


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record looks like a LLaVA conversation."""
    return _TURNS in record


def read(rows: Sequence[Row]) -> Iterator[Sample]:
    """Yield the samples of all conversations, in order; several turns are numbered `<id>/1`, `<id>/2`."""
    for row in rows:
        exchanges = list(_exchanges(row))
        record = row.identity()
        for number, (query, answer) in enumerate(exchanges, 1):
            yield Sample(
                id=f"{record}/{number}" if len(exchanges) > 1 else record,
                record=record,
                query=without_placeholder(query),
                answer=answer,
                image=row.image(),
                refused=is_refusal(answer),
                label_source="answer",
            )


def _exchanges(row: Row) -> Iterator[tuple[str, str]]:
    """Yield (query, answer) for each human turn."""
    spoken = [(turn, _role(turn)) for turn in _turns(row)]
    dialogue = [(turn, role) for turn, role in spoken if role != "system"]
    if len(dialogue) % 2:
        raise dialogue[-1][0].error("has no answer; every human turn needs a gpt turn after it")
    for (asked, first), (answered, second) in zip(dialogue[::2], dialogue[1::2], strict=True):
        if (first, second) != ("human", "gpt"):
            raise asked.error("human and gpt turns must alternate, human first")
        yield asked.text("value"), answered.text("value")


def _turns(row: Row) -> Iterator[Row]:
    turns = row.fields.get(_TURNS)
    if not isinstance(turns, list) or not turns:
        raise row.error(f"field '{_TURNS}' must be a list of turns, not {shown(turns)}")
    for index, turn in enumerate(turns):
        if not isinstance(turn, dict):
            raise row.error(f"field '{_TURNS}[{index}]' must be an object, not {shown(turn)}")
        yield Row(f"{row.where}, {_TURNS}[{index}]", row.number, turn)


def _role(turn: Row) -> str:
    speaker = turn.text("from")
    if speaker not in _ROLES:
        raise turn.error(f"field 'from' is {shown(speaker)}; valid: {', '.join(_ROLES)}")
    return _ROLES[speaker]
