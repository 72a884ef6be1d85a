"""Parse the body of a chat completion into text and token counts, with specific errors for malformed ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from unmirage.models.endpoint.client import Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's response.

    Attributes:
        finished: False if the token limit cut the response off.
        tokens: length of the response as counted by the server; None if not reported.
    """

    text: str
    finished: bool
    tokens: int | None = None
    prompt_tokens: int | None = None


def read_completion(body: str) -> Completion:
    """Return the first choice of a chat completion.

    Raises:
        Trouble: the body is not a chat completion, or has no text. It allows a retry if a retry can help.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Trouble("the server's response is not JSON") from None
    choice = _first_choice(document)
    message, why = choice.get("message"), choice.get("finish_reason")
    if not isinstance(message, dict):
        raise Trouble("the server's response contains no message")
    text = message.get("content")
    if text is None and isinstance(message.get("refusal"), str):
        text = message["refusal"]
    if not isinstance(text, str):
        raise _no_text(text, why)
    usage = document.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Completion(
        text=text.strip(),
        finished=why != "length",
        tokens=_count(counts.get("completion_tokens")),
        prompt_tokens=_count(counts.get("prompt_tokens")),
    )


def _first_choice(document: Any) -> dict[str, Any]:
    choices = document.get("choices") if isinstance(document, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Trouble("the server's response contains no choices")
    return choices[0]


def _no_text(content: Any, why: Any) -> Trouble:
    if content is not None:
        return Trouble(f"the response's content is a {type(content).__name__}, not a string")
    if why == "length":
        return Trouble("the token limit was reached before the response began; raise max_new_tokens", passing=False)
    if why == "content_filter":
        return Trouble("the server's content filter blocked the response", passing=False)
    return Trouble("the response is empty")


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
