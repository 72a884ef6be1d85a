"""Recognize replies of a language model that are no rewrite: debris, answers, comments, other languages, long texts."""

from __future__ import annotations

import re
from typing import Literal

from unmirage.text.english.inflection import MODALS, WH_WORDS
from unmirage.text.language import is_foreign, language_of
from unmirage.text.openers import words
from unmirage.text.refusals import is_refusal
from unmirage.text.sentences import sentences

Reason = Literal["dropped_debris", "dropped_answers", "dropped_comments", "dropped_language", "dropped_long"]
REASONS: tuple[Reason, ...] = (
    "dropped_debris",
    "dropped_answers",
    "dropped_comments",
    "dropped_language",
    "dropped_long",
)

_DEBRIS = re.compile(
    r"^[\[\]{},`*#>|\\]|[\[{`|\\]$|```|\*\*|\\n|[\"'](?:rewrites?|questions?|text|\d+)[\"']\s*:|^rewrites?\b.*:"
)
_BRACKETS = ("[]", "{}", "()")
_SAID = re.compile(
    r"^(?:sure|certainly|of course|okay|here(?: is| are|'s)|as an? (?:ai|language model|assistant)|i(?:'m| am) sorry"
    r"|sorry|unfortunately|i (?:can|could|will|would|must|do|am)(?:not|n't| not)\b|i can(?:'|’)t|note\b|disclaimer"
    r"|answer\b|the answer)"
    r"|\b(?:as an ai\b|language model|disclaimer|for (?:educational|informational) purposes only"
    r"|(?:can|could|will|would)(?:not|n['’]t) (?:help|assist|provide|comply|answer)"
    r"|against (?:my|our|the) (?:policy|guidelines))",
    re.I,
)
_COMMENT = re.compile(
    r"\b(?:rewrit(?:e|es|ing|ten)|reword(?:ed|ing|s)?|rephras(?:e|ed|es|ing)|paraphras(?:e|ed|es|ing)"
    r"|original (?:question|query|prompt|sentence)|same meaning|this version|begins? with|alternative wording)\b",
    re.I,
)
_QUESTIONS = frozenset((*WH_WORDS, *MODALS, "is", "are", "do", "does", "did", "was", "were", "has", "have", "should"))


def no_rewrite(text: str, query: str, word: str, *, opens: bool) -> Reason | None:
    """Return why `text` is no rewrite of `query`; None if it may be one.

    Args:
        text: one line of a model's reply.
        query: the query to rewrite. What it contains itself, such as a bracket, is no reason.
        word: the word that rewrites open with, or avoid.
        opens: whether they open with it.
    """
    if _is_debris(text, query):
        return "dropped_debris"
    if _is_comment(text, query):
        return "dropped_comments"
    if _is_answer(text, query, word if opens else ""):
        return "dropped_answers"
    if is_foreign(text) != is_foreign(query) and language_of(query) is not None:
        return "dropped_language"
    return "dropped_long" if len(text.split()) > 2 * len(query.split()) + _SPARE else None


_SPARE = 14  # words that a wording may add: "What is the best way to ..., in one sentence?"


def _is_debris(text: str, query: str) -> bool:
    if any(text.count(pair[0]) != text.count(pair[1]) for pair in _BRACKETS):
        return not any(query.count(pair[0]) != query.count(pair[1]) for pair in _BRACKETS)
    return bool(_DEBRIS.search(text)) and not _DEBRIS.search(query)


def _is_comment(text: str, query: str) -> bool:
    """Return whether the text speaks about the rewrite, or quotes the whole query."""
    comment = _COMMENT.search(text)
    if comment and comment.group().casefold() not in query.casefold():
        return True
    core, length = words(query), len(words(query))
    found = words(text)
    within = any(found[at : at + length] == core for at in range(1, len(found) - length + 1))
    return within and length > 2 and bool(re.search(r"[\"“”:]", text)) and not re.search(r"[\"“”:]", query)


def _is_answer(text: str, query: str, word: str) -> bool:
    """Return whether the text answers or refuses: by its phrases, more sentences, or a question word without a "?"."""
    if (_SAID.search(text) and not _SAID.search(query)) or (is_refusal(text) and not is_refusal(query)):
        return True
    if len(sentences(text)) > len(sentences(query)) + 1:
        return True
    first = (words(word) or [""])[0]
    opened = words(text)[:1] == [first]
    return opened and first in _QUESTIONS and text[-1:] == "." and "?" not in text
