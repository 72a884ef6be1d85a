"""Make text from data safe to print on a terminal: no escapes, no markup, one line."""

from __future__ import annotations

from rich.text import Text

from unmirage.text.printable import short

_LONGEST = 60


def plain(text: str, longest: int = _LONGEST) -> Text:
    """Return `text` as one clean line of at most `longest` characters, for rich."""
    # Joiners, which pages need to shape words, make terminals miscount columns.
    return Text("".join(character for character in short(text, longest) if character.isprintable()))
