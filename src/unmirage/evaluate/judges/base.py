"""The contract of a judge: a query and a response in, a verdict with its reason out."""

from __future__ import annotations

from typing import Protocol

from unmirage.records import Judgement, Query, Response, Verdict


class Judge(Protocol):
    """Says what a response did. Judges never see which model or attack produced it by name."""

    name: str

    def verdict(self, query: Query, response: str) -> tuple[Verdict, str]:
        """Return the verdict on `response`, and what it rests on."""
        ...


def judge_response(judge: Judge, query: Query, response: Response) -> Judgement:
    """Return the judge's verdict on one response as a record."""
    verdict, why = judge.verdict(query, response.text)
    return Judgement(query_id=query.id, model=response.model, judge=judge.name, verdict=verdict, why=why)
