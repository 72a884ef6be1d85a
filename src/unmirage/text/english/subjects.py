"""Find the end of the subject in an English question: "is | the man in the picture | wearing a hat".

The subject is a noun phrase with its modifiers. The predicate starts at the first word that cannot continue it. Nouns
are an open class, so the rules rely on the other word classes.
"""

from __future__ import annotations

from typing import Literal

from unmirage.text.english.lexicon import (
    ADVERBS,
    AUXILIARIES,
    BASE_VERBS,
    CONJUNCTIONS,
    DEMONSTRATIVES,
    DETERMINERS,
    NUMBERS,
    PERSONS,
    POSSESSIVES,
    PREPOSITIONS,
    PRONOUNS,
    RELATIVES,
    STRONG_VERBS,
    WEAK_VERBS,
    is_adjective,
    is_adverb,
    is_participle,
)

Build = Literal["be", "verb", "have"]

# Adjectives that are often nouns: they start a predicate only if no noun follows.
_NOUN_LIKE = frozenset(
    "light orange human square male female inside outside poor rich public native official present fat gold silver "
    "fast fair single individual flat right left model foreign special sick dead close well far".split()
)
_PARTICLES = frozenset("on off up down out".split())
_PICTURES = frozenset("image picture photo photograph painting meme video scene".split())
_LONGEST = 60  # words of a question that are looked at


def bare_words(tokens: list[str]) -> list[str]:
    """Return the tokens lower-cased and without punctuation around them, clitics kept."""
    return [token.casefold().replace("\u2019", "'").strip('.,;:!?"“”‘()[]') for token in tokens]


def starts_noun_phrase(word: str) -> bool:
    """Return whether `word` always starts a noun phrase."""
    return word in DETERMINERS or word in PRONOUNS or word in NUMBERS or is_possessive(word) or word.isdigit()


def is_possessive(word: str) -> bool:
    """Return whether `word` is a possessive: "his", "man's"."""
    return word in POSSESSIVES or word.endswith(("'s", "s'"))


def subject_end(bare: list[str], start: int, build: Build, *, needed: bool) -> int | None:
    """Return the end of the subject that begins at `start`; None if it is not certain.

    Args:
        bare: the words of the question.
        start: index after the auxiliary.
        build: type of the auxiliary: "be" takes a predicate, "verb" a base verb, "have" a participle.
        needed: whether something must follow the subject ("is she happy", unlike "who is she").
    """
    count = len(bare)
    if start >= count or count > _LONGEST:
        return None
    first = bare[start]
    if first in PRONOUNS or (first == "one" and bare[start + 1 : start + 2] and bare[start + 1] in BASE_VERBS):
        end = start + 1 + (bare[start + 1 : start + 2] == ["else"])
        return end if end < count or not needed else None
    if first in DEMONSTRATIVES and _stands_alone(bare, start + 1, build):
        return start + 1 if start + 1 < count or not needed else None
    return _Scan(bare, start, build, needed=needed).end()


def _stands_alone(bare: list[str], at: int, build: Build) -> bool:
    """Return whether "this" is the whole subject ("is this a cat") or only starts it ("is this cat old")."""
    if at == len(bare):
        return True
    word, following = bare[at], bare[at + 1 : at + 2]
    if word in ("one", "kind", "type", "sort"):
        return False
    if word in DETERMINERS or word in PREPOSITIONS or is_adverb(word) or word in POSSESSIVES:
        return True
    if build == "verb":
        return word in BASE_VERBS and not (word in WEAK_VERBS and following and following[0] in BASE_VERBS)
    closed = not following or following[0] in PREPOSITIONS | CONJUNCTIONS | DETERMINERS | ADVERBS
    return (is_adjective(word) or is_participle(word)) and closed


