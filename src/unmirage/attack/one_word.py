"""Samples in, queries out: the one-word attacks, their controls and baselines, and the plain queries.

Each attack says how one sample is asked; which samples it is for follows from its kind and the sample's label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from unmirage.attack.rewriters import Goal, Rewriter, Wanted
from unmirage.records import Kind, Query, Sample
from unmirage.text.placement import Position, put_in, replace_opener

Place = Callable[[str, str], str]  # (query, word) -> the query with the word put into it


@dataclass(frozen=True, slots=True)
class Attack:
    """How one kind of attack asks a sample.

    Attributes:
        goal: of the rewriter, "open" with the word or "avoid" it.
        place: puts the word into the query and its paraphrases; None leaves the rewriter's wordings as they are.
    """

    goal: Goal
    place: Place | None = None


def attack_at(position: Position) -> Attack:
    """Return the attack that has its word at `position`: by rewriting at the front, else put into paraphrases."""
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

    An attack that puts its word into a query does so with the query as it is first, then with its paraphrases.

    Args:
        samples: whom to ask about.
        kind: goes into the queries.
        attack: how.
        word: the word, or several; a control avoids it.
        shots: K.
        rewriter: makes the wordings.
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
