"""Render chat templates, and check that tokenizer and template fit the model and show every turn."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from jinja2 import TemplateError

from unmirage.errors import UserError, one_line
from unmirage.models.conversation import Conversation, Message, answered, messages
from unmirage.records import Turn
from unmirage.text.thoughts import closed, left_open

MARK = "unmirage-marks-this-place"  # rendered in place of a text, to find what the chat template puts around it

_LISTED = re.compile(rf"[\"']text[\"']\s*:\s*[\"']{MARK}")


def rendered(processor: Any, turns: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
    """Return the text of the turns.

    Raises:
        UserError: the chat template rejects them.
    """
    try:
        text: str = processor.apply_chat_template(list(turns), add_generation_prompt=add_generation_prompt)
    except (TemplateError, TypeError) as error:  # a TypeError: it takes texts, not lists of parts
        roles = ", ".join(turn["role"] for turn in turns)
        raise UserError(f"the chat template rejects the turns {roles}: {one_line(error, 200)}") from error
    return text


def render_prompt(processor: Any, asked: Conversation) -> str:
    """Return the chat prompt up to the start of the response.

    Raises:
        UserError: the chat template rejects the turns, leaves one out, or has no system role.
    """
    if asked.context:
        check_turns(processor, asked)
    return rendered(processor, messages(asked), add_generation_prompt=True)


def render_answer(processor: Any, asked: Conversation, answer: str) -> str:
    """Return what follows the prompt if the model responds `answer`: separator, response, one end token.

    If the prompt opens reasoning, the response closes it first.

    Raises:
        UserError: the chat template does not take the response as a list of content parts.
    """
    prompt = render_prompt(processor, asked)
    whole = rendered(processor, answered(asked, answer))
    before, after = _around(processor, asked)
    if whole.startswith(prompt) and before.startswith(prompt):
        said = whole[len(prompt) :].removesuffix(after)
    elif opening := left_open(prompt):  # the template leaves reasoning out of past responses (DeepSeek-R1)
        said = closed(opening, answer)
    else:  # the template renders a past response differently from the prompt for a new one (LLaVA-OneVision)
        said = answer if not prompt or prompt[-1].isspace() else f" {answer}"
    end = _end_of_turn(processor.tokenizer, after)
    # Some datasets already include the end token, which may be the last of several.
    eos = processor.tokenizer.eos_token
    bare = said.removesuffix(end)
    return (bare.removesuffix(eos) if eos and end.endswith(eos) else bare) + end


def end_token(processor: Any) -> int:
    """Return the id of the token that ends a response in training, by the chat template or the tokenizer.

    Raises:
        UserError: there is none, or the template takes no response.
    """
    end = _accepted(lambda probe: render_answer(processor, probe, ""))
    ids: list[int] = processor.tokenizer(end, add_special_tokens=False)["input_ids"]
    return ids[-1]


def probe_prompt(processor: Any) -> str:
    """Return the prompt of a plain query with the text `MARK`.

    Raises:
        UserError: the chat template rejects it.
    """
    return _accepted(lambda probe: rendered(processor, messages(probe), add_generation_prompt=True))


def _accepted(render: Callable[[Conversation], str]) -> str:
    """Return the text of a query without a picture, or with one if the template demands a picture."""
    try:
        return render(Conversation(MARK))
    except UserError:
        return render(Conversation(MARK, places=(0,)))


def _around(processor: Any, asked: Conversation) -> tuple[str, str]:
    """Return what the chat template puts before and after a response."""
    whole = rendered(processor, answered(asked, MARK))
    if _LISTED.search(whole):
        raise _printed("this model")
    before, _, after = whole.rpartition(MARK)
    return before, after


def _end_of_turn(tokenizer: Any, after: str) -> str:
    """Return the text that ends a response: what the template puts after it, up to the first special token.

    Generation stops there, at the tokenizer's end token or at another one (Gemma3, Idefics3). If special tokens alone
    precede the tokenizer's end token (Cohere2-Vision's end of the response), they belong to the end. Templates without
    any special token (LLaVA-1.5's on the hub) use the tokenizer's end token.
    """
    eos: str = tokenizer.eos_token or ""
    # Gemma's tokenizer lists runs of spaces and line breaks as added tokens.
    every = (eos, *map(str, getattr(tokenizer, "added_tokens_decoder", {}).values()))
    names = {name for name in every if name.strip(" ▁\t\n")}
    ends = [after.index(name) + len(name) for name in names if name in after]
    end = after[: min(ends)] if ends else eos
    if not end:
        raise UserError(
            "tokenizer: has no end token, and neither does the chat template; set eos_token in tokenizer_config.json"
        )
    between, found, _ = after[len(end) :].partition(eos) if ends and eos and eos not in end else ("", "", "")
    return end + between + found if found and _only(names, between) else end


def _only(names: Collection[str], text: str) -> bool:
    """Return whether a text is made of these names alone."""
    return re.fullmatch("(?:" + "|".join(map(re.escape, names)) + ")*", text) is not None


def check_turns(processor: Any, asked: Conversation) -> None:
    """Raise `UserError` if the chat template leaves out a turn, changes their order, or has no system role."""
    turns = asked.context
    marks = [f"{MARK}-{number}." for number in range(len(turns) + 1)]
    told = replace(
        asked,
        text=marks[-1],
        places=(),
        context=tuple(Turn(turn.role, mark) for turn, mark in zip(turns, marks, strict=False)),
    )
    text = rendered(processor, messages(told), add_generation_prompt=True)
    if _LISTED.search(text):
        raise _printed("this model")
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
    """Check that the tokenizer fits the model, and that the chat template shows a text.

    A chat template that only the tokenizer has, and a padding token that is missing or a picture's, are set.

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
        processor.chat_template = getattr(tokenizer, "chat_template", None)  # older models have it only there
    if processor.chat_template is None:
        raise UserError(f"model '{source}': has no chat template; add its chat_template.jinja to the model directory")
    try:
        prompt = probe_prompt(processor)
    except UserError as error:
        raise UserError(f"model '{source}': {error}") from error
    if _LISTED.search(prompt):
        raise _printed(source)
    if tokenizer.pad_token is None or tokenizer.pad_token_id == getattr(processor, "image_token_id", None):
        # Padding is masked, so any token but a picture's will do.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)


def _printed(source: str) -> UserError:
    return UserError(
        f"model '{source}': its chat template prints the list of content parts instead of their text; "
        "use the template for lists of parts, which vision-language models have"
    )
