"""Read LLaVA conversations: one sample for each human turn, labeled by the answer that follows.

A record is `{id, image?, conversations: [{from: "human", value}, {from: "gpt", value}, ...]}`. `category` and `group`
are extensions of unmirage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from unmirage.data.rows import Row, shown, without_placeholder
from unmirage.records import Sample
from unmirage.text.refusals import is_refusal

_TURNS = "conversations"
_ROLES = {"human": "human", "user": "human", "gpt": "gpt", "assistant": "gpt", "system": "system"}


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record is a LLaVA conversation."""
    return _TURNS in record


def samples_of(row: Row) -> list[Sample]:
    """Return the samples of a conversation in order, numbered `<id>/1`, `<id>/2` if there are several."""
    exchanges = list(_exchanges(row))
    record = row.identity()
    image = row.image()
    category = row.fields.get("category")
    group = row.group()
    return [
        Sample(
            id=f"{record}/{number}" if len(exchanges) > 1 else record,
            record=record,
            query=without_placeholder(query),
            answer=answer,
            image=image,
            refused=is_refusal(answer),
            label_source="answer",
            category=category if isinstance(category, str) and category else None,
            group=group,
        )
        for number, (query, answer) in enumerate(exchanges, 1)
    ]


def _exchanges(row: Row) -> Iterator[tuple[str, str]]:
    """Yield (query, answer) for each human turn."""
    spoken = [(turn, _role(turn)) for turn in row.parts(_TURNS, "turns")]
    dialogue = [(turn, role) for turn, role in spoken if role != "system"]
    if len(dialogue) % 2:
        raise dialogue[-1][0].error("has no answer; every human turn needs a gpt turn after it")
    for (asked, first), (answered, second) in zip(dialogue[::2], dialogue[1::2], strict=True):
        if (first, second) != ("human", "gpt"):
            raise asked.error("human and gpt turns must alternate, human first")
        yield asked.text("value"), answered.text("value")


def _role(turn: Row) -> str:
    speaker = turn.text("from")
    if speaker not in _ROLES:
        raise turn.error(f"field 'from' is {shown(speaker)}; valid: {', '.join(_ROLES)}")
    return _ROLES[speaker]
