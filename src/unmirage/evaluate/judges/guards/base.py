"""What a guard model is: the prompt that it was trained on, and the labels in its replies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of a guard model.

    Attributes:
        harmful: whether the response (for a picture guard, the picture) is harmful.
        refused: whether the response is a refusal; None for guards without this label.
        said: labels in the guard's words, for the reason of the verdict.
    """

    harmful: bool
    refused: bool | None
    said: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt to a guard model, as chat turns.

    Attributes:
        text: user turn.
        system: system prompt; "" for none.
        answer: the judged response as the assistant turn, if the guard's chat template takes it from there.
        raw: the whole published prompt, for local models of guards without a chat template of their own.
    """

    text: str
    system: str = ""
    answer: str | None = None
    raw: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A guard model.

    Attributes:
        name: name in `guard:NAME@...`.
        version: version of the prompts, part of the fingerprint. Increment it whenever a prompt or parser changes.
        prompts: function of (query, response) that returns the prompts by name; each gets one reply.
        read: function that returns the labels in a reply without its reasoning; None if the reply is malformed.
        has_refusal: whether the labels say if the response is a refusal.
        max_tokens: maximum new tokens of a reply.
        most_pictures: maximum pictures per prompt; 0 for guards that read only text, None for no limit.
        judges_picture: whether the guard reads only the picture, not the response.
        settings: options that affect the labels, for the fingerprint.
    """

    name: str
    version: int
    prompts: Callable[[str, str], Mapping[str, Prompt]]
    read: Callable[[str], Labels | None]
    has_refusal: bool = False
    max_tokens: int
    most_pictures: int | None = 0
    judges_picture: bool = False
    settings: str = ""


def as_turns(query: str, response: str) -> dict[str, Prompt]:
    """Return the query and response as chat turns, for guards whose own chat template writes the instructions."""
    return {"response": Prompt(query, answer=response)}


def one_word(harmful: str, harmless: str) -> Callable[[str], Labels | None]:
    """Return a parser of replies that consist of one of two words, in any case, with or without a final period."""
    word = re.compile(rf"({harmful}|{harmless})\.?", re.IGNORECASE)

    def read(reply: str) -> Labels | None:
        found = word.fullmatch(reply.strip())
        return None if found is None else Labels(found[1].lower() == harmful.lower(), None, found[1])

    return read
