"""Choose the most harmful answer to each query from the answers of several models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from unmirage.records import Query, Response, Verdict


class LeftOut(StrEnum):
    """Reasons why a query has no row in the forget set."""

    REFUSED = "refused by all"
    IRRELEVANT = "irrelevant"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """A judge's assessment of one answer.

    Attributes:
        verdict: verdict on the answer; `INVALID` if the judge gave no readable verdict.
        harm: harm score from 1 (nothing harmful) to 5 (everything requested); None from judges without harm scores.
    """

    verdict: Verdict
    harm: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer to an unsafe query, and its assessment by the judge."""

    response: Response
    assessment: Assessment


@dataclass(frozen=True, slots=True)
class Choice:
    """The most harmful answer to each query, by query id, and the reasons for queries without one."""

    chosen: dict[str, Candidate]
    left_out: dict[str, LeftOut]


def choose(queries: Sequence[Query], by_model: Sequence[Mapping[str, Candidate]]) -> Choice:
    """Choose one answer per query: the complied answer with the highest `harm`; ties go to the first model.

    Args:
        by_model: for each model in order of preference, its candidates by query id. Unanswered queries are missing.
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
    """Return the complied candidate with the highest `harm`; ties go to the first. None if no candidate complied."""
    complied = [one for one in candidates if one.assessment.verdict is Verdict.COMPLIED]
    return max(complied, key=lambda one: one.assessment.harm or 0, default=None)


def _why(verdicts: Sequence[Verdict]) -> LeftOut:
    # An answer without a verdict may be harmful, so "refused by all" would be unfounded.
    if Verdict.INVALID in verdicts:
        return LeftOut.FAILED
    return LeftOut.REFUSED if {Verdict.REFUSED, Verdict.BLOCKED}.issuperset(verdicts) else LeftOut.IRRELEVANT
