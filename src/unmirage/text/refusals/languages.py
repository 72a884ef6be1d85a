"""Refusal phrases in other languages than English, from `languages.yaml`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from functools import cache, lru_cache

from unmirage.text.language import ENGLISH, LANGUAGES, has_english_words, language_of
from unmirage.text.refusals.lists import language_pattern, other_languages

# py3langid takes short texts for a near relative of their language.
_RELATIVES = {
    "af": ("nl",), "ar": ("fa",), "be": ("ru", "uk"), "bg": ("ru",), "ca": ("es", "fr"), "da": ("no", "sv"),
    "de": ("nl",), "es": ("pt", "it"), "fa": ("ar",), "fr": ("it",), "it": ("es", "fr"), "mr": ("hi",), "ms": ("id",),
    "ne": ("hi",), "nl": ("de",), "no": ("da", "sv"), "pt": ("es",), "ru": ("uk",), "sk": ("cs",), "sv": ("no", "da"),
    "uk": ("ru",), "ur": ("fa", "ar"),
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
    return frozenset({ENGLISH, *other_languages()})


def languages_without_phrases(texts: Iterable[str], known: Collection[str] = ()) -> dict[str, int]:
    """Return the number of texts by name of language, for languages without refusal phrases and not in `known`."""
    found = Counter(
        language for text in texts if not has_english_words(text[:240]) and (language := language_of(text)) is not None
    )
    missing = [
        (LANGUAGES.get(one, one), count) for one, count in found.items() if one not in {*phrase_languages(), *known}
    ]
    return dict(sorted(missing, key=lambda item: (-item[1], item[0])))


@lru_cache(maxsize=16_384)  # short texts recur
def _in_any(head: str) -> str | None:
    return next((found for one in other_languages() if (found := _search(one, head))), None)


def _search(language: str, head: str) -> str | None:
    match = language_pattern(language).search(head) if language in other_languages() else None
    return match.group().strip() if match else None
