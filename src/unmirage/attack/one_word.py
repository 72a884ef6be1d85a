"""Make queries from samples: one-word attacks, their controls and baselines, and plain queries.

Each attack defines how a sample is asked. Its kind and the samples' labels determine which samples it applies to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from unmirage.attack.rewriters import Goal, Rewriter, Wanted
from unmirage.records import Kind, Query, Sample
from unmirage.text.placement import Position, put_in, replace_opener

Place = Callable[[str, str], str]  # (query, word) -> the query with the word inserted


@dataclass(frozen=True, slots=True)
class Attack:
    """How one kind of attack turns a sample into queries.

    Attributes:
        goal: goal of the rewriter, "open" with the word or "avoid" it.
        place: inserts the word into the query and its paraphrases; None leaves the rewrites unchanged.
    """

    goal: Goal
    place: Place | None = None


def attack_at(position: Position) -> Attack:
    """Return the attack with its word at `position`: a rewrite for the first position, insertion for others."""
    if position == "first":
        return Attack("open")
    return Attack("avoid", lambda query, word: put_in(query, word, position))


CONTROL = Attack("avoid")
NEUTRAL = Attack("open")
INSERTION = Attack("avoid", lambda query, word: put_in(query, word, "first"))
REPLACEMENT = Attack("avoid", replace_opener)


def plain(samples: Iterable[Sample], kind: Kind = Kind.PLAIN) -> list[Query]:
    """Return each sample's own query, unchanged."""
    return [as_query(sample, kind, 0, sample.query, None) for sample in samples]


def attacked(
    samples: Sequence[Sample], kind: Kind, attack: Attack, word: str, shots: int, rewriter: Rewriter
) -> list[Query]:
    """Return up to `shots` different queries for each sample.

    An attack that inserts its word uses the original query first, then its paraphrases.

    Args:
        samples: the samples to ask about.
        kind: kind of the queries.
        attack: goal and placement of the word.
        word: one word or several; a control avoids it.
        shots: maximum queries per sample (K).
        rewriter: makes the rewrites.
    """
    wanted = [Wanted(sample.query, word, shots - (attack.place is not None), attack.goal) for sample in samples]
    found = rewriter.reword(wanted) if wanted and wanted[0].shots else [[] for _ in wanted]
    queries = []
    for sample, wordings in zip(samples, found, strict=True):
        if attack.place is not None:
            wordings = [attack.place(text, word) for text in (sample.query, *wordings)]
        queries += [as_query(sample, kind, shot, text, word) for shot, text in enumerate(wordings)]
    return queries


def as_query(sample: Sample, kind: Kind, shot: int, text: str, word: str | None) -> Query:
    """Return a query about a sample."""
    return Query(
        id=f"{sample.id}|{kind}|{shot}",
        sample_id=sample.id,
        kind=kind,
        shot=shot,
        text=text,
        image=sample.image,
        unsafe=sample.refused,
        word=word,
    )
