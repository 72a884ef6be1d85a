"""Take the place that a file reserves for the picture out of a query. Strings in, strings out."""

from __future__ import annotations

import re

_PLACEHOLDER = re.compile(r"\s*<image>\s*")


def without_placeholder(query: str) -> str:
    """Return `query` without `<image>`, and without the white space around it."""
    return _PLACEHOLDER.sub(" ", query).strip() if "<image>" in query else query
