"""Interface of rewriters, which reword queries to open with a word or avoid it, and their report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Protocol

from unmirage.run.progress import StepProgress
from unmirage.text.english.wordings import Aim
from unmirage.text.leads import content_start
from unmirage.text.openers import words

Goal = Literal["open", "avoid"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for rewrites of one query.

    Attributes:
        word: one word or several, such as "what are".
        goal: "open" with the word, or "avoid" it with paraphrases.
        aim: whether the attack wants an "answer" or a "refusal"; None for controls. The rules rank wordings by it.
    """

    query: str
    word: str
    shots: int
    goal: Goal
    aim: Aim | None = None


class Rewriter(Protocol):
    """Rewords queries without changing their meaning."""

    name: str

    @property
    def report(self) -> RewriteReport:
        """Return the counts of all rewrites since the rewriter was created."""
        ...

    def reword(self, wanted: Sequence[Wanted], progress: StepProgress | None = None) -> list[list[str]]:
        """Return up to `shots` rewrites for each request, in order; the query itself is never among them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteReport:
    """Counts of rewrites by outcome.

    Attributes:
        dropped_opener: dropped because they did not open with the word, or used the word to avoid.
        dropped_meaning: dropped because they lost the meaning of the query.
        dropped_repeats: dropped because they repeated the query or another rewrite.
        dropped_debris: dropped because they contained JSON or Markdown.
        dropped_answers: dropped because they answered or refused the query.
        dropped_comments: dropped because they quoted or commented on the query.
        dropped_language: dropped because they were in another language than the query.
        dropped_long: dropped because they were far longer than the query.
        other_language: queries without rewrites, because the rules do not support their language.
        from_rules: kept rewrites made by rules, because the model gave too few.
        from_cache: kept rewrites from the cache.
        failed: queries whose requests to the model failed.
    """

    rewriter: str
    queries: int = 0
    asked: int = 0
    kept: int = 0
    dropped_opener: int = 0
    dropped_meaning: int = 0
    dropped_repeats: int = 0
    dropped_debris: int = 0
    dropped_answers: int = 0
    dropped_comments: int = 0
    dropped_language: int = 0
    dropped_long: int = 0
    other_language: int = 0
    from_rules: int = 0
    from_cache: int = 0
    failed: int = 0

    @property
    def missing(self) -> int:
        """Return the number of requested rewrites that were not made."""
        return self.asked - self.kept

    @property
    def dropped(self) -> int:
        """Return the number of dropped rewrites, for any reason."""
        return sum(count for name, count in asdict(self).items() if name.startswith("dropped_"))

    def plus(self, **counts: int) -> RewriteReport:
        """Return the report with these counts added."""
        return replace(self, **{name: getattr(self, name) + count for name, count in counts.items()})

    def to_json(self) -> dict[str, Any]:
        """Return all counts, including derived ones."""
        return {**asdict(self), "dropped": self.dropped, "missing": self.missing}

    def summary(self) -> str:
        """Return a one-line summary: kept and dropped rewrites, reasons and sources."""
        dropped = {
            "changed the meaning": self.dropped_meaning,
            "violated the word constraint": self.dropped_opener,
            "were duplicates": self.dropped_repeats,
            "contained JSON or Markdown": self.dropped_debris,
            "answered or refused the query": self.dropped_answers,
            "quoted or commented on the query": self.dropped_comments,
            "were in another language": self.dropped_language,
            "were far longer than the query": self.dropped_long,
        }
        notes = [f"{self.kept:,} of {self.asked:,} rewrites by {self.rewriter}"]
        if any(dropped.values()):
            why = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items() if count)
            notes.append(f"dropped {sum(dropped.values()):,} ({why})")
        if self.other_language:
            notes.append(f"no rewrites of {self.other_language:,} queries, which are not in English")
        if self.from_rules:
            notes.append(f"{self.from_rules:,} made by rules instead")
        if self.from_cache:
            notes.append(f"{self.from_cache:,} from the cache")
        if self.failed:
            notes.append(f"requests failed for {self.failed:,} queries")
        return "; ".join(notes)


class Made(str):
    """The text of a rewrite, with the name of the rewriter that made it."""

    __slots__ = ("made_by",)
    made_by: str

    def __new__(cls, text: str, made_by: str) -> Made:
        """Return the text with its maker."""
        made = super().__new__(cls, text)
        made.made_by = made_by
        return made


def fits(text: str, wanted: Wanted) -> bool:
    """Return whether `text` opens with the word, or avoids it if that is the goal.

    Role markers and numbering may precede the word. If the original query contains the word to avoid, a rewrite may
    contain it too, but not at the front.
    """
    found, sought = words(text[content_start(text) :]), words(wanted.word)
    if wanted.goal == "open":
        return bool(sought) and found[: len(sought)] == sought
    if not found or found[: len(sought)] == sought:
        return False
    return not _contains(found, sought) or _contains(words(wanted.query), sought)


def same_words(text: str) -> tuple[str, ...]:
    """Return a key that is equal for rewrites with the same words."""
    return tuple(words(text))


def _contains(text: list[str], part: list[str]) -> bool:
    return any(text[start : start + len(part)] == part for start in range(len(text) - len(part) + 1))
