"""Parse the body of a chat completion into text, thoughts and token counts, with specific errors for malformed ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from unmirage.models.endpoint.client import PASSING, Trouble
from unmirage.models.endpoint.rejections import is_block, is_filter, message_of
from unmirage.records import Ended
from unmirage.text.printable import short

_TEXT_PARTS = ("text", "output_text", None)  # Bedrock has no types
_THOUGHT_PARTS = ("thinking", "reasoning")  # Mistral and Anthropic; Databricks
# vLLM, SGLang and DeepSeek; OpenRouter and newer vLLM; Ollama; OpenRouter's list of parts.
_THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_ABORTED = ("error", "abort", "aborted", "cancelled", "insufficient_system_resource")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's response.

    Attributes:
        text: the answer; of a refusal in a field of its own, the refusal.
        ended: how the response ended.
        thoughts: reasoning that the server reports apart from the text.
        tokens: length of the response as counted by the server; None if not reported.
        model: the model as the server names it; None if it does not.
    """

    text: str
    ended: Ended = Ended.STOP
    thoughts: str = ""
    tokens: int | None = None
    prompt_tokens: int | None = None
    model: str | None = None

    @property
    def is_blocked(self) -> bool:
        """Return whether the server declined, by a content filter or in a refusal field."""
        return self.ended.is_block

    @property
    def is_nothing(self) -> bool:
        """Return whether the model ended the response before it said or thought anything."""
        return not self.text and not self.thoughts and self.ended is Ended.STOP


def read_completion(body: str) -> Completion:
    """Return the first choice of a chat completion, or of a stream of its chunks.

    Empty content, null and missing content are the same: a response without text.

    Raises:
        Trouble: the body is not a chat completion. It allows a retry if a retry can help.
    """
    document = _document(body)
    choice = _first_choice(document)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise Trouble("the server's response contains no message", malformed=True)
    text, inside, declined = _split(message.get("content"))
    ended = _ended(choice, message, text)
    declined = declined or _plain(message.get("refusal"))
    if declined and not text:
        text, ended = declined, Ended.REFUSAL
    usage = document.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Completion(
        text=text,
        ended=ended,
        thoughts=inside or next(filter(None, (_plain(message.get(name)) for name in _THOUGHT_FIELDS)), ""),
        tokens=_count(counts.get("completion_tokens")),
        prompt_tokens=_count(counts.get("prompt_tokens")),
        model=_name(document.get("model")),
    )


def _document(body: str) -> Any:
    """Return the JSON document of a body; of server-sent events, the completion that they make up."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        if body.lstrip().startswith(("data:", "event:", ":")):
            return _joined(list(_events(body)))
        raise Trouble("the server's response is not JSON", malformed=True) from None


def _events(body: str) -> Iterator[Any]:
    for event in body.replace("\r\n", "\n").split("\n\n"):
        data = "\n".join(line[5:] for line in event.split("\n") if line.startswith("data:")).strip()
        try:
            if data:
                yield data if data == "[DONE]" else json.loads(data)
        except (ValueError, RecursionError):
            raise Trouble("the server streams events that are not JSON", malformed=True) from None


def _joined(events: list[Any]) -> dict[str, Any]:
    """Return the completion that chunks make up."""
    message: dict[str, Any] = {"content": ""}
    found: dict[str, Any] = {}
    why = None
    for chunk in events:
        if chunk == "[DONE]":
            break
        choice = _first_choice(chunk, {})
        found |= {name: chunk[name] for name in ("model", "usage") if chunk.get(name)}
        why = choice.get("finish_reason") or why
        part = choice.get("delta") or choice.get("message")
        for name, value in part.items() if isinstance(part, dict) else ():
            if isinstance(value, str | list):
                message[name] = _plus(message.get(name, type(value)()), value)
            elif value:
                message[name] = value
    if why is None and "[DONE]" not in events:
        raise Trouble("the server's stream ended before the response did", malformed=True)
    return found | {"choices": [{"message": message, "finish_reason": why}]}


def _plus(before: str | list[Any], value: str | list[Any]) -> str | list[Any]:
    """Return a field so far with its value in one more chunk: a text, or a list of parts if one of them is a list."""
    if isinstance(before, str) and isinstance(value, str):
        return before + value
    return [
        part for one in (before, value) for part in ([{"type": "text", "text": one}] if isinstance(one, str) else one)
    ]


def _first_choice(document: Any, absent: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the first choice; if there is none and no error, `absent`."""
    mapping = document if isinstance(document, dict) else {}
    choices = mapping.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
    error = mapping.get("error")
    if not error and choice and choice.get("error"):  # OpenRouter
        error = choice["error"]
        document = {"error": error}
    if error or (choice is None and is_block(document)):
        # Gateways report the error of the server behind them with status 200.
        code = error.get("code") if isinstance(error, dict) else None
        said = message_of(error) or message_of(document) or "no message"
        raise Trouble(
            f"the server reports an error: {short(said, 200)}",
            passing=isinstance(code, int) and (code in PASSING or code >= 500),
            malformed=True,
            document=document,
        )
    if choice is not None:
        return choice
    if absent is not None and mapping:
        return absent
    raise Trouble("the server's response contains no choices", malformed=True)


def _ended(choice: dict[str, Any], message: dict[str, Any], text: str) -> Ended:
    why = choice.get("finish_reason")
    reason = str(why.get("type") if isinstance(why, dict) else why or "").lower()
    if reason in _ABORTED:
        raise Trouble(f"the server broke the response off ('{reason}')")
    if is_filter(reason):
        return Ended.CONTENT_FILTER
    called = message.get("tool_calls") or message.get("function_call")
    if called and not text:
        return Ended.TOOL_CALL
    return Ended.of(reason) or Ended.STOP


def _split(content: Any) -> tuple[str, str, str]:
    """Return the text, the thoughts and the refusal in the content of a message."""
    if content is None or isinstance(content, str):
        return (content or "").strip() or (content or "")[:1], "", ""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise Trouble(f"the response's content is a {type(content).__name__}, not text", malformed=True)
    found = {"text": "", "thoughts": "", "refusal": ""}
    for part in content:
        kind = part.get("type")
        if kind in _TEXT_PARTS and isinstance(part.get("text"), str):
            found["text"] += part["text"]
        elif kind in _THOUGHT_PARTS:
            found["thoughts"] += _plain([part])
        elif kind == "refusal":
            found["refusal"] += _plain(part.get("refusal"))
    if content and not any(found.values()) and not any(isinstance(part.get("text"), str) for part in content):
        raise Trouble("the response's content is a list without text", malformed=True)
    text, thoughts, refusal = (one.strip() for one in found.values())
    return (f"{text}\n{refusal}" if text and refusal else text), thoughts, "" if text else refusal


def _plain(value: Any) -> str:
    """Return the text of a field: a text, or a list of parts with texts; "" if there is none."""
    if isinstance(value, str):
        return value.strip()
    if not isinstance(value, list):
        return ""
    names = ("text", "thinking", "reasoning", "summary")
    parts = [part for part in value if isinstance(part, dict)]
    texts = (next(filter(None, (_plain(part.get(name)) for name in names)), "") for part in parts)
    return "\n".join(filter(None, texts))


def _name(value: Any) -> str | None:
    return short(value, 200) or None if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
