"""Keep pictures in their places when the text around them is reworded."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from unmirage.records import Placed, Sample

_NAME = r"(?:image|img|picture|pic|photo|figure|fig)\b[\s#_.-]*\w{0,3}"
# A line, or the rest of one, that only names a picture: "Image-1:", "First photo:", "(b)", "2.".
_LABEL = rf"[^\S\n]*(?:[^\n.?!:]{{0,40}}:|[(\[]?{_NAME}[)\].:]?|[(\[]?[0-9A-Za-z][)\].])?\s*"
_ENDS_IN_LABEL = re.compile(rf"(?:\A|(?<=\n)){_LABEL}\Z", re.IGNORECASE)
_STARTS_WITH_LABEL = re.compile(rf"\A{_LABEL}\n", re.IGNORECASE)
_SENTENCE_END = ".?!:。？！：\n"


class Frame(NamedTuple):
    """A text in three parts: what to keep, what to reword, what to keep."""

    head: str
    body: str
    foot: str

    def around(self, body: str) -> str:
        """Return the whole text with another body."""
        return self.head + body + self.foot


def frame(text: str, images: Sequence[Placed]) -> Frame:
    """Return the part of a text to reword, so that pictures within the text stay at their labels.

    "Image-1: … Image-2: … What differs?" with pictures at the dots has the body "What differs?". The body is the whole
    text if no picture is inside it, or if its words around the pictures are more than one sentence with labels.
    """
    later = sorted({one.at for one in images if one.at > 0})
    if not later:
        return Frame("", text, "")
    bounds = [0, *later, len(text)]
    cores = []
    for number, (start, end) in enumerate(pairwise(bounds)):
        piece = text[start:end]
        before_picture = number < len(later)
        if before_picture and (label := _ENDS_IN_LABEL.search(piece)):
            piece = piece[: label.start()]
        # A picture at the start of the text may be named after it too.
        if (number or images[0].at == 0) and (label := _STARTS_WITH_LABEL.match(piece)):
            start, piece = start + label.end(), piece[label.end() :]
        left = len(piece) - len(piece.lstrip())
        if core := piece.strip():
            cores.append((start + left, start + left + len(core), before_picture))
    if len(cores) != 1:
        return Frame("", text, "")
    ((start, end, before_picture),) = cores
    if before_picture and text[end - 1] not in _SENTENCE_END and "\n" not in text[end : end + 1]:
        return Frame("", text, "")  # the sentence goes on with the picture
    return Frame(text[:start], text[start:end], text[end:])


def placed_in(new: str, old: str, images: Sequence[Placed]) -> tuple[Placed, ...] | None:
    """Return the pictures of `old` in the reworded text `new`; None if a place inside the text is lost.

    A picture at the start or the end stays there. Another one stays after the text before it or before the text after
    it, whichever `new` still has.
    """
    found: list[Placed] = []
    for one in images:
        at = _place(new, old, one.at)
        if at is None or (found and at < found[-1].at):
            return None
        found.append(Placed(one.image, at))
    return tuple(found)


def _place(new: str, old: str, at: int) -> int | None:
    if at <= 0:
        return 0
    if at >= len(old):
        return len(new)
    before, after = old[:at].rstrip(), old[at:].lstrip()
    left, right = len(before), len(new) - len(after)
    if before and _same(new[:left], before) and not new[left : left + 1].isalnum():
        return min(at, len(new)) if _same(new[:at], old[:at]) else left
    if after and right >= 0 and _same(new[right:], after) and not (right and new[right - 1].isalnum()):
        whole = len(new) - len(old) + at
        return whole if whole >= 0 and _same(new[whole:], old[at:]) else right
    return None


def _same(one: str, other: str) -> bool:
    # A word that moves to or from the start of a sentence changes its first letter.
    return one.lower() == other.lower()


def reworded(sample: Sample, reword: Callable[[str], str]) -> Sample:
    """Return the sample with another wording of its query; unchanged if that loses the place of a picture."""
    parts = frame(sample.query, sample.images)
    text = parts.around(reword(parts.body))
    images = placed_in(text, sample.query, sample.images)
    return sample if images is None else replace(sample, query=text, images=images)
