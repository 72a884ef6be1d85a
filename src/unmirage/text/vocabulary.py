"""Which words there are to try: from a tokenizer's vocabulary, or a file. Strings in, strings out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from unmirage.errors import UserError
from unmirage.text.openers import _WORD, opener

_ONE_LETTER = frozenset("ai")
_LONGEST = 40


def real_words(tokens: Iterable[str]) -> list[str]:
    """Return the tokens that are whole lower-case words, sorted, each once.

    Args:
        tokens: decoded pieces of a vocabulary. Only a piece with a space before it can begin a word, so
            "ing" is none and " wing" is one. Whether a language has the word is not checked: give a word list
            where the vocabulary holds many fragments.
    """
    found = {token[1:] for token in tokens if token.startswith(" ")}
    return sorted(
        word for word in found if word.isalpha() and word.islower() and (len(word) > 1 or word in _ONE_LETTER)
    )


def read_words(path: Path) -> list[str]:
    """Return the words of a file, one a line, in order, lower-cased, each once; empty lines are skipped.

    Raises:
        UserError: the file cannot be read, holds no word, or a line is not one word; it names the line.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"word list '{path}': cannot be read ({error}); valid: UTF-8 text, one word a line") from None
    found: dict[str, None] = {}
    for number, line in enumerate(lines, start=1):
        word = line.strip().casefold()
        if not word:
            continue
        if len(word) > _LONGEST or opener(word) != word:
            raise UserError(f"word list '{path}', line {number}: {line[:60]!r} is not one word without punctuation")
        found[word] = None
    if not found:
        raise UserError(f"word list '{path}': holds no word; valid: one word a line")
    return list(found)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return where each word of `text` starts and ends, in characters."""
    return [match.span() for match in _WORD.finditer(text)]
