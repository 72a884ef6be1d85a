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
# Traditional characters that occur in Chinese phrases, which are written with simplified ones.
_SIMPLIFIED = str.maketrans(
    "幫協給滿討論勵參與執繼續復覆應議薦導訴創寫編處評識別務對這產譯輸釋說們無會辦沒難讓錯過實適聽擾絕題問請內話該為個語樣當違規範確認見",
    "帮协给满讨论励参与执继续复复应议荐导诉创写编处评识别务对这产译输释说们无会办没难让错过实适听扰绝题问请内话该为个语样当违规范确认见",
)


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
    if language not in other_languages():
        return None
    match = language_pattern(language).search(head.translate(_SIMPLIFIED) if language == "zh" else head)
    return match.group().strip() if match else None
