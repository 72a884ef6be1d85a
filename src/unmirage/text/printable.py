"""Make untrusted text safe to display: no terminal escapes, invisible characters or credentials."""

from __future__ import annotations

import re
import unicodedata

_ESCAPE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]?")
_SECRET = re.compile(r"(?<=://)[^/\s@]+@|\b(?:hf_|sk-|xox[a-z]-|gh[a-z]_)[A-Za-z0-9_-]{16,}")
_INVISIBLE = {"Cc", "Cf", "Cs"}
# Many scripts and emoji need joiners; other invisible characters can only mislead a reader.
_KEPT = "\n\t\u200c\u200d"


def clean(text: str, longest: int | None = None) -> str:
    """Return `text` without escapes, control and other invisible characters, surrogates or credentials.

    Args:
        text: untrusted text.
        longest: maximum characters to keep; the number of omitted characters is appended.
    """
    rest = 0 if longest is None else max(0, len(text) - longest)
    kept = text[:longest] if rest else text
    if not kept.isprintable():
        kept = "".join(c for c in _ESCAPE.sub("", kept) if c in _KEPT or unicodedata.category(c) not in _INVISIBLE)
    kept = _SECRET.sub("[hidden]", kept)
    return f"{kept} … ({rest:,} more characters)" if rest else kept


def short(text: str, longest: int = 14) -> str:
    """Return a label: one line of at most `longest` characters."""
    line = " ".join(clean(text[: 8 * longest]).split())
    return line if len(line) <= longest and len(text) <= 8 * longest else line[: longest - 1] + "…"
