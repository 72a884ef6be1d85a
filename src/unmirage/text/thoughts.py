"""Split the reasoning of a response from its final answer."""

from __future__ import annotations

import re
from dataclasses import replace

from unmirage.records import Response

# DeepSeek-R1, Qwen3, GLM-V and many others; Seed-OSS and MiniMax have a namespace, Keye-VL a mode.
_NAMES = "(?:seed:|mm:)?think(?:ing|_on|_fast(?:er)?)?|thoughts?|reason(?:ing)?|analysis|scratchpad|cot"
_TAG = rf"<(?:{_NAMES})(?:\s[^<>]*)?>"
# Kimi, Magistral, OpenThoughts and Sky-T1, Cohere, MedGemma.
_MARKS = {
    "◁think▷": "◁/think▷",
    "[THINK]": "[/THINK]",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<unused94>thought": "<unused95>",
}
# Text in its own channel: gpt-oss, Gemma 4.
_CHANNEL = re.compile(
    r"<\|channel\|>(?:analysis|commentary|thought)\b.*?<\|message\|>(?P<harmony>.*?)(?:<\|end\|>|\Z)"
    r"|<\|channel>thought\b(?P<gemma>.*?)(?:<channel\|>|\Z)",
    re.DOTALL,
)
_CONTROL = re.compile(
    r"<\|start\|>(?:assistant)?|<\|channel\|>final(?:\s*<\|constrain\|>\w+)?\s*<\|message\|>|<\|(?:end|return)\|>"
)
_OPEN = re.compile(rf"\s*(?:{_TAG}|{'|'.join(map(re.escape, _MARKS))})", re.IGNORECASE)
_CLOSE = re.compile(rf"</(?:{_NAMES})\s*>|{'|'.join(map(re.escape, _MARKS.values()))}", re.IGNORECASE)
# The first group is the name of a tag, and each other one the reasoning.
_BLOCK = re.compile(
    rf"<({_NAMES})(?:\s[^<>]*)?>(.*?)</\1\s*>|"
    + "|".join(f"{re.escape(start)}(.*?){re.escape(end)}" for start, end in _MARKS.items()),
    re.DOTALL | re.IGNORECASE,
)
# What may wrap an answer after reasoning: R1-style data, Marco-o1, OpenThoughts, Cohere, GLM-V.
_ANSWER = re.compile(
    r"\s*(?:<(?P<name>answer|conclusion|solution|output|response)>(?P<text>.*?)(?:</(?P=name)>\s*|\Z)"
    r"|<\|(?:begin_of_(?P<part>solution|box)|START_RESPONSE)\|>(?P<marked>.*?)"
    r"(?:<\|(?:end_of_(?P=part)|END_RESPONSE)\|>\s*|\Z))",
    re.DOTALL | re.IGNORECASE,
)
# LLaVA-CoT: four stages, of which the last is the answer.
_STAGES = re.compile(r"\s*(<summary>.*?)<conclusion>(.*?)(?:</conclusion>\s*)?\Z", re.DOTALL | re.IGNORECASE)


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
    if stages := _STAGES.match(text):
        return _said([stages[1]], stages[2])
    close = _CLOSE.search(text)
    if close and not _BLOCK.search(text):
        return _said([text[: close.start()]], text[close.end() :])
    return "", text


def final_answer(text: str) -> str:
    """Return a response without its reasoning; see `split_reasoning`."""
    return split_reasoning(text)[1]


def settled(response: Response) -> Response:
    """Return a response with its reasoning split off, which then precedes the thoughts that the model reported."""
    reasoning, answer = split_reasoning(response.text)
    if answer == response.text:
        return response
    return replace(response, text=answer, thoughts="\n".join(filter(None, (response.thoughts, reasoning))))


def _opened(text: str) -> tuple[str, str]:
    blocks = [next(filter(None, match.groups()[1:]), "") for match in _BLOCK.finditer(text)]
    rest = _BLOCK.sub("", text)
    unclosed = _OPEN.match(rest)
    if unclosed:
        return _said([*blocks, rest[unclosed.end() :]], "")
    return _said(blocks, rest)


def _said(reasoning: list[str], answer: str) -> tuple[str, str]:
    wrapped = _ANSWER.fullmatch(answer)
    told = wrapped["text"] or wrapped["marked"] or "" if wrapped else answer
    return "\n".join(one.strip() for one in reasoning if one.strip()), told.strip()
