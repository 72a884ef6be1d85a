"""Read why a server rejected a request: its message, whether a content filter did it, and which parameter it names.

Structured fields are read first, and messages by narrow patterns second. Sources, by server:

- Azure OpenAI: 400, code "content_filter", innererror "ResponsibleAIPolicyViolation" with the filtered categories.
- OpenAI: 400, code "content_policy_violation" or "moderation_blocked"; reasoning models: "Invalid prompt: your prompt
  was flagged as potentially violating our usage policy".
- OpenRouter: 403 with `metadata.reasons` and `metadata.flagged_input`; the provider's own error is in `metadata.raw`.
- LiteLLM: "ContentPolicyViolationError" in the message, the provider's fields in `provider_specific_fields`.
- Gemini: `promptFeedback.blockReason`, and finish reasons in upper case, which its OpenAI-compatible API passes on.
- Anthropic: 400, "Output blocked by content filtering policy"; stop reason "refusal".
- Amazon Bedrock: stop reason "guardrail_intervened"; through LiteLLM "Violated guardrail policy".
- Alibaba: code "data_inspection_failed". DeepSeek: "Content Exists Risk". Moonshot: type "content_filter", "considered
  high risk". Zhipu: `contentFilter`, finish reason "sensitive". Volcano Engine: code "...SensitiveContentDetected".
  MiniMax: `input_sensitive`, "new_sensitive".
- Pictures for a model without vision: llama.cpp 500, "image input is not supported"; vLLM 400, "... is not a multimodal
  model", "At most 0 image(s) may be provided"; OpenAI "image_url is only supported by certain models"; OpenRouter 404,
  "No endpoints found that support image input"; Ollama "missing data required for image input"; Mistral "Image input is
  not enabled"; DeepSeek "unknown variant `image_url`"; Groq "content must be a string"; LM Studio "does not support
  images".
- xAI: 403, "Content violates usage guidelines". Cloudflare AI Gateway: "Prompt blocked due to security configurations".
  Portkey: 446, type "hooks_failed".
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

_LONGEST = 600  # longer messages quote the request
_DEPTH = 8
_ECHOES = frozenset(("input", "ctx", "messages", "flagged_input", "prompt"))  # parts of the request
_WORDS = ("message", "msg", "error", "errors", "detail", "details", "status_msg", "base_resp", "promptFeedback")

_CODES = ("code", "type", "reason", "blockReason", "block_reason", "finish_reason", "finishReason", "stop_reason")
_FILTERS = re.compile(
    r"contentfilter\w*|contentpolicy\w*|\w*policyviolation(?:error)?|(?:content)?moderation(?:blocked|failed)?"
    r"|datainspectionfailed|\w*sensitivecontentdetected|sensitive|guardrailintervened|hooksfailed|refusal"
    r"|safety|recitation|blocklist|prohibitedcontent|spii|image(?:safety|prohibitedcontent|recitation)"
)
_FILTER_STATUS = (None, 400, 403, 422, 446, 451)
_FILTER_WORDS = re.compile(
    r"content management policy|responsible ai polic|ContentPolicyViolation"
    r"|(?:blocked|rejected|filtered) (?:by|as a result of|due to) (?:the |our |your |a )?(?:content filter"
    r"|safety system|guardrail|security configurations|content polic|moderation|prohibited content)"
    r"|(?:prompt|input|request|content|message|output|response) (?:was|were|is|has been) flagged"
    r"|content exists risk|considered high risk|violated guardrail|may contain inappropriate content"
    r"|violat\w+ (?:of )?(?:\w+'s |our |the |your )?(?:usage|content|safety|acceptable use) (?:polic|guideline)"
    r"|(?:input|output) new_sensitive|PROHIBITED_CONTENT|guardrail_intervened|不安全或敏感内容",
    re.IGNORECASE,
)

# Not a single image, such as "the image is not supported": that may be about its format.
_PICTURE = r"(?:images|image\(s\)|image (?:inputs?|content|data|understanding)|image_urls?|vision|multi-?modal\w*)"
_BLIND = re.compile(
    rf"{_PICTURE}(?: inputs?| content| data)? (?:is|are) (?:not|only) (?:supported|enabled|available|allowed|accepted)"
    rf"|(?:not|n't|cannot|no \w+(?: found)? that) (?:support|accept|process|handle) (?:\w+ )?{_PICTURE}"
    rf"|not a (?:multi-?modal|vision)|at most 0 image|required for image input|unknown variant `?image_url"
    rf"|content must be a string",
    re.IGNORECASE,
)
_UNSUPPORTED = re.compile(
    r"unsupported|(?:not|n't|no longer) (?:be )?(?:currently )?(?:support|permit|allow|accept|recogni|available)"
    r"|unknown|unrecogni|unexpected|extra (?:inputs|fields)|additional propert|only the default|deprecated",
    re.IGNORECASE,
)
_ALIASES = {"response_format": r"response_format|json_schema|structured outputs?|json mode"}


def message_of(document: Any) -> str:
    """Return the message in the body of an error, or "" if there is none."""
    return _message(document, _DEPTH)


def is_filter(reason: str) -> bool:
    """Return whether a code or finish reason names a content filter."""
    return _FILTERS.fullmatch(re.sub("[^a-z]", "", reason.lower())) is not None


def is_block(document: Any, status: int | None = None) -> bool:
    """Return whether a content filter rejected the request, from the body of the error and its HTTP status."""
    if any(_says_filtered(part) for part in _parts(document, _DEPTH)):
        return True
    return status in _FILTER_STATUS and _FILTER_WORDS.search(message_of(document)[:_LONGEST]) is not None


def is_blind(message: str) -> bool:
    """Return whether the message of an error says that the model does not take pictures."""
    return _BLIND.search(message[:_LONGEST]) is not None


def unsupported(document: Any, names: Collection[str]) -> str | None:
    """Return which of the parameters `names` the server does not support; None if the error is about something else.

    An invalid value, such as a token limit that is too large, is not an unsupported parameter.
    """
    parts = list(_parts(document, _DEPTH))
    for part in parts:
        place = part.get("loc")
        if isinstance(place, list) and place and place[-1] in names and "extra" in str(part.get("type")):
            return str(place[-1])
    said = message_of(document)[:_LONGEST]
    if not _UNSUPPORTED.search(said):
        return None
    if field := next((part["param"] for part in parts if part.get("param") in names), None):
        return str(field)
    found = {name: re.search(rf"(?<!\w)(?:{_ALIASES.get(name, name)})(?!\w)", said) for name in names}
    places = {name: match.start() for name, match in found.items() if match}
    return min(places, key=places.__getitem__, default=None)


def _message(document: Any, depth: int) -> str:
    if isinstance(document, str):
        return document
    if isinstance(document, list):
        return next(filter(None, (_message(one, depth - 1) for one in document)), "") if depth else ""
    if not isinstance(document, Mapping) or not depth:
        return ""
    said = next(filter(None, (_message(document.get(name), depth - 1) for name in _WORDS)), "")
    if isinstance(place := document.get("loc"), list) and said:
        return f"{'.'.join(map(str, place))}: {said}"
    metadata = document.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    return f"{said}: {_message(_loaded(raw), depth - 1) or raw}" if said and isinstance(raw, str) and raw else said


def _parts(document: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield all mappings in a document, except those that repeat the request."""
    if isinstance(document, Mapping):
        yield document
    elif not isinstance(document, list):
        return
    if depth:
        values = document.items() if isinstance(document, Mapping) else enumerate(document)
        for name, value in values:
            if name not in _ECHOES:
                yield from _parts(_loaded(value) if name == "raw" else value, depth - 1)


def _loaded(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return text


def _says_filtered(part: Mapping[str, Any]) -> bool:
    if any(isinstance(value := part.get(name), str) and is_filter(value) for name in _CODES):
        return True
    if part.get("filtered") is True or part.get("flagged") is True:
        return True
    return any(bool(part.get(name)) for name in ("flagged_input", "contentFilter", "input_sensitive"))
