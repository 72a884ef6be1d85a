"""Render chat templates, and check that tokenizer and template fit the model and show every turn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jinja2 import TemplateError

from unmirage.errors import UserError, one_line
from unmirage.models.conversation import Conversation, Message, messages
from unmirage.records import Turn

_MARK = "unmirage-turn"


def rendered(processor: Any, turns: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
    """Return the text of the turns.

    Raises:
        UserError: the chat template rejects them.
    """
    try:
        text: str = processor.apply_chat_template(list(turns), add_generation_prompt=add_generation_prompt)
    except TemplateError as error:
        roles = ", ".join(turn["role"] for turn in turns)
        raise UserError(f"the chat template rejects the turns {roles}: {one_line(error, 200)}") from error
    return text


def check_turns(processor: Any, asked: Conversation) -> None:
    """Raise `UserError` if the chat template leaves out a turn, changes their order, or has no system role."""
    turns = asked.context
    marks = [f"{_MARK}-{number}." for number in range(len(turns) + 1)]
    told = replace(
        asked,
        text=marks[-1],
        places=(),
        context=tuple(Turn(turn.role, mark) for turn, mark in zip(turns, marks, strict=False)),
    )
    text = rendered(processor, messages(told), add_generation_prompt=True)
    places = [text.find(mark) for mark in marks]
    for turn, place in zip((*turns, Turn("user", "")), places, strict=True):
        if place < 0:
            raise UserError(f"the chat template leaves out the {turn.role} turn; use a model whose template has it")
    if places != sorted(places):
        raise UserError("the chat template changes the order of the turns; use another model")
    if turns[0].role == "system" and text == _as_assistant(processor, told):
        raise UserError(
            "the chat template has no system role: it shows the system prompt as the model's own words; "
            "use another model, or move the text of the system prompt into the query"
        )


def _as_assistant(processor: Any, told: Conversation) -> str:
    """Return the prompt with the system prompt as a turn of the model; "" if the template rejects that."""
    first, *others = told.context
    try:
        turns = messages(replace(told, context=(Turn("assistant", first.text), *others)))
        return rendered(processor, turns, add_generation_prompt=True)
    except UserError:
        return ""


def check_processor(source: str, processor: Any, embeddings: int) -> None:
    """Check that the tokenizer fits the model, and that the chat template shows a text; set a missing padding token.

    Args:
        source: the model, for messages.
        embeddings: number of tokens that the model has embeddings for.

    Raises:
        UserError: no query could be asked, or the model would read something else.
    """
    tokenizer = processor.tokenizer
    # Some families replace the image token before they look up embeddings.
    beyond = {
        token: number
        for token, number in tokenizer.get_vocab().items()
        if number >= embeddings and number != getattr(processor, "image_token_id", None)
    }
    if beyond:
        token, number = max(beyond.items(), key=lambda item: item[1])
        raise UserError(
            f"model '{source}': its tokenizer has token {token!r} with id {number}, but the model has only "
            f"{embeddings} embeddings; call model.resize_token_embeddings(len(tokenizer)) and save it, or use its own "
            "tokenizer"
        )
    if getattr(processor, "chat_template", None) is None:
        raise UserError(f"model '{source}': has no chat template; add its chat_template.jinja to the model directory")
    if any(_prints_parts(processor, picture) for picture in ((), (0,))):
        raise UserError(
            f"model '{source}': its chat template prints the list of content parts instead of their text; "
            "use the template for lists of parts, which vision-language models have"
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # padding is masked, so any token will do


def _prints_parts(processor: Any, places: tuple[int, ...]) -> bool:
    try:
        text = rendered(processor, messages(Conversation(_MARK, places=places)), add_generation_prompt=True)
    except UserError:
        return False  # a template may demand a picture, or refuse it
    return re.search(rf"[\"']text[\"']\s*:\s*[\"']{_MARK}", text) is not None
