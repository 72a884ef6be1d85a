"""Shared parts of the audit tables: feature names, shares and points as text."""

from __future__ import annotations

from rich import box
from rich.table import Table

PROBE_NAMES = {
    "majority": "nothing (guess the majority)",
    "opener": "the first word",
    "first_words": "the first three words",
    "shape": "length, punctuation, capitals",
    "template": "the sentence template",
    "words_without_opener": "all words but the first",
    "words": "all words",
    "image": "the picture's size, brightness, colors",
    "words_and_image": "all words, and the picture",
    "image_embedding": "the picture's embedding by the encoder",
}


def new_table(title: str | None, caption: str | None = None) -> Table:
    """Return an empty table in the common style."""
    return Table(
        title=title, title_justify="left", caption=caption, caption_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0)
    )


def counted(number: int, thing: str) -> str:
    """Return "1 record" or "2,000 records"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def share(value: float | None) -> str:
    """Return a share in percent, or "not estimable"."""
    return "not estimable" if value is None else f"{value:.1%}"


def points(gap: float | None) -> str:
    """Return a difference of two shares in percentage points, or "not estimable"."""
    return "not estimable" if gap is None else f"{100 * gap:.1f}"
