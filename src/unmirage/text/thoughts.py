"""Split the reasoning of a response from its final answer."""

from __future__ import annotations

import re

_NAMES = "think|thinking|thought|thoughts|reasoning|reason"
# Text in its own channel: gpt-oss, Gemma 4.
_CHANNEL = re.compile(
    r"<\|channel\|>(?:analysis|commentary|thought)\b.*?<\|message\|>(?P<harmony>.*?)(?:<\|end\|>|\Z)"
    r"|<\|channel>thought\b(?P<gemma>.*?)(?:<channel\|>|\Z)",
    re.DOTALL,
)
_CONTROL = re.compile(
    r"<\|start\|>(?:assistant)?|<\|channel\|>final(?:\s*<\|constrain\|>\w+)?\s*<\|message\|>|<\|(?:end|return)\|>"
)
# `<think>` (DeepSeek-R1, Qwen3, GLM-V), `◁think▷` (Kimi), `[THINK]` (Magistral).
_OPEN = re.compile(rf"\s*(?:<(?:{_NAMES})>|◁think▷|\[THINK\])", re.IGNORECASE)
_CLOSE = re.compile(rf"</(?:{_NAMES})>|◁/think▷|\[/THINK\]", re.IGNORECASE)
_BLOCK = re.compile(
    rf"<(?P<name>{_NAMES})>(?P<angle>.*?)</(?P=name)>|◁think▷(?P<kimi>.*?)◁/think▷|\[THINK\](?P<magistral>.*?)\[/THINK\]",
    re.DOTALL | re.IGNORECASE,
)
_ANSWER = re.compile(r"\s*<(?P<name>answer|conclusion)>(?P<text>.*?)(?:</(?P=name)>\s*|\Z)", re.DOTALL | re.IGNORECASE)


def split_reasoning(text: str) -> tuple[str, str]:
    """Return the reasoning and the final answer of a response; either may be empty.

    Reasoning stands in a block of tags at the start, before a closing tag whose opening tag is in the prompt, or in a
    channel of its own. A block that never ends has no answer after it. Tags inside an answer that starts without
    reasoning are part of the answer.
    """
    if not any(mark in text for mark in ("<", "◁", "[THINK]", "[/THINK]")):
        return "", text
    if "<|channel" in text:
        found = [match["harmony"] or match["gemma"] or "" for match in _CHANNEL.finditer(text)]
        return _said(found, _CONTROL.sub("", _CHANNEL.sub("", text)))
    if _OPEN.match(text):
        return _opened(text)
    close = _CLOSE.search(text)
    if close and not _BLOCK.search(text):
        return _said([text[: close.start()]], text[close.end() :])
    return "", text


def final_answer(text: str) -> str:
    """Return a response without its reasoning; see `split_reasoning`."""
    return split_reasoning(text)[1]


def _opened(text: str) -> tuple[str, str]:
    blocks = [next(filter(None, match.group("angle", "kimi", "magistral")), "") for match in _BLOCK.finditer(text)]
    rest = _BLOCK.sub("", text)
    unclosed = _OPEN.match(rest)
    if unclosed:
        return _said([*blocks, rest[unclosed.end() :]], "")
    return _said(blocks, rest)


def _said(reasoning: list[str], answer: str) -> tuple[str, str]:
    wrapped = _ANSWER.fullmatch(answer)
    told = wrapped["text"] if wrapped else answer
    return "\n".join(one.strip() for one in reasoning if one.strip()), told.strip()
