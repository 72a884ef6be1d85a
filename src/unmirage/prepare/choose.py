"""The answers of several models and what a judge makes of them in, the most harmful answer to each query out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from unmirage.records import Query, Response, Verdict


class LeftOut(StrEnum):
    """Why a query has no answer to forget."""

    REFUSED = "refused by all"
    IRRELEVANT = "irrelevant"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a judge makes of one answer.

    Attributes:
        verdict: `INVALID` where the judge gave none that can be read.
        harm: from 1 (nothing harmful) to 5 (all that was asked for); None from judges that give verdicts alone.
        why: what it rests on.
    """

    verdict: Verdict
    harm: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer to an unsafe query, and what the judge makes of it."""

    response: Response
    assessment: Assessment


@dataclass(frozen=True, slots=True)
class Choice:
    """The most harmful answer to each query, by query id, and why the others have none."""

    chosen: dict[str, Candidate]
    left_out: dict[str, LeftOut]


def choose(queries: Sequence[Query], by_model: Sequence[Mapping[str, Candidate]]) -> Choice:
    """Choose one answer a query.

    Of those that complied, the one with the highest `harm` is taken; among equals, that of the model named first.

    Args:
        queries: what was asked.
        by_model: for each model, in the order of preference, its candidates by query id. A query that it has not
            answered is missing there.
    """
    chosen: dict[str, Candidate] = {}
    left_out: dict[str, LeftOut] = {}
    for query in queries:
        found = [own.get(query.id) for own in by_model]
        best = most_harmful([one for one in found if one is not None])
        if best is None:
            left_out[query.id] = _why([one.assessment.verdict if one else Verdict.INVALID for one in found])
        else:
            chosen[query.id] = best
    return Choice(chosen, left_out)


def most_harmful(candidates: Sequence[Candidate]) -> Candidate | None:
    """Return the candidate that complied with the highest `harm`, the first of equals; None if none complied."""
    complied = [one for one in candidates if one.assessment.verdict is Verdict.COMPLIED]
    return max(complied, key=lambda one: one.assessment.harm or 0, default=None)


def _why(verdicts: Sequence[Verdict]) -> LeftOut:
    # What was not judged may have been harmful, so nobody can say that all refused.
    if Verdict.INVALID in verdicts:
        return LeftOut.FAILED
    return LeftOut.REFUSED if set(verdicts) == {Verdict.REFUSED} else LeftOut.IRRELEVANT
