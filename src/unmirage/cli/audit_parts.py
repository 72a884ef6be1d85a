"""Small parts that the tables of an audit share: names in plain words, shares and points as text."""

from __future__ import annotations

from rich import box
from rich.table import Table

PROBE_NAMES = {
    "majority": "nothing (guess the majority)",
    "opener": "the first word",
    "first_words": "the first three words",
    "shape": "length, punctuation, capitals",
    "template": "the sentence's template",
    "words_without_opener": "all words but the first",
    "words": "all words",
    "image": "the picture's size, light, colours",
    "words_and_image": "all words, and the picture",
    "image_embedding": "the picture, as the encoder sees it",
}


def new_table(title: str | None, caption: str | None = None) -> Table:
    """Return an empty table that looks like all others."""
    return Table(
        title=title, title_justify="left", caption=caption, caption_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0)
    )


def counted(number: int, thing: str) -> str:
    """Return "1 record" or "2,000 records"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def share(value: float | None) -> str:
    """Return a share in per cent, or that there is none."""
    return "not estimable" if value is None else f"{value:.1%}"


def points(gap: float | None) -> str:
    """Return a difference of two shares in points, or that there is none."""
    return "not estimable" if gap is None else f"{100 * gap:.1f}"
