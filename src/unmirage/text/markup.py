"""Find the placeholders that data formats put into a text where a picture stands."""

from __future__ import annotations

import re
from typing import NamedTuple

# One alternative for each way to write one picture, the longest first. Sources: LLaVA, TRL, LLaMA-Factory and ms-swift
# (`<image>`), Qwen-VL (`<img>PATH</img>`), Qwen2-VL and later, InternVL, InternLM-XComposer, GLM-V, Llama 3.2, Phi-3,
# MiniCPM-V, DeepSeek-VL, Gemma 3, Idefics, Kimi-VL, Pixtral, MMMU (`<image 1>`).
_SLOT = re.compile(
    r"<img>(?P<path>[^<>\n]{1,1000})</img>"
    r"|<img>\s*(?:<IMG_CONTEXT>|<ImageHere>|<image>)+\s*</img>|(?:<IMG_CONTEXT>)+|<ImageHere>"
    r"|<\|vision_start\|>\s*(?:<\|image_pad\|>)+\s*<\|vision_end\|>|(?:<\|image_pad\|>)+"
    r"|<\|begin_of_image\|>\s*(?:<\|image\|>)*\s*<\|end_of_image\|>"
    r"|<\|media_begin\|>image<\|media_content\|>(?:<\|media_pad\|>)+<\|media_end\|>|(?:<\|media_pad\|>)+"
    r"|<start_of_image>(?:(?:<image_soft_token>)*<end_of_image>)?|(?:<image_soft_token>)+"
    r"|<im_start>(?:<im_patch>)*<im_end>|(?:<im_patch>)+"
    r"|<fake_token_around_image>(?:<image>)+(?:<fake_token_around_image>)?"
    r"|\(<image>\./</image>\)|<image>\./</image>"
    r"|<\|image(?:_(?P<phi>\d+))?\|>|<image[ _-]?(?P<number>\d+)>|<image_placeholder>|<image>"
    r"|\[IMG\](?:\[IMG\]|\[IMG_BREAK\])*\[IMG_END\]|\[IMG\]",
    re.IGNORECASE,
)
# What stands before a placeholder to name it: "Picture 1: <img>1.png</img>", "Image-1: <image>".
_LABEL = re.compile(r"\s*(?:picture|image|img|figure|photo|图片|图像|图)\s*[-#]?\s*\d*\s*[:：]\s*", re.IGNORECASE)


class Slot(NamedTuple):
    """A placeholder of a picture.

    Attributes:
        path: path of the picture, where the placeholder has it.
        number: number of the picture from 1, where the placeholder has it.
    """

    path: str | None = None
    number: int | None = None


Piece = str | Slot


def pieces(text: str) -> list[Piece]:
    """Return `text` as texts (not empty) and the placeholders between them, in order."""
    if "<" not in text and "[" not in text:
        return [text] if text else []
    if text.startswith("<image>") and text.find("<", 1) < 0 and "[" not in text:  # nearly all of LLaVA's
        return [Slot(), text[7:]] if len(text) > 7 else [Slot()]
    found: list[Piece] = []
    end = 0
    for match in _SLOT.finditer(text):
        if match.start() > end:
            found.append(text[end : match.start()])
        number = match["number"] or match["phi"]
        found.append(Slot(match["path"], int(number) if number else None))
        end = match.end()
    return [*found, text[end:]] if end < len(text) else found


def joined(parts: list[Piece]) -> tuple[str, list[tuple[Slot, int]]]:
    """Return the text of some pieces, and each placeholder with its offset in the text.

    White space between a placeholder and the start or the end of the text is dropped. So is the label of an only
    picture at the start ("Picture 1: "); labels of several pictures are part of the text.
    """
    if len(parts) == 2 and isinstance(parts[0], Slot) and isinstance(parts[1], str):
        return parts[1].lstrip(), [(parts[0], 0)]
    slots = [place for place, one in enumerate(parts) if isinstance(one, Slot)]
    if not slots:
        return "".join(one for one in parts if isinstance(one, str)), []
    kept = list(parts)
    first = kept[0]
    if len(slots) == 1 and slots[0] == 1 and isinstance(first, str) and _LABEL.fullmatch(first):
        kept[0] = ""
    text = ""
    placed: list[tuple[Slot, int]] = []
    for one in kept:
        if isinstance(one, Slot):
            placed.append((one, len(text)))
        else:
            text += one
    start = 0 if text[: placed[0][1]].strip() else len(text) - len(text.lstrip())
    end = len(text) if text[placed[-1][1] :].strip() else max(start, len(text.rstrip()))
    return text[start:end], [(slot, min(max(at, start), end) - start) for slot, at in placed]
