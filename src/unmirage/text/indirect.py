"""An English question in, the clause that stands for it after "tell me" out: "what the man is holding".

"What is the man holding" turns subject and verb back round; "what is happening here" has nothing to turn. Only
forms that can be told apart by their words are turned; for all others the answer is None.
"""

from __future__ import annotations

import re

from unmirage.text.openers import words

WH = frozenset("what which who whose where when why how".split())
_BE = frozenset("is are was were".split())
_DO = frozenset("do does".split())
_MODALS = frozenset("can could will would should might may must".split())
_AUXILIARIES = _BE | _DO | _MODALS
_SUBJECT_STARTS = frozenset(
    "the a an this that these those his her their its your my our he she it they we you i people someone".split()
)
_PRONOUNS = frozenset("he she it they we you i this that these those people someone".split())
_ADVERBS = frozenset(
    "likely most possibly probably also typically usually currently primarily mainly potentially".split()
)
# A relative clause inside the question's first words: the verb behind it is not the question's own.
_RELATIVE = frozenset("that who which whose where when".split())
_BASE_VERBS = frozenset(
    (
        "advertise appear apply attend attempt be belong brand call carry celebrate come communicate consider contain "
        "convey demonstrate denote depict describe display do eat evoke express face feel find follow give go happen "
        "have help hold illustrate imply indicate intend involve know look make mean mention need occur offer perform "
        "play portray prepare present promote provide read refer reference reflect represent reveal say see seem "
        "serve show signify stand suggest symbolise symbolize take tell think try use want warn wear work"
    ).split()
)
_PARTICIPLES = frozenset("made shown worn held seen known drawn given taken built done set sitting".split())
_BEINGS = frozenset(
    "person man woman people men women child children boy girl baby individual individuals character characters "
    "couple crowd group player dog cat animal bird image picture photo meme text sign".split()
)
# A comma before these goes on with the same question; any other may start a second one.
_GOES_ON = r"(?! (?:based|as|according|given|considering|judging)\b)"
_SECOND_QUESTION = re.compile(
    rf",{_GOES_ON}|;|\b(?:and|or|but) (?:what|which|who|whose|where|when|why|how|is|are|can|could)\b", re.I
)


def is_one_question(text: str) -> bool:
    """Return whether nothing in `text` looks like the start of a second question."""
    return not _SECOND_QUESTION.search(text)


def indirect(question: str) -> str | None:
    """Return the indirect form of a question without its question mark, or None where its build is not certain."""
    tokens = question.split()
    bare = [next(iter(words(token)), "") for token in tokens]
    if not bare or bare[0] not in WH or bare[0] != tokens[0].casefold() or not is_one_question(question):
        return None
    at = next((place for place, word in enumerate(bare) if word in _AUXILIARIES), None)
    if at is None or _RELATIVE & set(bare[1:at]):
        return question if len(bare) > 2 else None  # "what elements show that it is old": the subject is asked for
    if at + 1 >= len(bare) or bare[at + 1] not in _SUBJECT_STARTS:
        return question if bare[at] not in _DO else None
    end = _subject_end(bare, at)
    if end is None:
        return None
    if at == 1 and bare[0] == "what" and bare[at] in _BE and not _is_doing(bare[at + 1 : end], bare[end:]):
        return None  # "what is the theme shown": the noun itself is asked for
    subject, rest = tokens[at + 1 : end], tokens[end:]
    if bare[at] not in _DO:
        return " ".join([*tokens[:at], *subject, tokens[at], *rest])
    verb = sum(word in _ADVERBS for word in bare[end : end + 2])
    if bare[at] == "does":
        rest[verb] = _third_person(rest[verb])
    return " ".join([*tokens[:at], *subject, *rest])


def _subject_end(bare: list[str], at: int) -> int | None:
    """Return where the subject behind the auxiliary ends, None where that cannot be told."""
    is_verb = _is_participle if bare[at] in _BE else _BASE_VERBS.__contains__
    first = at + (2 if bare[at + 1] in _PRONOUNS else 3)
    for place in range(first, len(bare)):
        if is_verb(bare[place]) and bare[place + 1 : place + 2] != ["by"]:
            while bare[place - 1] in _ADVERBS:
                place -= 1
            return place if place > at + 1 else None
    # "what colour is the car": all that follows is the subject.
    is_copula = (
        bare[at] in _BE
        and bare[0] not in ("why", "how")
        and not any(word.endswith(("ing", "ed")) for word in bare[first:])
    )
    return len(bare) if is_copula else None


def _is_doing(subject: list[str], rest: list[str]) -> bool:
    """Tell "the man holding" from "the event taking place": only the former is a sentence without its verb."""
    doing = next((word for word in rest if word not in _ADVERBS), "")
    return subject[0] in _PRONOUNS - {"this", "that"} or (doing.endswith("ing") and bool(_BEINGS & set(subject[1:3])))


def _is_participle(word: str) -> bool:
    return word in _PARTICIPLES or (len(word) > 4 and word.endswith(("ing", "ed")))


def _third_person(verb: str) -> str:
    if verb in ("have", "do", "go"):
        return {"have": "has", "do": "does", "go": "goes"}[verb]
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z")) else "s")
