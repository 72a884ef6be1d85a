"""Text from anywhere in, text that is safe to show out: no escapes, nothing invisible, no credentials."""

from __future__ import annotations

import re
import unicodedata

_ESCAPE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]?")
_SECRET = re.compile(r"(?<=://)[^/\s@]+@|\b(?:hf_|sk-|xox[a-z]-|gh[a-z]_)[A-Za-z0-9_-]{16,}")
_INVISIBLE = {"Cc", "Cf", "Cs"}
# Joiners shape words and emoji in many scripts; the other invisible characters only mislead a reader.
_KEPT = "\n\t\u200c\u200d"


def clean(text: str, longest: int | None = None) -> str:
    """Return `text` without escapes, control and other invisible characters, surrogates or credentials.

    Args:
        text: whatever a file holds.
        longest: characters to keep; what is left out is counted at the end.
    """
    rest = 0 if longest is None else max(0, len(text) - longest)
    kept = text[:longest] if rest else text
    if not kept.isprintable():
        kept = "".join(c for c in _ESCAPE.sub("", kept) if c in _KEPT or unicodedata.category(c) not in _INVISIBLE)
    kept = _SECRET.sub("[hidden]", kept)
    return f"{kept} … ({rest:,} more characters)" if rest else kept


def short(text: str, longest: int = 14) -> str:
    """Return one line of at most `longest` characters, for a label."""
    line = " ".join(clean(text[: 8 * longest]).split())
    return line if len(line) <= longest and len(text) <= 8 * longest else line[: longest - 1] + "…"
