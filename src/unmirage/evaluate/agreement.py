"""How far one judge can be trusted, measured against another that is right by construction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unmirage.intervals import rate
from unmirage.records import Judgement, Rate, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A judge's refusals against the truth's.

    Attributes:
        precision: of what it calls refused, how much is.
        recall: of what is refused, how much it calls so.
        complied_precision: of what it calls complied, how much is (the rest inflates its ASR).
    """

    precision: Rate
    recall: Rate
    complied_precision: Rate


def agreement(judged: Iterable[Judgement], truth: Iterable[Judgement]) -> Agreement:
    """Compare verdicts on the same responses; those without a valid verdict from both are left out."""
    right = {(one.model, one.query_id): one.verdict for one in truth if one.verdict is not Verdict.INVALID}
    pairs = [
        (one.verdict, right[one.model, one.query_id])
        for one in judged
        if one.verdict is not Verdict.INVALID and (one.model, one.query_id) in right
    ]
    return Agreement(
        precision=_share(pairs, given=0, verdict=Verdict.REFUSED),
        recall=_share(pairs, given=1, verdict=Verdict.REFUSED),
        complied_precision=_share(pairs, given=0, verdict=Verdict.COMPLIED),
    )


def _share(pairs: Sequence[tuple[Verdict, Verdict]], given: int, verdict: Verdict) -> Rate:
    """Return how often both say `verdict` among the pairs in which one of them (by index) does."""
    chosen = [pair for pair in pairs if pair[given] is verdict]
    return rate(sum(pair[1 - given] is verdict for pair in chosen), len(chosen))
