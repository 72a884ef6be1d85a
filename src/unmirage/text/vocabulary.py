"""Candidate words for `unmirage search`, from a tokenizer's vocabulary or a word list."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from unmirage.errors import UserError
from unmirage.text.openers import opener

FUNCTION_WORDS = frozenset(
    (
        # determiners and quantifiers
        "a an the this that these those each every either neither some any no all both half many much more most few "
        "less several other another such "
        # pronouns
        "i me my mine myself you your yours yourself he him his himself she her hers herself it its itself we us our "
        "ours they them their theirs themselves one ones someone anyone everyone something anything everything "
        # question words
        "what which who whom whose when where why how whether "
        # prepositions
        "of in on at by for with about against between into through during before after above below to from up down "
        "out off over under behind beside near around across along toward towards within without upon like as than "
        "per via "
        # conjunctions
        "and or but nor so yet if because while although though unless until since "
        # auxiliaries and modals
        "am is are was were be been being do does did doing have has had having can could will would shall should may "
        "might must isn't aren't wasn't weren't don't doesn't didn't can't couldn't won't wouldn't shouldn't hasn't "
        "haven't hadn't cannot "
        # adverbs of degree, place and negation; the polite word
        "not never also only just very too then there here now again please"
    ).split()
)


_ONE_LETTER = frozenset("ai")
_LONGEST = 40


def real_words(tokens: Iterable[str]) -> list[str]:
    """Return the tokens that are whole lower-case words, sorted and unique.

    Args:
        tokens: decoded tokens of a vocabulary. Only tokens with a leading space begin a word: " wing" counts, "ing"
            does not. Words are not checked against a dictionary; use a word list if the vocabulary has many fragments.
    """
    found = {token[1:] for token in tokens if token.startswith(" ")}
    return sorted(
        word for word in found if word.isalpha() and word.islower() and (len(word) > 1 or word in _ONE_LETTER)
    )


def read_words(path: Path) -> list[str]:
    """Return the unique words of a file with one word per line, in order and lower-cased; skip empty lines.

    Raises:
        UserError: the file is unreadable or empty, or a line is not one word.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"word list '{path}': cannot be read ({error}); valid: UTF-8 text, one word per line") from None
    found: dict[str, None] = {}
    for number, line in enumerate(lines, start=1):
        word = line.strip().casefold()
        if not word:
            continue
        if len(word) > _LONGEST or opener(word) != word:
            raise UserError(f"word list '{path}', line {number}: {line[:60]!r} is not one word without punctuation")
        found[word] = None
    if not found:
        raise UserError(f"word list '{path}': contains no words; valid: one word per line")
    return list(found)
