"""Inflect English verbs and nouns: "submit" and "submitted", "criteria" and "criterion".

The only module that calls lemminflect, whose dictionary has the forms of 40,000 English words. Unknown words get
regular endings. Only the package's CSV tables are read; its neural networks for unknown words are pickles, and their
guesses are worse ("photoshoped").
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal

VerbTag = Literal["VBZ", "VBD", "VBN", "VBG"]  # Penn Treebank: holds, held (past), held (participle), holding
WordClass = Literal["VERB", "NOUN", "PROPN", "ADJ", "ADV"]

_CACHED = 1 << 14  # words; each call of the dictionary copies a table entry
# One syllable that ends in a vowel and a consonant, which is doubled: "vlogged". For words outside the dictionary.
_DOUBLED = re.compile(r"[^aeiou]*[aeiou][bdgkmnprt]")
# Stems of verbs without a final "e": "redact", "yeet", "doxx".
_WITHOUT_E = re.compile(r".*(?:[aeiou]{2}[^aeiou]|[^aeiou][^aeioucgsvz]|[wxy])")


def third_person(verb: str) -> str:
    """Return the third person singular: holds, has, goes, carries, watches."""
    return verb_form(verb, "VBZ")


def past(verb: str) -> str:
    """Return the past tense: held, carried, submitted."""
    return verb_form(verb, "VBD")


@lru_cache(_CACHED)
def verb_form(verb: str, tag: VerbTag) -> str:
    """Return a form of `verb` in its most frequent spelling; the regular form if the verb is unknown.

    Args:
        verb: base form, in any case; returned unchanged if it does not end in a letter.
        tag: the form.
    """
    if not verb[-1:].isalpha():
        return verb
    spellings = _library().getInflection(verb, tag, inflect_oov=False)
    # The dictionary also lists spellings such as "proof-read" and "ski'd", sometimes first.
    plain = (form for form in spellings if re.sub(r"\w", "", form) == re.sub(r"\w", "", verb))
    return next(plain, None) or _regular(verb, tag)


@lru_cache(_CACHED)
def lemmas(word: str, word_class: WordClass) -> tuple[str, ...]:
    """Return the lower-cased base forms of `word`; () if the dictionary has none.

    "left" as a verb gives "leave"; "lay" gives "lie" and "lay"; "series" as a noun gives "series".
    """
    return tuple(_library().getLemma(word.lower(), word_class, lemmatize_oov=False))


@lru_cache(_CACHED)
def noun_plurals(noun: str) -> tuple[str, ...]:
    """Return the plurals of a singular noun; () if it is unknown."""
    return tuple(_library().getAllInflections(noun.lower(), "NOUN").get("NNS", ()))


@lru_cache(_CACHED)
def irregular_base(word: str) -> str:
    """Return the base form if `word` is an irregular verb form ("went" gives "go"), else `word`."""
    base = next((base for base in lemmas(word, "VERB") if base != word), None)
    if base is None or word in (*_rules().buildRegVerb(base), *_rules().buildDoubledVerb(base)):
        return word
    return base


@lru_cache(_CACHED)
def is_irregular_participle(word: str) -> bool:
    """Return whether `word` is only a participle of an irregular verb: "forgotten", but not "cut"."""
    bases = lemmas(word, "VERB")
    if not bases or word in bases or lemmas(word, "NOUN"):
        return False
    return any(word in _library().getInflection(base, "VBN", inflect_oov=False) for base in bases)


@lru_cache(_CACHED)
def is_regular_participle(word: str) -> bool:
    """Return whether `word` is a participle in "ed" or "ing": "opened", but not "hundred" or "king".

    Unknown words with these endings count as participles.
    """
    if not word.endswith(("ed", "ing")) or len(word) <= 3 + word.endswith("ing"):
        return False
    bases = lemmas(word, "VERB")
    if bases:  # lemmas of "consisted" are itself and "consist"; of "feed", itself and "fee"
        return word not in bases or any(word in (base + "ed", base + "ing") for base in bases)
    return not lemmas(word, "NOUN") and not lemmas(word, "ADV")


@lru_cache(_CACHED)
def gerund_base(gerund: str, known: frozenset[str] = frozenset()) -> str:
    """Return the base form of a gerund: "submitting" gives "submit".

    Args:
        gerund: a word that ends in "ing".
        known: preferred verbs if the dictionary has several candidates, or none.
    """
    stem = gerund.removesuffix("ing")
    doubled = len(stem) > 2 and stem[-1] == stem[-2]
    bases = lemmas(gerund, "VERB") or (stem, stem + "e", *([stem[:-1]] if doubled else []))
    preferred = next((base for base in bases if base in known), None)
    if preferred or lemmas(gerund, "VERB"):
        return preferred or bases[0]
    if doubled and _DOUBLED.fullmatch(stem[-3:-1]):
        return stem[:-1]
    return stem if _WITHOUT_E.fullmatch(stem) else stem + "e"


@lru_cache
def third_persons(verbs: frozenset[str]) -> frozenset[str]:
    """Return the third person singular of these verbs."""
    return frozenset(map(third_person, verbs))


def _regular(verb: str, tag: VerbTag) -> str:
    lower = verb.lower()
    build = _rules().buildDoubledVerb if _DOUBLED.fullmatch(lower) else _rules().buildRegVerb
    form: str = build(lower)[{"VBZ": 0, "VBD": 1, "VBN": 1, "VBG": 2}[tag]]
    shared = len(lower) if form.startswith(lower) else len(lower) - 1  # "carry", "carried"
    return verb[:shared] + form[shared:]


# Imported on first use: reading 600 kB of tables takes 0.3 s and 50 MB.
def _library() -> Any:
    import lemminflect

    return lemminflect


def _rules() -> Any:
    from lemminflect.core.InflectionRules import InflectionRules

    return InflectionRules


MODALS = ("can", "could", "would", "will")
WH_WORDS = ("what", "how", "who", "why", "where", "when", "which")

# Verbs that request information about their object: "Describe the recipe".
TELLING_VERBS = (
    "share", "describe", "explain", "identify", "provide", "discuss", "generate", "create", "give", "show",
    "tell", "list", "name", "state", "outline", "summarize", "summarise", "reveal", "disclose", "mention",
    "specify", "present", "report", "detail", "characterize", "clarify", "define",
)  # fmt: skip

# Verbs that open other commands in safety data.
ACTION_VERBS = (
    "use", "remove", "spread", "post", "analyze", "analyse", "determine", "follow", "assess", "propagate",
    "promote", "click", "recreate", "make", "request", "write", "research", "circulate", "find", "guess",
    "help", "compare", "suggest", "recommend", "estimate", "evaluate", "interpret", "predict", "translate",
    "draw", "design", "build", "edit", "modify", "add", "imagine", "consider", "read", "classify", "count",
    "locate", "search", "send", "publish", "distribute", "display", "do", "try", "learn", "teach", "tag",
    "judge", "compose", "develop", "encourage", "engage", "reproduce", "visit", "call", "contact", "buy",
    "order", "download", "install", "take", "put", "play", "start", "stop", "plan", "infer", "speculate",
    "mock", "ridicule", "rate", "rank", "convert", "copy", "forward", "repost", "upload", "save", "print",
)  # fmt: skip

VERBS = frozenset(TELLING_VERBS + ACTION_VERBS)
