"""Convert a direct question to an indirect one: "what is the man holding" to "what the man is holding".

"What is happening here" is already in the right order; "is he old" is converted to "whether he is old". The result is
None if the structure of the question is not certain.
"""

from __future__ import annotations

import re

from unmirage.text.english.inflection import past, third_person
from unmirage.text.english.lexicon import (
    AUXILIARIES,
    BASE_VERBS,
    BE,
    DETERMINERS,
    DO,
    HAVE,
    MODALS,
    PERSONS,
    PREPOSITIONS,
    PRONOUNS,
    RELATIVES,
    STRONG_VERBS,
    WH,
    is_adjective,
    is_adverb,
    is_participle,
)
from unmirage.text.english.subjects import Build, bare_words, starts_noun_phrase, subject_end
from unmirage.text.vocabulary import FUNCTION_WORDS

_BUILDS: dict[frozenset[str], Build] = {BE: "be", DO: "verb", MODALS: "verb", HAVE: "have"}
# An auxiliary after these belongs to an embedded clause.
_INSIDE = (RELATIVES | PRONOUNS | {"if", "whether", "because", "while", "how", "what"}) - {"there"}
_SEVERAL = {"is": "are", "was": "were", "has": "have"}
_DOERS = PERSONS | frozenset("dog cat animal bird horse image picture photo meme text sign car company".split())
_WITHOUT_OBJECT = frozenset(
    "happening occurring going standing sitting belonging existing living lying working arising appearing coming "
    "resulting pertaining relating emerging remaining hanging leading running being".split()
)
_NO_VERBS = FUNCTION_WORDS - {"be", "do", "have", "like"}
_KINDS = frozenset("kind type sort kinds types sorts breed species brand color colour".split())
_NAMED = frozenset("called named doing holding wearing".split())
_SECOND_QUESTION = re.compile(
    r"(?:[,;]|\b(?:and|or|but)) (?:(?:what|which|who|whose|where|when|why|how)\b[^,]*?"
    r"\b(?:is|are|was|were|do|does|did|can|could|should|would)\b"
    r"|(?:is|are|was|were|do|does|did|can|could) (?:the|an?|it|he|she|they|you|we|i|this|that|there|these)\b)",
    re.I,
)
_CONTRACTED = re.compile(r"^(what|who|where|how|when|why|which|that|it|there|he|she)['\u2019]s\b", re.I)
_NO_QUESTION = re.compile(r"(?:how|what) (?:about|if|come|to)\b|why (?:not|don't you)\b|where to\b", re.I)


def is_one_question(text: str) -> bool:
    """Return whether no second question seems to start in `text`."""
    return not _SECOND_QUESTION.search(text)


def indirect(question: str) -> str | None:
    """Return the indirect form of a question without a question mark; None if its structure is not certain."""
    tokens = _CONTRACTED.sub(r"\1 is", question).split()
    bare = bare_words(tokens)
    if len(bare) < 2 or _NO_QUESTION.match(question) or not is_one_question(question):
        return None
    if bare[0] in AUXILIARIES:
        end = subject_end(bare, 1, _build(bare[0]), needed=True)
        return None if end is None else _turned(["whether"], tokens, bare, 0, end)
    if bare[0] in WH:
        return _from_wh(tokens, bare)
    if bare[0] in PREPOSITIONS and bare[1] in WH and bare[1] != "how":
        rest = _from_wh(tokens[1:], bare[1:])
        return f"{tokens[0]} {rest}" if rest else None
    return None


def _from_wh(tokens: list[str], bare: list[str]) -> str | None:
    at = next((place for place, word in enumerate(bare) if word in AUXILIARIES), None)
    if at is None or at == 0 or _is_inside(bare[1:at]):
        return " ".join(tokens) if len(bare) > 2 and bare[0] != "why" else None  # "what makes it old"
    if at + 1 >= len(bare):
        return None
    if not _is_inverted(bare, at):
        return " ".join(tokens)
    build = _build(bare[at])
    is_who = at == 1 and bare[0] == "who" and build == "be" and bare[2] in DETERMINERS
    if is_who and bare[-1] not in PREPOSITIONS:  # "who is the man shown here": the participle modifies the subject
        return " ".join([tokens[0], *tokens[2:], tokens[1]])
    end = subject_end(bare, at + 1, build, needed=bare[0] == "why")
    if end is None:
        return None
    if at == 1 and bare[0] in ("what", "which") and build == "be" and _asks_for_noun(bare, at + 1, end):
        return None
    return _turned(tokens[:at], tokens, bare, at, end)


def _build(auxiliary: str) -> Build:
    return next(build for kind, build in _BUILDS.items() if auxiliary in kind)


def _is_inside(between: list[str]) -> bool:
    """Return whether a clause begins between the question word and the auxiliary."""
    return any(
        word in _INSIDE or (word in ("the", "a", "an", "this", "these") and between[place - 1] not in PREPOSITIONS)
        for place, word in enumerate(between)
    )


