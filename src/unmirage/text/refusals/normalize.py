"""Bring answers into the form that refusal phrases are written in, and hide what the answer only quotes."""

from __future__ import annotations

import re
import unicodedata

import regex

# Straight quotes; no markdown, zero-width characters or directional marks. A backtick or an accent is an apostrophe.
_PLAIN = str.maketrans(
    "_’‘ʼ`´′＇“”„‟«»「」『』。！？，、：।؟،",
    ' \'\'\'\'\'\'\'"""""""""".!?,,:.?,',
    "*#>\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0640\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u061c",
)
_ROLE = re.compile(r"\A(?:(?:assistant|ai|bot|answer|response|output|model|gpt|chatgpt)\s*:\s*)+")
_SYMBOLS = regex.compile(r"\A[^\p{L}\p{N}\"'<\[(]+")
_CONTRACTED = re.compile(r"\b(ca|wo|do|does|did|could|would|should|is|are)nt\b")
_NO_APOSTROPHE = ("cant", "wont", "dont", "esnt", "idnt", "ldnt", "isnt", "arent")
_QUOTES = re.compile(r'"[^"]*"|(?<![\w])\'(?:[^\']|(?<=\w)\'(?=\w))+\'(?!\w)')

# "The bubble reads: ..." quotes the sentence behind the colon, and those after it that speak in the first person.
_SAYS = (
    r"(?:says?|(?<!that )said|saying|reads?|reading|wr(?:ites?|ote)|replie[sd]|replying|shouts?|whispers?|prints"
    r"|displays|captioned|titled|labell?ed|sings?|thinks?|states|stating|answered|asks|screams?|yells?|exclaims?)"
)
_TEXTS = r"(?:sign|bubble|captions?|text|labels?|note|letter|message|banner|poster|meme|headline|screen|title)"
_TELLS = re.compile(rf"\b{_SAYS}\b|, the |\b{_TEXTS}\b[^.:]*:")
_TOLD = re.compile(
    rf"\b(?<!\bi )(?<!policy )(?<!guidelines ){_SAYS}\b(?: (?:to|at) (?:\w+ )?\w+)?(?: out| aloud)?,? (?:that )?"
    r"(?:i|we|my|sorry|no)\b[^.!?;]*"
    rf"|\b(?:{_SAYS}|{_TEXTS})"
    r"\b[^.:!?]{0,40}: [^.!?]*(?:[.!?] (?:i|we)\b[^.!?]*)*"
)
_TOLD_BEHIND = re.compile(
    rf"(?:\A|(?<=[.!?] ))[^.!?]*, (?:{_SAYS}|the (?:sign|caption|letter|bubble|text|note)) [^.!?]*"
)


def plain(text: str) -> str:
    """Return the text in lower case on one line, with straight quotes and without markdown, emoji and role names.

    A text that is one quotation altogether loses its quotes.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    line = " ".join(text.casefold().translate(_PLAIN).split())
    line = _SYMBOLS.sub("", _ROLE.sub("", _SYMBOLS.sub("", line)))
    if line[:1] == '"' and line[-1] == '"' and line.count('"') == 2:
        line = line[1:-1]
    return _CONTRACTED.sub(r"\1n't", line) if any(part in line for part in _NO_APOSTROPHE) else line


def is_told(line: str) -> bool:
    """Return whether the first sentence of a plain line is reported, as in "I cannot come, reads the letter"."""
    return _TOLD_BEHIND.match(line) is not None


def unquoted(line: str) -> str:
    """Return a plain line without what it quotes, as in 'the sign reads: I cannot help', or says of others."""
    if '"' in line or " '" in line:
        line = _QUOTES.sub(_blank, line)
    return _TOLD_BEHIND.sub(_blank, _TOLD.sub(_blank, line)) if _TELLS.search(line) else line


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())
