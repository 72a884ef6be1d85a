"""Find degenerate responses: texts without content, such as empty ones and loops."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w")


def degenerate(text: str) -> str | None:
    """Return what makes a text degenerate, such as "empty"; None if it is not degenerate."""
    return None if _WORD.search(text) else "empty"
