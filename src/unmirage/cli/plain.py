"""Text from data in, text that is safe to print on a terminal out: no escapes, no markup, one line."""

from __future__ import annotations

import re

from rich.text import Text

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_LONGEST = 60


def plain(text: str, longest: int = _LONGEST) -> Text:
    """Return `text` without terminal escapes and invisible characters, cut to `longest`, for rich."""
    head = _ESCAPE.sub("", text[: 4 * longest])
    kept = "".join(character if character.isprintable() else " " for character in head).strip()
    return Text(kept if len(kept) <= longest and len(text) <= 4 * longest else kept[: longest - 1] + "…")
