"""A clause in, the questions with its question word out: "what he has" gives "What would you say he has?"."""

from __future__ import annotations

from unmirage.text.inflection import third_persons
from unmirage.text.lexicon import (
    AUXILIARIES,
    BASE_VERBS,
    BE,
    HAVE,
    MODALS,
    PREPOSITIONS,
    STRONG_VERBS,
    WH,
    is_participle,
)
from unmirage.text.subjects import bare_words, starts_noun_phrase

_INSIDE = frozenset("who which that where when why how if whether because while what".split())
_OPINION = frozenset("think say believe".split())
_WHETHER = BE | MODALS | HAVE


def direct(clause: str, word: str) -> str | None:
    """Return the question that `clause` stands for if it opens with `word` and its build is certain, or None."""
    tokens = clause.split()
    bare = bare_words(tokens)
    if len(bare) < 3 or "," in clause.rstrip(",") or {"and", "or"} & set(bare):
        return None
    at = next((place for place, token in enumerate(bare) if token in AUXILIARIES), None)
    if at is None or at == 0 or _INSIDE & set(bare[1:at]) or sum(token in AUXILIARIES for token in bare) > 1:
        return None
    if bare[0] == "whether":
        turned = bare[at] == word and word in _WHETHER and at > 1
        return " ".join([tokens[at], *tokens[1:at], *tokens[at + 1 :]]) + "?" if turned else None
    if bare[0] != word or word not in WH:
        return None
    subject = next(
        (place for place in range(2 if bare[1] in ("many", "much") else 1, at) if _starts(tokens, bare, place)), None
    )
    if subject is None:
        plain = word in ("what", "who", "which") or (word == "how" and bare[1] in ("many", "much"))
        return " ".join(tokens) + "?" if plain and at < len(tokens) - 1 else None
    if any(_is_finite(token) for token in bare[subject + 1 : at]):
        return None
    return " ".join([*tokens[:subject], tokens[at], *tokens[subject:at], *tokens[at + 1 :]]) + "?"


def _is_finite(word: str) -> bool:
    """Return whether `word` looks like a verb of its own, so that an auxiliary behind it belongs elsewhere."""
    return word in STRONG_VERBS or word == "to" or word in third_persons(BASE_VERBS)


def opined(clause: str, word: str) -> list[str]:
    """Return the questions for one's view of `clause` that open with `word`: "What would you say he is holding?"."""
    tokens = clause.split()
    bare = bare_words(tokens)
    if bare[0] != word or word not in WH or "," in clause:
        return []
    if any(word in ("and", "or") and WH & set(bare[place + 1 : place + 3]) for place, word in enumerate(bare)):
        return []
    cut = _behind_question_phrase(tokens, bare)
    if cut is None or bare[cut] == "you":
        return []
    if "would" in bare:
        return [" ".join([*tokens[:cut], "do you think", *tokens[cut:]]) + "?"]
    return [" ".join([*tokens[:cut], asking, *tokens[cut:]]) + "?" for asking in ("would you say", "do you think")]


def _behind_question_phrase(tokens: list[str], bare: list[str]) -> int | None:
    """Return where "what type of drink" ends: before the auxiliary, or before the subject that has one behind it."""
    first = 2 if bare[1:2] in (["many"], ["much"]) else 1
    starts = (place for place in range(first, len(bare)) if bare[place] in AUXILIARIES or _starts(tokens, bare, place))
    cut = next(starts, None)
    if cut is None or _OPINION & set(bare) or _INSIDE & set(bare[1:cut]):
        return None
    doing = (
        is_participle(word)
        or (place == 1 and word in third_persons(STRONG_VERBS))
        or (word in STRONG_VERBS and place > 1 and bare[place - 1] != "of")
        for place, word in enumerate(bare[:cut])
    )
    return None if any(doing) else cut


def _starts(tokens: list[str], bare: list[str], place: int) -> bool:
    """Return whether a subject starts at `place`; a name in capitals goes on with what is before it."""
    named = tokens[place][:1].isupper() and bare[place] != "i"
    return starts_noun_phrase(bare[place]) and bare[place - 1] not in PREPOSITIONS and not named
