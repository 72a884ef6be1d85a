"""The text that a processor passes to its tokenizer for a rendered prompt, and where the prompt's parts are in it.

Processors put image tokens in place of placeholders, and some change more: PaliGemma adds the start token and a line
break, Gemma3 empty lines, Molmo 2 a start token, Idefics 2 a space. What the tokenizer was given tells exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from threading import RLock
from typing import Any

from unmirage.models.conversation import Conversation
from unmirage.models.templates import MARK, render_prompt

_exchange = RLock()  # the next prompts are prepared on a thread of their own


class _Heard:
    """A tokenizer that keeps the texts it is called with."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.texts: list[str] = []

    def __call__(self, text: Any = None, *args: Any, **settings: Any) -> Any:
        self.texts = [text] if isinstance(text, str) else [*text] if text else []
        return self._tokenizer(text, *args, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


@contextmanager
def heard(processor: Any) -> Iterator[_Heard]:
    """Keep the texts of the last call of the processor's tokenizer; for one thread at a time."""
    with _exchange:
        tokenizer = processor.tokenizer
        ear = _Heard(tokenizer)
        processor.tokenizer = ear
        try:
            yield ear
        finally:
            processor.tokenizer = tokenizer


def text_places(processor: Any, asked: Conversation, fed: str, fed_marked: Any) -> list[tuple[int, int]] | None:
    """Return start and end in `fed` of each piece of the query (see `Conversation.texts`); None if unknown.

    Args:
        fed: what the tokenizer was given for the conversation's prompt.
        fed_marked: function that returns the same for another conversation.
    """
    prompt = render_prompt(processor, asked)
    told = asked.saying([f"{MARK}-{number}." for number in range(len(asked.texts))])
    places = _places(asked, prompt, told, render_prompt(processor, told))
    if places is None:
        return None
    after = len(prompt) - _equal(prompt[::-1], fed[::-1])
    if all(start >= after for start, _ in places):
        return [(start + len(fed) - len(prompt), end + len(fed) - len(prompt)) for start, end in places]
    if all(end <= _equal(prompt, fed) for _, end in places):
        return places
    return _places(asked, fed, told, fed_marked(told))


def _equal(one: str, other: str) -> int:
    """Return the length of the common beginning."""
    return next((at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), min(
        len(one), len(other)
    ))  # fmt: skip


def _places(asked: Conversation, text: str, told: Conversation, skeleton: str) -> list[tuple[int, int]] | None:
    """Return where the pieces are in `text`, given `skeleton`, which has the pieces of `told` in their place."""
    found, done, at = [], 0, 0
    for mark, piece in zip(told.texts, asked.texts, strict=True):
        place = skeleton.find(mark, done)
        if place < 0 or not text.startswith(skeleton[done:place], at):
            return None
        at += place - done
        # Some templates strip the query.
        said = piece if text.startswith(piece, at) else piece.strip()
        if not text.startswith(said, at):
            return None
        found.append((at, at + len(said)))
        at, done = at + len(said), place + len(mark)
    return found


def repeated(tokenizer: Any, ids: Sequence[int]) -> set[str]:
    """Return the special tokens of which two stand side by side."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return {str(added[one]) for one, after in pairwise(ids) if one == after and one in added}


def shortened(tokenizer: Any, fed: str, ids: Sequence[int]) -> str:
    """Return the text with one token in place of each run of equal special tokens, which image tokens are.

    What stands around such a run is tokenized the same, because tokenizers never merge across special tokens.
    """
    names = "|".join(map(re.escape, sorted(repeated(tokenizer, ids))))
    return re.sub(rf"({names})\1+", lambda run: run[1], fed) if names else fed
