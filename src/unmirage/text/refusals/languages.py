"""Refusal phrases in other languages than English, from `languages.yaml`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.resources import files

import yaml

from unmirage.text.language import ENGLISH, LANGUAGES, has_english_words, language_of

# py3langid takes short texts for a near relative of their language.
_RELATIVES = {
    "es": ("pt", "it"), "pt": ("es",), "it": ("es", "fr"), "fr": ("it",), "ca": ("es", "fr"), "nl": ("de",),
    "de": ("nl",), "af": ("nl",), "ru": ("uk",), "uk": ("ru",), "be": ("ru", "uk"), "bg": ("ru",), "ms": ("id",),
    "no": ("sv",), "da": ("sv",), "ur": ("fa", "ar"), "fa": ("ar",), "ar": ("fa",), "mr": ("hi",), "ne": ("hi",),
}  # fmt: skip


def foreign_phrase(head: str, language: str | None) -> str | None:
    """Return the refusal phrase in the plain beginning of an answer in `language`, or None.

    Args:
        head: the beginning, from `normalize.plain`.
        language: code of `LANGUAGES`; None if unknown, so that all languages are tried.
    """
    if language is None:
        return _in_any(head)
    near = (language, *_RELATIVES.get(language, ()))
    return next((found for one in near if (found := _search(one, head))), None)


@cache
def phrase_languages() -> frozenset[str]:
    """Return the codes of the languages that have refusal phrases, with English."""
    return frozenset({ENGLISH, *_sources()})


def languages_without_phrases(texts: Iterable[str]) -> dict[str, int]:
    """Return the number of texts by language, by name, for the languages that have no refusal phrases."""
    found = Counter(
        language for text in texts if not has_english_words(text[:240]) and (language := language_of(text)) is not None
    )
    missing = [(LANGUAGES.get(one, one), count) for one, count in found.items() if one not in phrase_languages()]
    return dict(sorted(missing, key=lambda item: (-item[1], item[0])))


@lru_cache(maxsize=16_384)  # short texts recur
def _in_any(head: str) -> str | None:
    return next((found for one in _sources() if (found := _search(one, head))), None)


def _search(language: str, head: str) -> str | None:
    pattern = _pattern(language)
    match = pattern.search(head) if pattern else None
    return match.group().strip() if match else None


@cache
def _pattern(language: str) -> re.Pattern[str] | None:
    source = _sources().get(language)
    return re.compile("|".join(source)) if source else None


@cache
def _sources() -> dict[str, list[str]]:
    """Return the patterns of each language, with its parts filled in."""
    text = files("unmirage.text.refusals").joinpath("languages.yaml").read_text("utf-8")
    return {language: [_filled(one, entry.get("parts", {})) for one in entry["phrases"]]
            for language, entry in yaml.safe_load(text).items()}


def _filled(phrase: str, parts: dict[str, str]) -> str:
    for name, part in parts.items():
        phrase = phrase.replace(f"<{name}>", part)
    return phrase
