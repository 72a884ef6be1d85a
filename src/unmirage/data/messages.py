"""Read messages: OpenAI, TRL, axolotl, LLaMA-Factory, ms-swift, FineVision. One sample for each answer.

A record has `messages: [{role, content}, ...]`, or `prompt` and `completion` as such lists, or a list of exchanges:
`conversation: [{human, assistant}]` (ms-swift) or `texts: [{user, assistant}]` (The Cauldron, FineVision). `content` is
text or a list of parts, `{type: "text", text}` and `{type: "image", ...}`. Pictures are in the parts, in the messages,
or in `images` of the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unmirage.data.dialogue import Said, samples_from, turns_in
from unmirage.data.rows import Row
from unmirage.records import Sample
from unmirage.text.markup import pieces

_EXCHANGES = ("conversation", "texts")
_ASKED = ("human", "user")


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has messages."""
    return "messages" in record or isinstance(record.get("prompt"), list) or _exchanges(record) is not None


def samples_of(row: Row) -> list[Sample]:
    """Return the samples of a record in order, numbered `<id>/1`, `<id>/2` if there are several."""
    return samples_from(row, said_in(row))


def said_in(row: Row) -> list[Said]:
    """Return all turns of a record."""
    if "messages" in row.fields:
        return turns_in(row, "messages")
    if "conversations" in row.fields:
        return turns_in(row, "conversations")
    field = _exchanges(row.fields)
    if field is not None:
        return [turn for one in row.parts(field, "exchanges") for turn in _exchange(one)]
    return [*prompt_of(row), *answer_in(row, "completion")]


def prompt_of(row: Row, *names: str) -> list[Said]:
    """Return the turns of a prompt: a list of messages, or one text in the first of these fields (else `prompt`)."""
    field = next((name for name in names or ("prompt",) if row.fields.get(name) not in (None, "")), "prompt")
    if isinstance(row.fields.get(field), list):
        return turns_in(row, field)
    return [Said("user", pieces(row.text(field)), row)]


def answer_in(row: Row, field: str) -> list[Said]:
    """Return the turns of an answer: a list of messages, one message, or text; none if the field is empty."""
    value = row.fields.get(field)
    if value is None or value == "" or value == []:
        return []
    if isinstance(value, dict):
        return turns_in(row._replace(fields={field: [value]}), field)
    return turns_in(row, field) if isinstance(value, list) else [Said("assistant", [row.text(field)], row)]


def _exchanges(record: Mapping[str, object]) -> str | None:
    """Return the field that has a list of exchanges, if any."""
    for name in _EXCHANGES:
        value = record.get(name)
        if isinstance(value, list) and value and isinstance(value[0], dict) and "assistant" in value[0]:
            return name
    return None


def _exchange(one: Row) -> Sequence[Said]:
    field = next((name for name in _ASKED if name in one.fields), _ASKED[0])
    answer = one.optional_text("assistant") or ""
    return Said("user", pieces(one.text(field)), one), Said("assistant", [answer], one)
