"""Read preference pairs, `chosen` and `rejected`: TRL, LLaMA-Factory, ms-swift, HH-RLHF and the like.

The prompt is text (`prompt`, `question`, `query`, `instruction` with `input`), a list of messages, `conversations`, or
the start that both answers share. The chosen answer is the sample's answer, and determines its label if there is no
label column; the other one is `Sample.rejected`. The earlier turns of a conversation are context.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from unmirage.data.dialogue import Pair, Said, history_in, samples_from, shared_start, text_of, turns_in
from unmirage.data.messages import answer_in, prompt_of
from unmirage.data.rows import Row
from unmirage.records import Role, Sample
from unmirage.text.markup import pieces

CHOSEN, REJECTED = "chosen", "rejected"
_SWIFT = ("rejected_response", "rejected_messages")
_TURNS = ("messages", "conversations")
_TEXTS = ("prompt", "question", "query", "instruction")
_HH = re.compile(r"\s*\n\n(Human|Assistant):\s?")
_HH_ROLES: Mapping[str, Role] = {"Human": "user", "Assistant": "assistant"}


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has two answers to one query."""
    return {CHOSEN, REJECTED} <= record.keys() or any(record.get(name) for name in _SWIFT)


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a pair."""
    before, chosen, rejected = _pair(row)
    for name, answer in ((CHOSEN, chosen), (REJECTED, rejected)):
        if not answer:
            raise row.error(f"field '{name}' is empty or missing; a pair needs both answers")
    if len(chosen) != 1 or chosen[0].role != "assistant" or any(turn.role != "assistant" for turn in rejected):
        raise row.error(f"'{CHOSEN}' and '{REJECTED}' must be one answer each to the same query")
    return samples_from(row, [*before, *chosen], Pair(rejected=text_of(rejected)))


def _pair(row: Row) -> tuple[Sequence[Said], Sequence[Said], Sequence[Said]]:
    """Return the prompt, the chosen and the rejected answer."""
    if CHOSEN not in row.fields:
        said, rejected = _swift(row)
        return said[:-1], said[-1:], rejected
    chosen, rejected = (_hh(row, name) or answer_in(row, name) for name in (CHOSEN, REJECTED))
    same = shared_start(chosen, rejected)
    # A conversation of equal answers is one answer to what precedes it.
    same = min(same, len(chosen) - 1, len(rejected) - 1) if chosen and rejected else 0
    before, chosen, rejected = chosen[:same], chosen[same:], rejected[same:]
    prompt = _prompt(row) if not before or any(row.fields.get(name) for name in (*_TURNS, *_TEXTS)) else []
    if before and prompt:
        asked = text_of(prompt), text_of(before[-len(prompt) :])
        if asked[0] != asked[1]:
            raise row.error("the prompt differs from the start of the chosen answer; remove one of them")
        prompt = []
    return [*prompt, *before], chosen, rejected


def _prompt(row: Row) -> list[Said]:
    field = next((name for name in _TURNS if row.fields.get(name)), None)
    if field is not None:
        return turns_in(row, field)
    prompt = prompt_of(row, *_TEXTS)
    more = row.optional_text("input") if "instruction" in row.fields else None
    if more is not None:
        prompt = [Said("user", pieces(f"{text_of(prompt)}\n{more}"), row)]
    return [*history_in(row), *prompt]


def _swift(row: Row) -> tuple[list[Said], list[Said]]:
    said = turns_in(row, "messages") if "messages" in row.fields else [*_prompt(row), *answer_in(row, "response")]
    if row.fields.get(_SWIFT[1]):
        rejected = turns_in(row, _SWIFT[1])
        return said, rejected[shared_start(said, rejected) :]
    return said, answer_in(row, _SWIFT[0])


def _hh(row: Row, field: str) -> list[Said] | None:
    """Return the turns of a text with the markers of HH-RLHF, "\\n\\nHuman: ... \\n\\nAssistant: ..."; None without."""
    value = row.fields.get(field)
    if not isinstance(value, str) or not _HH.match(value):
        return None
    parts = _HH.split(value)[1:]
    turns = zip(parts[::2], parts[1::2], strict=True)
    return [
        Said(role := _HH_ROLES[name], pieces(text.strip()) if role == "user" else [text.strip()], row)
        for name, text in turns
    ]
