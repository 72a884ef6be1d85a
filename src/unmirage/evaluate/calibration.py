"""Measure a judge's sensitivity and specificity on labeled responses; read label files and calibration files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from unmirage.data.containers import text_file
from unmirage.data.rows import Row, listed, shown
from unmirage.data.source import strict
from unmirage.documents import Result
from unmirage.errors import UserError
from unmirage.evaluate.judges.base import Judge
from unmirage.evaluate.screening import screened
from unmirage.intervals import rate
from unmirage.records import Count, Kind, Query, Rate, Response, Verdict
from unmirage.run.progress import StepProgress

VALID = (Verdict.COMPLIED, Verdict.REFUSED, Verdict.IRRELEVANT)
CALIBRATED = (Verdict.COMPLIED, Verdict.REFUSED)

Labeled = tuple[Query, Response, Verdict]

_QUERY = ("query", "question", "prompt")
_YES_OR_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Numbers of responses with one true verdict, by the judge's verdict."""

    complied: Count
    refused: Count
    irrelevant: Count
    blocked: Count = 0
    invalid: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Confusion matrix: a row for each true verdict. Invalid verdicts count in no rate."""

    complied: Judged
    refused: Judged
    irrelevant: Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Error rates of a judge for one verdict against all others.

    Attributes:
        sensitivity: share of the responses with this true verdict that the judge gives it to.
        specificity: share of all other responses that the judge does not give it to.
    """

    sensitivity: Rate
    specificity: Rate


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JudgeCalibration(Result):
    """Error rates of a judge per verdict, the document `unmirage.calibration/2`.

    Attributes:
        judge: name of the judge.
        fingerprint: its identifying properties.
        n: number of labeled responses.
        confusion: confusion matrix over all verdicts.
        verdicts: error rates for "complied" and "refused".
    """

    FILE: ClassVar[str] = "calibration.json"
    WRITER: ClassVar[str] = "unmirage calibrate JUDGE LABELED --out FILE"

    schema: Literal["unmirage.calibration/2"] = "unmirage.calibration/2"
    judge: str
    fingerprint: str
    n: Count = 0
    confusion: Confusion
    verdicts: Mapping[Verdict, Calibration] = field(default_factory=dict)

    @classmethod
    def of(cls, judge: str, fingerprint: str, confusion: Confusion) -> JudgeCalibration:
        """Return the calibration with this confusion matrix."""
        return JudgeCalibration(
            judge=judge,
            fingerprint=fingerprint,
            n=sum(sum(astuple(getattr(confusion, true))) for true in VALID),
            confusion=confusion,
            verdicts={
                verdict: Calibration(
                    sensitivity=_agreed(confusion, verdict, positive=True),
                    specificity=_agreed(confusion, verdict, positive=False),
                )
                for verdict in CALIBRATED
            },
        )

    @classmethod
    def read(cls, document: Any, where: str = "") -> Self:
        """Return the calibration in a document. Its rates are computed again from the confusion matrix."""
        found = super(JudgeCalibration, cls).read(document, where)
        again = cls.of(found.judge, found.fingerprint, found.confusion)
        return replace(found, n=again.n, verdicts=again.verdicts)

    def heading(self) -> str:
        """Return a title with the judge and the number of labels."""
        return f"Calibration of {self.judge} on {self.n:,} labeled responses"

    def summary(self) -> list[dict[str, Any]]:
        """Return sensitivity and specificity for each verdict."""
        return [
            {"verdict": str(verdict), "sensitivity": one.sensitivity.value, "specificity": one.specificity.value}
            for verdict, one in self.verdicts.items()
        ]

    def rows(self) -> list[dict[str, Any]]:
        """Return sensitivity and specificity for each verdict, with interval and counts."""
        return [
            {"verdict": str(verdict), "measure": name, **asdict(getattr(one, name))}
            for verdict, one in self.verdicts.items()
            for name in ("sensitivity", "specificity")
        ]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MainCalibration(JudgeCalibration):
    """The calibration of the judge that determines the rates, with its error rates for "complied"."""

    sensitivity: Rate
    specificity: Rate

    @classmethod
    def by(cls, found: JudgeCalibration) -> MainCalibration:
        """Return a calibration with these rates."""
        own = {one.name: getattr(found, one.name) for one in fields(found)}
        complied = found.verdicts[Verdict.COMPLIED]
        return cls(**own, sensitivity=complied.sensitivity, specificity=complied.specificity)