def _is_inverted(bare: list[str], at: int) -> bool:
    """Return whether the subject follows the auxiliary, unlike in "what is happening"."""
    following, auxiliary = bare[at + 1], bare[at]
    if auxiliary in HAVE:
        return not is_participle(following) and any(is_participle(word) for word in bare[at + 2 :])
    if at > 1 and auxiliary in BE and (bare[1] == "of" or _is_superlative(bare[at + 1 :])):
        return False  # "which of these is the largest"
    if starts_noun_phrase(following) or auxiliary in DO:
        return True
    if bare[0] in ("why", "when", "where") or (bare[0] == "how" and at == 1):
        return True
    if at > 2 and auxiliary in BE and bare[1] in _KINDS and len(bare) == at + 2:  # "what kind of drug is meth"
        return not (is_participle(following) or is_adjective(following) or is_adverb(following))
    if auxiliary in MODALS:
        return not (following in BASE_VERBS or following in ("be", "not") or is_adverb(following))
    if following == "being":
        return False
    closed = following in PREPOSITIONS or is_adverb(following) or following == "not"
    return at == 1 and not (closed or is_participle(following) or is_adjective(following))


def _is_superlative(words: list[str]) -> bool:
    return words[:1] == ["the"] and bool({"most", "least", "best", "worst"} & set(words) or words[-1].endswith("est"))


def _asks_for_noun(bare: list[str], start: int, end: int) -> bool:
    """Return whether the noun phrase is the answer ("the event taking place"), not an agent ("the man holding")."""
    first, rest = bare[start], bare[end:]
    if first in PRONOUNS or end == start + 1 or not starts_noun_phrase(first):
        return False
    if not rest:
        return True
    does = bool(_DOERS & _core(bare[start:end]))
    if "that" in bare[start:] and not (does and rest[0] == "doing"):
        return True  # the gap is in a relative clause
    if rest[0] == "like" or rest[-1] in PREPOSITIONS or rest[-1] in _NAMED:
        return False
    if rest[-2:-1] == ["to"] and rest[-1] in BASE_VERBS | {"do"}:  # "these signs meant to represent"
        return False
    at = next((place for place, word in enumerate(rest) if not is_adverb(word)), 0)
    doing, behind = rest[at], rest[at + 1 : at + 2]
    misses_object = (not behind or behind[0] in PREPOSITIONS) and doing not in _WITHOUT_OBJECT
    return not (doing.endswith("ing") and (misses_object or does))


def is_coordinated(subject: list[str]) -> bool:
    """Return whether two noun phrases make the subject: "the hat and coat of the man", not "black and white tones"."""
    ends = [place for place, word in enumerate(subject) if word in PREPOSITIONS | RELATIVES]
    core = subject[: ends[0]] if ends else subject
    places = [place for place, word in enumerate(core) if word == "and"]
    if not places or places[0] < 2 or places[0] + 1 >= len(core):
        return False
    before, behind = core[places[0] - 1], core[places[0] + 1]
    return not (is_adjective(before) or is_participle(before) or core[0] in ("these", "those", "this", "that")) or (
        behind in DETERMINERS
    )


def _core(subject: list[str]) -> set[str]:
    """Return the words of a subject up to its first preposition."""
    ends = [place for place, word in enumerate(subject) if word in PREPOSITIONS]
    return set(subject[: ends[0]] if ends else subject)


def _turned(lead: list[str], tokens: list[str], bare: list[str], at: int, end: int) -> str | None:
    """Move the auxiliary behind the subject, or inflect the verb for "do"; None if there is no verb."""
    subject, rest = tokens[at + 1 : end], tokens[end:]
    auxiliary = tokens[at] if at else tokens[at].lower()
    several = is_coordinated(bare[at + 1 : end])
    if several and auxiliary in _SEVERAL:  # "what is the name and age of the man": both are asked for
        auxiliary = _SEVERAL[auxiliary]
    if bare[at] not in ("do", "does", "did") or bare[end : end + 1] == ["not"]:
        return " ".join([*lead, *subject, auxiliary, *rest])
    verb = next((place for place, word in enumerate(bare[end:]) if not is_adverb(word)), None)
    if verb is None:
        return " ".join([*lead, *subject, auxiliary, *rest])
    if bare[end + verb] in _NO_VERBS:  # "does this by"
        return None
    form = None if several and bare[at] == "does" else {"does": third_person, "did": past}.get(bare[at])
    if form:
        for place in range(verb, len(rest)):
            linked = (
                place == verb + 2
                and bare[end + place - 1] in ("and", "or")
                and bare[end + place] in STRONG_VERBS | {"stand"}
            )
            if place == verb or linked:
                stem = rest[place].rstrip(".,;:!?")
                rest[place] = form(stem) + rest[place][len(stem) :]
    return " ".join([*lead, *subject, *rest])
