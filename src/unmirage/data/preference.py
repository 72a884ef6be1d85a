"""Read preference pairs, `chosen` and `rejected`: TRL, LLaMA-Factory, ms-swift, HH-RLHF and the like.

The prompt is text (`prompt`, `question`, `query`, `instruction` with `input`), a list of messages, `conversations`, or
the start that both answers share. RLHF-V has question and answers as JSON in `text`. The chosen answer is the sample's
answer, and determines its label if there is no label column; the other one is `Sample.rejected`. The earlier turns of a
conversation are context.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from unmirage.data.dialogue import Pair, samples_from
from unmirage.data.messages import answer_in, prompt_of
from unmirage.data.rows import Row
from unmirage.data.turns import Said, history_in, shared_start, text_of, transcript, turns_in
from unmirage.records import Sample
from unmirage.text.markup import pieces

CHOSEN, REJECTED = "chosen", "rejected"
_SWIFT = ("rejected_response", "rejected_messages", "rejected_conversations")
_TURNS = ("messages", "conversations")
_TEXTS = ("prompt", "question", "query", "instruction")


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has two answers to one query."""
    return {CHOSEN, REJECTED} <= record.keys() or any(record.get(name) for name in _SWIFT) or _inner(record) is not None


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a pair."""
    inner = None if CHOSEN in row.fields else _inner(row.fields)
    before, chosen, rejected = _pair(row if inner is None else row.part_of("text", inner))
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
    chosen, rejected = (_answer(row, name) for name in (CHOSEN, REJECTED))
    same = shared_start(chosen, rejected)
    # A conversation of equal answers is one answer to what precedes it.
    same = min(same, len(chosen) - 1, len(rejected) - 1) if chosen and rejected else 0
    before, chosen, rejected = chosen[:same], chosen[same:], rejected[same:]
    prompt = _prompt(row) if not before or any(row.fields.get(name) for name in (*_TURNS, *_TEXTS)) else []
    if before and prompt:
        # UltraFeedback has the whole chosen conversation in `messages`, and its first query in `prompt`.
        queries = {text_of([turn]).strip() for turn in before if turn.role == "user"}
        if not {text_of([turn]).strip() for turn in prompt if turn.role == "user"} <= queries:
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
    field = next((name for name in _TURNS if name in row.fields), None)
    said = turns_in(row, field) if field else [*_prompt(row), *answer_in(row, "response")]
    other = next((name for name in _SWIFT[1:] if row.fields.get(name)), None)
    if other is None:
        return said, answer_in(row, _SWIFT[0])
    rejected = turns_in(row, other)
    return said, rejected[min(shared_start(said, rejected), len(rejected) - 1) :]


def _answer(row: Row, field: str) -> list[Said]:
    """Return the turns of an answer, which may begin with the conversation before it."""
    value = row.fields.get(field)
    return (transcript(row, value) if isinstance(value, str) else None) or answer_in(row, field)


def _inner(record: Mapping[str, object]) -> dict[str, object] | None:
    """Return the object with a pair that a record has as JSON text; None without."""
    text = record.get("text")
    if not isinstance(text, str) or not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and {CHOSEN, REJECTED} <= found.keys() else None
