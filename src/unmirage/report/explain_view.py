"""Split explained queries into tinted pieces of text: words, and the text between them."""

from __future__ import annotations

from dataclasses import dataclass

from unmirage.attack.documents import ExplainedQuery, Explanation, WordChange
from unmirage.text.formatting import signed_points

MOST_QUERIES = 12
MOST_WORDS = 200
_LEVELS = 5
_LEAST_SCALE = 0.05  # smaller changes are noise and must not get the strongest tint


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a query. `tint` is "up1" .. "up5", "down1" .. "down5", or empty."""

    text: str
    tint: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class ShownQuery:
    """A query in pieces, and its words as in the document."""

    query: ExplainedQuery
    pieces: tuple[Piece, ...]
    words: tuple[WordChange, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """The queries to show, the number of others, and the change at the strongest tint (a share)."""

    model: str
    queries: tuple[ShownQuery, ...]
    rest: int
    scale: float


def explain_view(document: Explanation) -> Explained | None:
    """Return the first queries; None if there are none. All tints use one scale."""
    shown = document.queries[:MOST_QUERIES]
    if not shown:
        return None
    strongest = max((abs(word.change or 0.0) for query in shown for word in query.words), default=0.0)
    scale = max(strongest, _LEAST_SCALE)
    queries = tuple(ShownQuery(one, _pieces(one, scale), tuple(one.words[:MOST_WORDS])) for one in shown)
    return Explained(document.model, queries, len(document.queries) - len(shown), scale)


def tint(change: float | None, scale: float) -> str:
    """Return the CSS class of a change: its direction, and its strength in fifths of the scale."""
    level = round(_LEVELS * min(1.0, abs(change or 0.0) / scale))
    return f"{'up' if change and change > 0 else 'down'}{level}" if level else ""


def _pieces(query: ExplainedQuery, scale: float) -> tuple[Piece, ...]:
    """Split the text at its words; a word with an invalid or overlapping position has no tint."""
    pieces, at = [], 0
    for word in sorted(query.words[:MOST_WORDS], key=lambda one: one.start):
        if at <= word.start < word.end <= len(query.text):
            pieces.append(Piece(query.text[at : word.start]))
            pieces.append(Piece(query.text[word.start : word.end], tint(word.change, scale), _title(word)))
            at = word.end
    pieces.append(Piece(query.text[at:]))
    return tuple(piece for piece in pieces if piece.text)


def _title(word: WordChange) -> str:
    return "" if word.change is None else f"{signed_points(word.change)} points"
