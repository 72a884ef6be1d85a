"""The contract of a rewriter: queries and the words they shall open with in, rewrites out, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Protocol

from unmirage.text.openers import words

Goal = Literal["open", "avoid"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rewrites of one query.

    Attributes:
        query: what is to be asked in other words.
        word: one word or several, such as "what are".
        shots: how many rewrites, all different.
        goal: "open" with the word, or "avoid" it: paraphrases that do without.
    """

    query: str
    word: str
    shots: int
    goal: Goal


class Rewriter(Protocol):
    """Asks the same in other words."""

    name: str

    @property
    def report(self) -> RewriteReport:
        """Return what became of all rewrites since the rewriter was made."""
        ...

    def reword(self, wanted: Sequence[Wanted], progress: Progress | None = None) -> list[list[str]]:
        """Return up to `shots` rewrites for each, in the order of `wanted`; the query itself is never among them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteReport:
    """What became of the rewrites.

    Attributes:
        rewriter: its name.
        queries: queries to rewrite.
        asked: rewrites wanted of them.
        kept: rewrites given.
        dropped_opener: dropped as they did not open with the word, or used the one to avoid.
        dropped_meaning: dropped as they lost what the query asks for.
        dropped_repeats: dropped as they repeated the query or another rewrite.
        from_rules: of those kept, made by rules as the model gave too few.
        from_cache: of those kept, taken from the cache.
        failed: queries for which the model could not be asked.
    """

    rewriter: str
    queries: int = 0
    asked: int = 0
    kept: int = 0
    dropped_opener: int = 0
    dropped_meaning: int = 0
    dropped_repeats: int = 0
    from_rules: int = 0
    from_cache: int = 0
    failed: int = 0

    @property
    def missing(self) -> int:
        """Return how many rewrites could not be had."""
        return self.asked - self.kept

    def plus(self, **counts: int) -> RewriteReport:
        """Return the report with these counts added."""
        return replace(self, **{name: getattr(self, name) + count for name, count in counts.items()})

    def to_json(self) -> dict[str, Any]:
        """Return all counts, those that follow from others included."""
        return {**asdict(self), "missing": self.missing}

    def summary(self) -> str:
        """Return one line for people: how many were dropped and why, and where the others come from."""
        dropped = {
            "lost the meaning": self.dropped_meaning,
            "missed the word": self.dropped_opener,
            "repeated another": self.dropped_repeats,
        }
        notes = [f"{self.kept:,} of {self.asked:,} rewrites by {self.rewriter}"]
        if any(dropped.values()):
            why = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)
            notes.append(f"dropped {sum(dropped.values()):,} ({why})")
        if self.from_rules:
            notes.append(f"{self.from_rules:,} filled in by rules")
        if self.from_cache:
            notes.append(f"{self.from_cache:,} from the cache")
        if self.failed:
            notes.append(f"the model could not be asked about {self.failed:,} queries")
        return "; ".join(notes)


def fits(text: str, wanted: Wanted) -> bool:
    """Say whether `text` opens with the word; or, where it is to be avoided, does without it.

    A query that needs the word itself may keep it, but not in front.
    """
    found, sought = words(text), words(wanted.word)
    if wanted.goal == "open":
        return bool(sought) and found[: len(sought)] == sought
    if not found or found[: len(sought)] == sought:
        return False
    return not _contains(found, sought) or _contains(words(wanted.query), sought)


def same_words(text: str) -> tuple[str, ...]:
    """Return what makes two rewrites the same."""
    return tuple(words(text))


def _contains(text: list[str], part: list[str]) -> bool:
    return any(text[start : start + len(part)] == part for start in range(len(text) - len(part) + 1))
