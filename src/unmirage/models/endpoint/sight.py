"""Notice a server that drops pictures without an error: with and without one, a prompt then has as many tokens.

`transformers serve` does so for a language model, and gateways do so for models that they take for language models.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from unmirage.models.endpoint.chat import Chat, ChatFailure, has_pictures
from unmirage.models.endpoint.completion import Completion

log = logging.getLogger(__name__)
_TEMPLATE = 400  # most tokens of a chat template with its default system prompt


class Sight:
    """Asks once, after the first response to a query with a picture, whether the picture was in the prompt."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._is_open = True
        self._lock = threading.Lock()

    def check(self, turns: Sequence[Mapping[str, Any]], found: Completion, stop: threading.Event) -> None:
        """Repeat a request without its pictures if its token count leaves open whether they were read."""
        with self._lock:
            if not self._is_open or not has_pictures(turns) or found.ended.is_block:
                return
            self._is_open = False
        words, most = _text_tokens(turns)
        if found.prompt_tokens is None or not words <= found.prompt_tokens <= most:
            return  # the server does not count tokens, or counts more than the text can have
        try:
            blind = self._chat.complete([*_without_pictures(turns)], 1, stop=stop).prompt_tokens
        except ChatFailure as failure:
            self._note(f"not checked whether the server reads pictures: the same query without its picture: {failure}")
            return
        if blind == found.prompt_tokens:
            self._note(
                f"the server seems to ignore pictures: {blind:,} prompt tokens with and without the picture of a query",
                "; check that the model has vision and that the server was started with it",
            )

    def _note(self, note: str, advice: str = "") -> None:
        self._chat.accounting.notes.append(note)
        log.warning("%s%s", note, advice)


def _text_tokens(turns: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return the smallest and the largest plausible number of tokens of a prompt's text."""
    text = " ".join(str(part["text"]) for turn in turns for part in _parts(turn) if part["type"] == "text")
    return len(text.split()), len(text.encode()) + _TEMPLATE


def _without_pictures(turns: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for turn in turns:
        texts = [part for part in _parts(turn) if part["type"] == "text"]
        yield {**turn, "content": texts[0]["text"] if len(texts) == 1 else texts}


def _parts(turn: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    content = turn["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
