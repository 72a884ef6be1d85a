"""Text from data in, text that is safe to print on a terminal out: no escapes, no markup, one line."""

from __future__ import annotations

from rich.text import Text

from unmirage.text.printable import short

_LONGEST = 60


def plain(text: str, longest: int = _LONGEST) -> Text:
    """Return `text` as one clean line of at most `longest` characters, for rich."""
    # Joiners, which a page needs to shape words, make a terminal miscount its columns.
    return Text("".join(character for character in short(text, longest) if character.isprintable()))
