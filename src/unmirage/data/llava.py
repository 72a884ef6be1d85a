"""Read LLaVA and ShareGPT conversations: one sample for each answer.

A record is `{id, image?, conversations: [{from: "human", value}, {from: "gpt", value}, ...]}`, also with `images`,
`system`, and the roles of OpenAI. Qwen-VL and InternVL write the same with their own placeholders. `category`, `group`
and a label column are extensions of unmirage.
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.dialogue import samples_from
from unmirage.data.rows import Row
from unmirage.data.turns import turns_in
from unmirage.records import Sample

_TURNS = "conversations"


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record is a conversation."""
    return _TURNS in record


def samples_of(row: Row) -> list[Sample]:
    """Return the samples of a conversation in order, numbered `<id>/1`, `<id>/2` if there are several."""
    return samples_from(row, turns_in(row, _TURNS))
