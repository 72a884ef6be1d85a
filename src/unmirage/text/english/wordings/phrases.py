"""Divide noun phrases into determiner, core and modifiers, for wordings that move the modifiers behind a verb."""

from __future__ import annotations

from dataclasses import dataclass

from unmirage.text.english.lexicon import (
    AUXILIARIES,
    DETERMINERS,
    POSSESSIVES,
    PREPOSITIONS,
    PRONOUNS,
    RELATIVES,
    is_adverb,
    is_participle,
)
from unmirage.text.english.nouns import is_plural
from unmirage.text.english.subjects import bare_words

_ENDS = PREPOSITIONS | RELATIVES | AUXILIARIES | PRONOUNS | frozenset("the this these that".split())
_BEHIND_NOUNS = frozenset("visible present available responsible relevant necessary similar able typical".split())
_DROPPED = frozenset("the a an some any all".split())
# These stay before the noun: "more images".
_QUANTIFIERS = frozenset("more other another several many few much most both such".split())
_MODIFIES = frozenset("to for of with on in at as".split())  # behind these, a participle belongs to the modifier


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase: "the message | conveyed by the man".

    Attributes:
        text: the whole phrase.
        determiner: its article or possessive, lower-cased; "" if there is none.
        core: what stands between the determiner and the modifiers: "message".
        rest: the modifiers: "conveyed by the man"; "" if there are none.
        head: last word of the core, lower-cased; of "names and details", the last noun.
    """

    text: str
    determiner: str
    core: str
    rest: str
    head: str

    @property
    def plural(self) -> bool:
        """Return whether the phrase takes a plural verb; of "the name and details", the first noun decides."""
        first = self.core.replace(" or ", " and ").split(" and ")[0].split(",")[0]
        return is_plural(f"{self.determiner} {first}".strip() if self.determiner not in _DROPPED else first)

    @property
    def be(self) -> str:
        """Return "are" or "is"."""
        return "are" if self.plural else "is"

    @property
    def participial(self) -> bool:
        """Return whether the modifiers begin with a past participle: "shown in the image"."""
        first = bare_words(self.rest.split()[:2])
        at = next((word for word in first if not is_adverb(word)), "")
        return is_participle(at) and not at.endswith("ing") and at not in PREPOSITIONS

    @property
    def relative(self) -> str:
        """Return what follows "that" or "who" if the noun is the subject of that clause ("might lead here"), or ""."""
        words = self.rest.split()
        if len(words) < 3 or bare_words(words[:1])[0] not in ("that", "which", "who"):
            return ""
        second = bare_words(words[1:2])[0]
        subject = second in DETERMINERS | PRONOUNS | POSSESSIVES or words[1][:1].isupper()
        return "" if subject or "," in self.rest else " ".join(words[1:])


def divide(noun_phrase: str) -> Phrase:
    """Return the parts of a noun phrase."""
    tokens = noun_phrase.split()
    bare = bare_words(tokens)
    determined = len(bare) > 1 and bare[0] in DETERMINERS - _QUANTIFIERS
    start = 1 if determined else 0
    end = next((at for at in range(start + 1, len(bare)) if _ends(tokens, bare, at)), len(bare))
    return Phrase(
        text=noun_phrase,
        determiner=bare[0] if determined else "",
        core=" ".join(tokens[start:end]),
        rest=" ".join(tokens[end:]),
        head=bare[end - 1] if bare else "",
    )


def _ends(tokens: list[str], bare: list[str], at: int) -> bool:
    """Return whether the modifiers start at a word."""
    word, before = bare[at], bare[at - 1]
    if before in ("and", "or"):  # "the name and the place", "details or any image"
        return word in AUXILIARIES | PRONOUNS - {"any"}
    if word in ("and", "or"):
        # "the man and where he lives": the second part is no noun of the core.
        return bare[at + 1 : at + 2] != [] and bare[at + 1] in RELATIVES | {"what", "how", "whether"}
    if word in _ENDS or word in _BEHIND_NOUNS:
        return True
    # An adverb before a participle: "the person currently shown".
    following = bare[at + 1 : at + 2]
    if is_adverb(word) and following and is_participle(following[0]):
        return True
    if tokens[at - 1].endswith(","):
        return False
    return (word.endswith("ing") or is_participle(word)) and not _is_modifier(bare, at)


def _is_modifier(bare: list[str], at: int) -> bool:
    """Return whether a participle stands before a noun: "the wine pairing recommendation"."""
    following = bare[at + 1 : at + 2]
    if not following or not bare[at].endswith("ing"):
        return False
    closed = _ENDS | DETERMINERS | _MODIFIES
    later = bare[at + 2 : at + 3]
    return following[0] not in closed and not is_adverb(following[0]) and bool(later) and later[0] in ("for", "of")