class _Scan:
    """A scan from the first word of the subject to the first word of the predicate."""

    def __init__(self, bare: list[str], start: int, build: Build, *, needed: bool) -> None:
        self.bare, self.start, self.build, self.needed = bare, start, build, needed
        self.count = len(bare)
        self.phrases: list[int] = []  # start indices of prepositional phrases
        self.nouns = 0
        self.skipped_verb = False

    def end(self) -> int | None:
        at, has_noun = self.start, False
        while at < self.count:
            if not has_noun:
                has_noun = self._is_noun(at)
                self.nouns += has_noun
                at += 1
                continue
            if self._ends_at(at):
                return self._final_adjective(at)
            at, has_noun = self._go_on(at)
        return self._guess()

    def _next(self, at: int) -> str:
        return self.bare[at + 1] if at + 1 < self.count else ""

    def _is_noun(self, at: int) -> bool:
        """Return whether the word at `at` is the noun that the phrase still lacks."""
        word, following = self.bare[at], self._next(at)
        if word in DETERMINERS or word in NUMBERS or is_possessive(word) or word == "of":
            return False
        opens = is_adjective(word) or is_adverb(word) or (is_participle(word) and at > self.start)
        goes_on = (
            following and following not in PREPOSITIONS | CONJUNCTIONS | AUXILIARIES | DETERMINERS | PRONOUNS | ADVERBS
        )
        if self.bare[at - 1] == "of" and is_adjective(word) and following.endswith("ing"):
            return False  # "the causes of sudden flooding"
        if word in ("left", "right") and (is_adjective(following) or self.bare[at + 2 : at + 3] == ["than"]):
            return True
        if opens and goes_on and self.build != "verb":
            return is_participle(following) and not is_adverb(word)
        return not (opens and goes_on and following not in BASE_VERBS)

    def _ends_at(self, at: int) -> bool:
        word, following = self.bare[at], self._next(at)
        if word.endswith(("'s", "s'")):
            return False  # "the main subject's hat": the assumed noun only modifies another
        if word == "not":
            return True
        if is_adverb(word):
            return self.build != "verb" or following in BASE_VERBS or is_adverb(following)
        if self.build == "verb":
            return self._is_base_verb(at)
        if word in PREPOSITIONS and (not following or (word in _PARTICLES and following in PREPOSITIONS - {"of"})):
            return True  # "are the lights on in the room"
        if word == "like" and not self.needed and following in PREPOSITIONS:
            return True  # "what is the weather like in the picture"
        if is_participle(word):
            return self.build == "have" or self.needed or following != "by"
        if self.build == "have":
            return False
        if following == "than":
            return True
        if is_adjective(word):
            follows = not following or following in PREPOSITIONS | CONJUNCTIONS | ADVERBS
            return follows or word not in _NOUN_LIKE
        relative = AUXILIARIES & set(self.bare[at + 1 :])
        return starts_noun_phrase(word) and not word.isdigit() and not relative

    def _is_base_verb(self, at: int) -> bool:
        word, following = self.bare[at], self._next(at)
        if self.skipped_verb and word in BASE_VERBS:
            self.skipped_verb = False
            return False
        if word == "like" and "be" in self.bare[at + 1 :]:
            return False  # "might a test like the one shown be used"
        if word in WEAK_VERBS and following in PREPOSITIONS and self._ends_with_verb():
            return False  # "does the process of painting work"
        if word in BASE_VERBS or word == "be":
            return not (word in WEAK_VERBS and following in BASE_VERBS - {"like"})
        known = word in PREPOSITIONS | CONJUNCTIONS | RELATIVES or starts_noun_phrase(word)
        return starts_noun_phrase(following) and not known and not is_participle(word)

    def _ends_with_verb(self) -> bool:
        before = self.bare[-2]
        closed = before in DETERMINERS or before in PREPOSITIONS or is_adjective(before)
        return not closed and self.bare[-1] in STRONG_VERBS | {"work"}

    def _go_on(self, at: int) -> tuple[int, bool]:
        """Return the next index, and whether the current noun phrase already has its noun."""
        word = self.bare[at]
        if word in CONJUNCTIONS or word == "of" or word.endswith(("'s", "s'")):
            return at + 1, False
        if word in RELATIVES or (starts_noun_phrase(word) and not word.isdigit()):
            return self._past_relative(at)
        if word in PREPOSITIONS:
            self.phrases.append(at)
            return at + 1, False
        self.nouns += 1
        return at + 1, True

    def _past_relative(self, at: int) -> tuple[int, bool]:
        auxiliary = next((place for place in range(at + 1, self.count) if self.bare[place] in AUXILIARIES), None)
        if auxiliary is None:
            self.skipped_verb = True
            return at + 1, self.bare[at] in RELATIVES
        behind = auxiliary + 1
        while behind < self.count and (
            self.bare[behind] in ("be", "been", "being", "have") or is_adverb(self.bare[behind])
        ):
            behind += 1
        behind += behind < self.count and (is_participle(self.bare[behind]) or self.bare[behind] in BASE_VERBS)
        return behind, not (behind < self.count and starts_noun_phrase(self.bare[behind]))

    def _final_adjective(self, at: int) -> int:
        """Return the last index if a participle modifies the subject ("the man standing there happy"), else `at`."""
        last = self.count - 1
        reduced = self.needed and self.build == "be" and is_participle(self.bare[at]) and at + 2 < last
        if reduced and is_adjective(self.bare[last]) and self.bare[last] not in _NOUN_LIKE:
            before = self.bare[last - 1]
            in_phrase = PREPOSITIONS & set(self.bare[at + 1 : last - 1])
            if in_phrase and before not in PREPOSITIONS | DETERMINERS | PRONOUNS | CONJUNCTIONS | ADVERBS:
                return last
        return at

    def _guess(self) -> int | None:
        """Return the most likely end if no word marks it."""
        first = self.bare[self.start]
        if self.build == "verb":
            return self.count - 1 if self.nouns > 1 and not self.phrases else None
        if self.build == "have":
            return None
        if not self.needed:
            return self.count
        if first in DEMONSTRATIVES and not self.phrases:
            return self.count - 1 if self.bare[self.start + 1] in PERSONS and self.nouns > 1 else self.start + 1
        if self.phrases:
            shown = len(self.phrases) > 1 and bool(_PICTURES & set(self.bare[self.phrases[0] : self.phrases[1]]))
            return self.phrases[shown]
        return self.count - 1 if self.nouns > 1 else None