def calibrate(
    judged: Sequence[Verdict], truth: Sequence[Verdict], judge: str = "", fingerprint: str = ""
) -> JudgeCalibration:
    """Compare a judge's verdicts with the true verdicts on the same responses, for "complied" and "refused".

    Args:
        judged: the judge's verdict on each response.
        truth: the true verdict on each response; never invalid.
        judge: name of the judge.
        fingerprint: its identifying properties.
    """
    assert Verdict.INVALID not in truth, "a labeled response has a true verdict"
    pairs = Counter(zip(truth, judged, strict=True))
    rows = {str(true): Judged(**{str(said): pairs[true, said] for said in Verdict}) for true in VALID}
    return JudgeCalibration.of(judge, fingerprint, Confusion(**rows))


def measure(judge: Judge, labeled: Sequence[Labeled], progress: StepProgress | None = None) -> JudgeCalibration:
    """Run a judge on labeled responses and return its error rates."""
    answers = [(query, response) for query, response, _ in labeled]
    said = {one.query_id: one.verdict for one in screened(judge, answers, progress)}
    return calibrate(
        [said[query.id] for query, _ in answers],
        [verdict for _, _, verdict in labeled],
        judge.name,
        "; ".join(f"{key}: {value}" for key, value in sorted(judge.fingerprint.items())),
    )


def _agreed(confusion: Confusion, verdict: Verdict, *, positive: bool) -> Rate:
    """Return the sensitivity for a verdict if `positive`, else the specificity."""
    rows: list[Judged] = [getattr(confusion, true) for true in VALID if (true is verdict) is positive]
    valid = sum(row.complied + row.refused + row.irrelevant + row.blocked for row in rows)
    given: int = sum(getattr(row, verdict) for row in rows)
    return rate(given if positive else valid - given, valid, sum(row.invalid for row in rows))


def read_labeled(path: str | Path) -> list[Labeled]:
    """Read labeled responses from a JSON, JSONL or CSV file.

    Required fields: `query` (or `question` or `prompt`), `response` and `verdict` (complied, refused or irrelevant).
    Optional fields: `unsafe` (default true), `image` and `id`. Several responses to one query may share an id; the
    second one becomes "id#2".
    """
    found: dict[str, Labeled] = {}
    times: Counter[str] = Counter()
    for row in text_file(Path(path)).rows(strict):
        name = identity = row.identity()
        times[identity] += 1
        while name in found:
            times[identity] += name != identity
            name = f"{identity}#{times[identity]}"
        found[name] = _labeled(row, name)
    if not found:
        raise UserError(f"{path}: no labeled responses found; valid: records with query, response and verdict")
    return list(found.values())


def _labeled(row: Row, identity: str) -> Labeled:
    text = row.optional_text(*_QUERY)
    if text is None:
        raise row.error(f"field '{_QUERY[0]}' (or {' or '.join(_QUERY[1:])}) is missing; it has {listed(row.fields)}")
    query = Query(
        id=identity,
        sample_id=identity,
        kind=Kind.PLAIN,
        shot=0,
        text=text,
        image=row.image(),
        unsafe=_unsafe(row),
    )
    response = Response(query_id=identity, model="labeled", text=row.text("response"), tokens=0)
    return query, response, _verdict(row)


def _verdict(row: Row) -> Verdict:
    name = row.text("verdict")
    found = next((verdict for verdict in VALID if verdict == name.strip().lower()), None)
    if found is None:
        raise row.error(f"field 'verdict' is {shown(name)}; valid: {', '.join(VALID)}")
    return found


def _unsafe(row: Row) -> bool:
    value = row.fields.get("unsafe")
    if value is None or value == "":
        return True
    found = value if isinstance(value, bool) else _YES_OR_NO.get(str(value).strip().lower())
    if found is None:
        raise row.error(f"field 'unsafe' is {shown(value)}; valid: true or false")
    return found
