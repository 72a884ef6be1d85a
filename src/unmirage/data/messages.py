"""Read messages: OpenAI, TRL, axolotl, LLaMA-Factory, ms-swift, FineVision. One sample for each answer.

A record has `messages: [{role, content}, ...]` (`conversation` in LMSYS-Chat, WildChat and DeepSeek-VL2, `items` in raw
ShareGPT), or `prompt` and `completion` as such lists, or a list of exchanges: `conversation: [{human, assistant}]`
(ms-swift) or `texts: [{user, assistant}]` (The Cauldron, FineVision). `content` is text or a list of parts,
`{type: "text", text}` and `{type: "image", ...}`. Pictures are in the parts, in the messages, or in `images` of the
record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unmirage.data.dialogue import samples_from
from unmirage.data.rows import Row
from unmirage.data.turns import SPEAKERS, Said, transcript, turns_in
from unmirage.records import Sample
from unmirage.text.markup import pieces

_TURNS = ("messages", "conversations")
_OTHER_TURNS = ("conversation", "dialog", "dialogue", "items")
_EXCHANGES = ("conversation", "texts")
_ASKED = ("human", "user")


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has messages."""
    return (
        "messages" in record
        or isinstance(record.get("prompt"), list)
        or _exchanges(record) is not None
        or _turns(record) is not None
    )


def samples_of(row: Row) -> list[Sample]:
    """Return the samples of a record in order, numbered `<id>/1`, `<id>/2` if there are several."""
    return samples_from(row, said_in(row))


def said_in(row: Row) -> list[Said]:
    """Return all turns of a record."""
    field = next((name for name in _TURNS if name in row.fields), None) or _turns(row.fields)
    if field is not None:
        return turns_in(row, field)
    field = _exchanges(row.fields)
    if field is not None:
        return [turn for one in row.parts(field, "exchanges") for turn in _exchange(one)]
    return [*prompt_of(row), *answer_in(row, "completion")]


def prompt_of(row: Row, *names: str) -> list[Said]:
    """Return the turns of a prompt, in the first of these fields (else `prompt`): messages, a transcript, or a text."""
    field = next((name for name in names or ("prompt",) if row.fields.get(name) not in (None, "")), "prompt")
    if isinstance(row.decoded(field), list):
        return turns_in(row, field)
    text = row.text(field)
    said = transcript(row, text) or [Said("user", pieces(text), row)]
    return said[:-1] if said[-1].role == "assistant" and said[-1].parts == [""] else said  # "... Assistant:"


def answer_in(row: Row, field: str) -> list[Said]:
    """Return the turns of an answer: a list of messages, one message, or text; none if the field is empty."""
    value = row.decoded(field)
    if value is None or value == "" or value == []:
        return []
    if isinstance(value, dict):
        return turns_in(row._replace(fields={field: [value]}), field)
    return turns_in(row, field) if isinstance(value, list) else [Said("assistant", [row.text(field)], row)]


def _exchanges(record: Mapping[str, object]) -> str | None:
    """Return the field that has a list of exchanges, if any."""
    return next((name for name in _EXCHANGES if "assistant" in _first_keys(record.get(name))), None)


def _turns(record: Mapping[str, object]) -> str | None:
    """Return the field of a less common name that has a list of turns, if any."""
    return next((name for name in _OTHER_TURNS if not SPEAKERS.isdisjoint(_first_keys(record.get(name)))), None)


def _first_keys(value: object) -> Mapping[str, object]:
    """Return the first object of a list of objects, which may be empty."""
    return value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else {}


def _exchange(one: Row) -> Sequence[Said]:
    field = next((name for name in _ASKED if name in one.fields), _ASKED[0])
    answer = one.optional_text("assistant") or ""
    return Said("user", pieces(one.text(field)), one), Said("assistant", [answer], one)
