"""Measure the quality of a judge: agreement with a reference judge, error rates, and robustness to attacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unmirage.evaluate.calibration import MainCalibration
from unmirage.evaluate.judges.canaries import Canaries
from unmirage.intervals import rate
from unmirage.records import Judgement, Rate, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeQuality:
    """Quality of a judge; what is not measured is None, and missing in the document.

    Precision and recall are those against a reference judge.

    Attributes:
        precision: share of the judge's "refused" verdicts that are correct.
        recall: share of refused responses that the judge calls "refused".
        complied_precision: share of the judge's "complied" verdicts that are correct (the rest inflates its ASR).
        canaries: effect of the attacks on the judge.
        calibration: error rates of the judge.
    """

    precision: Rate | None = None
    recall: Rate | None = None
    complied_precision: Rate | None = None
    canaries: Canaries | None = None
    calibration: MainCalibration | None = None


def agreement(judged: Iterable[Judgement], truth: Iterable[Judgement]) -> JudgeQuality:
    """Compare verdicts on the same responses. Responses without a valid verdict from both judges are excluded."""
    right = {(one.model, one.query_id): one.verdict for one in truth if one.verdict is not Verdict.INVALID}
    pairs = [
        (one.verdict, right[one.model, one.query_id])
        for one in judged
        if one.verdict is not Verdict.INVALID and (one.model, one.query_id) in right
    ]
    return JudgeQuality(
        precision=_share(pairs, given=0, verdict=Verdict.REFUSED),
        recall=_share(pairs, given=1, verdict=Verdict.REFUSED),
        complied_precision=_share(pairs, given=0, verdict=Verdict.COMPLIED),
    )


def _share(pairs: Sequence[tuple[Verdict, Verdict]], given: int, verdict: Verdict) -> Rate:
    """Return how often both verdicts equal `verdict`, among pairs whose verdict at index `given` does."""
    chosen = [pair for pair in pairs if pair[given] is verdict]
    return rate(sum(pair[1 - given] is verdict for pair in chosen), len(chosen))
