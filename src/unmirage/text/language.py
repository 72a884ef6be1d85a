"""Detect the language of a text, and the languages of the queries of a dataset, offline.

The model is py3langid's (BSD-3-Clause, about 5 MB), restricted to `LANGUAGES`. It is loaded on first use: 0.4 s. Texts
with English function words and texts in a script of one language do not need it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import regex

from unmirage.records import Count

ENGLISH = "en"
# Small languages are left out: their models take short texts away from large related ones.
LANGUAGES = {
    "af": "Afrikaans", "am": "Amharic", "ar": "Arabic", "az": "Azerbaijani", "be": "Belarusian", "bg": "Bulgarian",
    "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "ga": "Irish", "gu": "Gujarati", "ha": "Hausa", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian", "ig": "Igbo", "is": "Icelandic", "it": "Italian",
    "ja": "Japanese", "ka": "Georgian", "kk": "Kazakh", "km": "Khmer", "kn": "Kannada", "ko": "Korean", "ky": "Kyrgyz",
    "lo": "Lao", "lt": "Lithuanian", "lv": "Latvian", "mg": "Malagasy", "mk": "Macedonian", "ml": "Malayalam",
    "mn": "Mongolian", "mr": "Marathi", "ms": "Malay", "my": "Burmese", "ne": "Nepali", "nl": "Dutch",
    "no": "Norwegian", "om": "Oromo", "or": "Odia", "pa": "Punjabi", "pl": "Polish", "ps": "Pashto",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "si": "Sinhala", "sk": "Slovak", "sl": "Slovenian",
    "so": "Somali", "sq": "Albanian", "sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil",
    "te": "Telugu", "th": "Thai", "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek",
    "vi": "Vietnamese", "xh": "Xhosa", "yo": "Yoruba", "zh": "Chinese", "zu": "Zulu",
}  # fmt: skip
_NO_LANGUAGE = "zxx"  # the model's class for text such as code

_HEAD = 240  # characters that are read
# Frequent English words that are rare in other languages: "is" is also Dutch, and "are" Romanian.
_MARKERS = frozenset(
    (
        "about after and any around because been before behind being between but can't cannot could couldn't did does "
        "doesn't don't during each from him how i'm i've into isn't it's its like not other our she should some such "
        "than that that's the their them then there there's these they they're this those through what what's when "
        "where which while who whose why with within without won't would you you're your"
    ).split()
)
# More of them, which other languages have too; they count beside a marker.
_ENGLISH_TOO = _MARKERS | frozenset("are as be by for has have if is of or to was".split())
# Frequent words of other languages: a text with two of them may quote English.
_OTHERS = frozenset(
    (
        "der das und ist nicht ein eine dem auf mit für le les des est une et que pas dans el los las una por para con "
        "il che non è di per não uma os em um het een en ik och att det som på og ikke nie się jest bir ve bu yang dan "
        "ini tidak của là không"
    ).split()
)
_LEAST_SHARE = 12  # at least one of so many words is English
_LEAST_FOUND = 3  # different words
_SHORT = 5  # words; one marker is enough

_LETTER = regex.compile(r"\p{L}")
_LATIN = regex.compile(r"\p{Latin}")
_SCRIPTS = {
    "ja": regex.compile(r"[\p{Hiragana}\p{Katakana}]"),
    "zh": regex.compile(r"\p{Han}"),
    "ko": regex.compile(r"\p{Hangul}"),
    "th": regex.compile(r"\p{Thai}"),
    "lo": regex.compile(r"\p{Lao}"),
    "km": regex.compile(r"\p{Khmer}"),
    "my": regex.compile(r"\p{Myanmar}"),
    "el": regex.compile(r"\p{Greek}"),
}
_GREEK_WORD = regex.compile(r"\p{Greek}{3}")
_LATIN_WORD = regex.compile(r"\p{Latin}[\p{Latin}\p{M}'’-]*")

_PARTICLES = frozenset("al bin da de del der des di do dos du e el la le van von y".split())

_LEAST_LETTERS = 2  # of another script
_LEAST_WORDS = 2
_TOP = 3  # related languages share the probability, such as Danish, Norwegian and Swedish
# Least probability of the most likely `_TOP` languages together, and most of English. A sentence needs less evidence,
# because it is not a name of a product. Measured on 10,903 answers of VizWiz, most of which have two to five words.
_LIKELY, _MOST_ENGLISH = 0.9, 0.03
_LIKELY_SENTENCE, _MOST_ENGLISH_SENTENCE = 0.7, 0.05
_LIKELY_TWO_WORDS = 0.95
_LEAST_ENGLISH = 0.3
_MOST_NAMED = 3  # languages of a warning, after the most frequent one
_SENTENCE_END = re.compile(r"[.!?][\s\"'»”’)*]*\Z")


def language_of(text: str) -> str | None:
    """Return the language of a text as an ISO 639-1 code of `LANGUAGES`, or None if the text does not show it.

    Names, numbers, code, single words and most texts of two words in Latin script have no language. Two letters are
    enough in other scripts. Only the first 240 characters are read.
    """
    head = text[:_HEAD]
    return ENGLISH if has_english_words(head) else _detected(head)


def is_foreign(text: str) -> bool:
    """Return whether a text is in another language than English; a text without a language is not."""
    return language_of(text) not in (None, ENGLISH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Languages:
    """Languages of the texts of a dataset.

    Attributes:
        read: number of texts that were read: all, or an evenly spaced sample.
        of: number of texts.
        counts: number of texts read by language (a code of `LANGUAGES`), the most frequent first.
        unknown: texts read whose language is not known, such as single words.
    """

    read: Count = 0
    of: Count = 0
    counts: Mapping[str, Count] = field(default_factory=dict)
    unknown: Count = 0

    def beyond(self, known: Collection[str] = (ENGLISH,)) -> str:
        """Return "412 of 1,000 queries are German, 3 are French"; "" if all languages are in `known`."""
        counts = [(LANGUAGES.get(code, code), count) for code, count in self.counts.items() if code not in known]
        if not counts:
            return ""
        (first, most), *rest = counts
        sampled = "" if self.read == self.of else " (a sample)"
        number = f"{most:,} of {self.read:,} queries{sampled} {'is' if most == 1 else 'are'} {first}"
        others = [f"{count:,} {'is' if count == 1 else 'are'} {name}" for name, count in rest[:_MOST_NAMED]]
        other = sum(count for _, count in rest[_MOST_NAMED:])
        return ", ".join([number, *others, *([f"{other:,} are in other languages"] if other else [])])

    def audit_note(self) -> str:
        """Return a warning of an audit: what supports English only, if not all queries are English; else ""."""
        beyond = self.beyond()
        return beyond and f"{beyond}. Templates, imperatives and rewrites support English only."


def languages_of(texts: Sequence[str], most: int = 10_000) -> Languages:
    """Return the languages of the texts of a dataset.

    Args:
        texts: the texts; only `most` of them are read, evenly spaced, so that a million take as long as ten thousand.
        most: maximum number of texts to read; at most 0.03 s per thousand texts.
    """
    step = max(1, -(-len(texts) // most))
    found = [language_of(text) for text in texts[::step]]
    counts = Counter(one for one in found if one is not None)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Languages(read=len(found), of=len(texts), counts=dict(ordered), unknown=found.count(None))


def has_english_words(text: str) -> bool:
    """Return whether frequent English words prove a text to be English. This takes about 2 µs."""
    tokens = text.split()
    if not tokens:
        return False
    tokens[0] = tokens[0].lower()  # elsewhere a capital is part of a name: "Die Band The Who"
    if _MARKERS.isdisjoint(tokens) or len(_OTHERS.intersection(tokens)) > 1:
        return False
    found = len(_ENGLISH_TOO.intersection(tokens))
    return found * _LEAST_SHARE >= len(tokens) and (found >= _LEAST_FOUND or len(tokens) <= _SHORT)


@lru_cache(maxsize=16_384)  # short texts recur
def _detected(text: str) -> str | None:
    script = None if text.isascii() else _by_script(text)
    if script is None:
        return _in_latin(text)
    letters, latin = len(_LETTER.findall(text)), len(_LATIN.findall(text))
    return _in_latin(text) or script if 2 * latin > letters else script


def _in_latin(text: str) -> str | None:
    """Return the language of a text in Latin script, which may quote other scripts."""
    words = [word for word in _LATIN_WORD.findall(text) if len(word) > 1]
    if len(words) < _LEAST_WORDS or _are_names(words):
        return None
    ranked = _ranked(text)
    best = ranked[0][0]
    english = dict(ranked)[ENGLISH]
    if best == ENGLISH:
        return ENGLISH if english >= _LEAST_ENGLISH else None
    is_sentence = bool(_SENTENCE_END.search(text))
    if best == _NO_LANGUAGE or (len(words) == _LEAST_WORDS and not is_sentence):
        return None
    likely, most_english = (_LIKELY_SENTENCE, _MOST_ENGLISH_SENTENCE) if is_sentence else (_LIKELY, _MOST_ENGLISH)
    if len(words) == _LEAST_WORDS:
        likely = _LIKELY_TWO_WORDS
    return best if sum(one for _, one in ranked[:_TOP]) >= likely and english <= most_english else None


def _by_script(text: str) -> str | None:
    """Return the language of the part of a text that is not in Latin script; None for fewer than two letters.

    Single Greek letters are symbols: that language needs a word.
    """
    counts = {language: len(script.findall(text)) for language, script in _SCRIPTS.items()}
    others = len(_LETTER.findall(text)) - len(_LATIN.findall(text))
    if others < _LEAST_LETTERS or (counts["el"] == others and not _GREEK_WORD.search(text)):
        return None
    if 10 * counts["ja"] > counts["zh"]:  # Japanese has Chinese characters, too
        counts |= {"ja": counts["ja"] + counts["zh"], "zh": 0}
    language = max(counts, key=lambda one: counts[one])
    return language if 2 * counts[language] >= others else _ranked(_LATIN.sub("", text))[0][0]


def _are_names(words: Sequence[str]) -> bool:
    """Return whether all words are capitalized or particles of names, as in "Rio de Janeiro"."""
    return all(word[0].isupper() or word in _PARTICLES for word in words)


def _ranked(text: str) -> list[tuple[str, float]]:
    ranked: list[tuple[str, float]] = _identifier().rank(text)
    return ranked


@cache
def _identifier() -> Any:
    # Imported here, because loading the model takes 0.4 s.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([*LANGUAGES, _NO_LANGUAGE])
    return identifier
