"""Split the reasoning of a response from its final answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
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
_STARTS = rf"{_TAG}|{'|'.join(map(re.escape, _MARKS))}"
_PARTS = {"<|channel|>", "<|channel>", "<channel|>", "<unused94>"}
_HARMONY = {"<|start|>", "<|message|>", "<|end|>", "<|return|>", "<|constrain|>"}
_OPEN = re.compile(rf"\s*(?:{_STARTS})", re.IGNORECASE)
# A closing tag in quotation marks or in code is a part of the answer.
_CLOSE = re.compile(
    rf"(?<![\"'`“‘«])(?:</(?:{_NAMES})\s*>|{'|'.join(map(re.escape, _MARKS.values()))})(?![\"'`”’»])", re.IGNORECASE
)
# How a prompt ends that already opens the reasoning: DeepSeek-R1, Qwen3-Thinking, GLM-V, Kimi-K2.5.
_LEFT_OPEN = re.compile(rf"(?:{_STARTS}|<\|channel>thought)\s*\Z", re.IGNORECASE)
# The first group is the name of a tag, and each other one the reasoning.
_BLOCK = re.compile(
    rf"<({_NAMES})(?:\s[^<>]*)?>(.*?)</\1\s*>|"
    + "|".join(f"{re.escape(start)}(.*?){re.escape(end)}" for start, end in _MARKS.items()),
    re.DOTALL | re.IGNORECASE,
)
# What may wrap an answer after reasoning: R1-style data, Marco-o1, OpenThoughts, Cohere, GLM-V.
_ANSWER = re.compile(
    r"\s*(?:<(?P<name>answer|conclusion|solution|output|response)>(?P<text>.*?)(?:</(?P=name)>\s*|\Z)"
    r"|<\|(?:begin_of_(?P<part>solution|box)|START_(?:RESPONSE|TEXT))\|>(?P<marked>.*?)"
    r"(?:<\|(?:end_of_(?P=part)|END_(?:RESPONSE|TEXT))\|>\s*|\Z))",
    re.DOTALL | re.IGNORECASE,
)
# Granite 3.2 marks its reasoning by two sentences.
_GRANITE = re.compile(r"\s*(?:Here's|Here is) my thought process:(.*?)(?:Here's|Here is) my response:(.*)", re.DOTALL)
# LLaVA-CoT: four stages, of which the last is the answer.
_STAGES = re.compile(r"\s*(<summary>.*?)<conclusion>(.*?)(?:</conclusion>\s*)?\Z", re.DOTALL | re.IGNORECASE)


def split_reasoning(text: str) -> tuple[str, str]:
    """Return the reasoning and the final answer of a response; either may be empty.

    Reasoning stands in a block of tags at the start, before a closing tag whose opening tag is in the prompt, or in a
    channel of its own. A block that never ends has no answer after it. Tags inside an answer that starts without
    reasoning are part of the answer.
    """
    found = []
    while True:  # a model may reason twice, and one tag may be inside another
        reasoning, answer = _split(text)
        found.append(reasoning)
        if answer == text:
            return "\n".join(filter(None, found)), answer
        text = answer


def final_answer(text: str) -> str:
    """Return a response without its reasoning; see `split_reasoning`."""
    return split_reasoning(text)[1]


def settled(response: Response) -> Response:
    """Return a response with its reasoning split off, after the thoughts that the model reported."""
    reasoning, answer = split_reasoning(response.text)
    if answer == response.text:
        return response
    return replace(response, text=answer, thoughts="\n".join(filter(None, (response.thoughts, reasoning))))


def left_open(prompt: str) -> str:
    """Return the tag, with the space after it, by which a prompt opens the reasoning of the response; "" if none."""
    found = _LEFT_OPEN.search(prompt)
    return found[0] if found else ""


def closed(opening: str, answer: str) -> str:
    """Return a response without reasoning, as it continues a prompt that ends with `opening`.

    An answer that has reasoning of its own is continued from there.
    """
    tag = opening.rstrip()
    end = "<channel|>" if tag.startswith("<|channel>") else _MARKS.get(tag) or f"</{tag.strip('<>').split()[0]}>"
    if end in answer:
        return answer.lstrip().removeprefix(tag)
    return f"{opening[len(tag) :]}{end}\n\n{answer}"


def marks_among(tokens: Iterable[str]) -> set[str]:
    """Return the special tokens of a response that `split_reasoning` needs, so that they may not be left out of it."""
    found = set(tokens)
    kept = {token for token in found if _OPEN.fullmatch(token) or _CLOSE.fullmatch(token) or token in _PARTS}
    return kept | (found & _HARMONY if "<|channel|>" in kept else set())


def _split(text: str) -> tuple[str, str]:
    """Return the reasoning and the answer; the answer may have further reasoning before it."""
    if granite := _GRANITE.match(text):
        return _said([granite[1]], granite[2])
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
