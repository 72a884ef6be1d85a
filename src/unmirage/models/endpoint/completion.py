"""Parse the body of a chat completion into text and token counts, with specific errors for malformed ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from unmirage.models.endpoint.client import PASSING, Trouble
from unmirage.text.printable import short

_TEXT_PARTS = ("text", "output_text", "refusal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's response.

    Attributes:
        finished: False if the token limit cut the response off.
        tokens: length of the response as counted by the server; None if not reported.
        model: the model as the server names it; None if it does not.
    """

    text: str
    finished: bool
    tokens: int | None = None
    prompt_tokens: int | None = None
    model: str | None = None


def read_completion(body: str) -> Completion:
    """Return the first choice of a chat completion.

    Raises:
        Trouble: the body is not a chat completion, or has no text. It allows a retry if a retry can help.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        if body.lstrip().startswith(("data:", "event:")):
            raise Trouble("the server streams events, although it was not asked to", malformed=True) from None
        raise Trouble("the server's response is not JSON") from None
    choice = _first_choice(document)
    message, why = choice.get("message"), choice.get("finish_reason")
    if not isinstance(message, dict):
        raise Trouble("the server's response contains no message", malformed=True)
    text = _text(message.get("content"))
    if not text and isinstance(message.get("refusal"), str):
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
        model=_name(document.get("model")),
    )


def _first_choice(document: Any) -> dict[str, Any]:
    choices = document.get("choices") if isinstance(document, dict) else None
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    error = document.get("error") if isinstance(document, dict) else None
    if error:
        # Gateways report the error of the server behind them with status 200.
        code = error.get("code") if isinstance(error, dict) else None
        said = error.get("message") if isinstance(error, dict) else error
        passing = isinstance(code, int) and (code in PASSING or code >= 500)
        raise Trouble(f"the server reports an error: {short(str(said), 200)}", passing=passing)
    raise Trouble("the server's response contains no choices", malformed=True)


def _text(content: Any) -> Any:
    """Return the text of content that is a list of parts, else the content."""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return content
    texts = [part.get("text") or part.get("refusal") for part in content if part.get("type") in _TEXT_PARTS]
    return "".join(one for one in texts if isinstance(one, str)) if texts else content


def _no_text(content: Any, why: Any) -> Trouble:
    if content is not None:
        return Trouble(f"the response's content is a {type(content).__name__}, not text", malformed=True)
    if why == "length":
        return Trouble("the token limit was reached before the response began; raise max_new_tokens", passing=False)
    if why == "content_filter":
        return Trouble("the server's content filter blocked the response", passing=False)
    if why == "tool_calls":
        return Trouble("the response is a call of a tool, not text", passing=False)
    return Trouble("the response is empty")


def _name(value: Any) -> str | None:
    return short(value, 200) or None if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
