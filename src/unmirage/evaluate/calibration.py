"""Measure a judge's sensitivity and specificity on labeled responses; read label files and calibration files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unmirage.data.containers import text_file
from unmirage.data.rows import Row, listed, shown
from unmirage.data.source import strict
from unmirage.errors import UserError
from unmirage.evaluate.judges.base import Judge
from unmirage.intervals import rate
from unmirage.records import Kind, Query, Rate, Response, Verdict
from unmirage.run.progress import StepProgress
from unmirage.run.result import Result

SCHEMA = "unmirage.calibration/1"
VALID = (Verdict.COMPLIED, Verdict.REFUSED, Verdict.IRRELEVANT)
CALIBRATED = (Verdict.COMPLIED, Verdict.REFUSED)

Labelled = tuple[Query, Response, Verdict]
# true verdict -> judge's verdict (may be invalid) -> number of responses
Confusion = Mapping[Verdict, Mapping[Verdict, int]]

_QUERY = ("query", "question", "prompt")
_YES_OR_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Error rates of a judge for one verdict against all others.

    Attributes:
        sensitivity: share of the responses with this true verdict that the judge gives it to.
        specificity: share of all other responses that the judge does not give it to.
        confusion: confusion matrix over all verdicts. Invalid verdicts count in neither rate.
        n: number of labeled responses.
    """

    sensitivity: Rate
    specificity: Rate
    confusion: Confusion
    n: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JudgeCalibration(Result):
    """Content of a calibration file: the judge, its identifying properties, and its error rates per verdict."""

    judge: str
    fingerprint: str
    verdicts: Mapping[Verdict, Calibration]

    def heading(self) -> str:
        """Return a title with the judge and the number of labels."""
        return f"Calibration of {self.judge} on {next(iter(self.verdicts.values())).n:,} labeled responses"

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

    def to_json(self) -> dict[str, Any]:
        """Return a document of schema `unmirage.calibration/1`."""
        return to_json(self)


def calibrate(judged: Sequence[Verdict], truth: Sequence[Verdict]) -> dict[Verdict, Calibration]:
    """Compare a judge's verdicts with the true verdicts on the same responses, for "complied" and "refused".

    Args:
        judged: the judge's verdict on each response.
        truth: the true verdict on each response; never invalid.
    """
    assert Verdict.INVALID not in truth, "a labeled response has a true verdict"
    pairs = Counter(zip(truth, judged, strict=True))
    return _from_confusion({true: {said: pairs[true, said] for said in Verdict} for true in VALID})


def measure(judge: Judge, labelled: Sequence[Labelled], progress: StepProgress | None = None) -> JudgeCalibration:
    """Run a judge on labeled responses and return its error rates."""
    answers = [(query, response) for query, response, _ in labelled]
    said = {one.query_id: one.verdict for one in judge.judge(answers, progress)}
    return JudgeCalibration(
        judge=judge.name,
        fingerprint="; ".join(f"{key}: {value}" for key, value in sorted(judge.fingerprint.items())),
        verdicts=calibrate([said[query.id] for query, _ in answers], [verdict for _, _, verdict in labelled]),
    )


def _from_confusion(confusion: Confusion) -> dict[Verdict, Calibration]:
    n = sum(sum(row.values()) for row in confusion.values())
    return {
        verdict: Calibration(
            sensitivity=_agreed(confusion, verdict, positive=True),
            specificity=_agreed(confusion, verdict, positive=False),
            confusion=confusion,
            n=n,
        )
        for verdict in CALIBRATED
    }


def _agreed(confusion: Confusion, verdict: Verdict, *, positive: bool) -> Rate:
    """Return the sensitivity for a verdict if `positive`, else the specificity."""
    rows = [row for true, row in confusion.items() if (true is verdict) is positive]
    valid = sum(row[said] for row in rows for said in VALID)
    given = sum(row[verdict] for row in rows)
    return rate(given if positive else valid - given, valid, sum(row[Verdict.INVALID] for row in rows))


def read_labelled(path: str | Path) -> list[Labelled]:
    """Read labeled responses from a JSON, JSONL or CSV file.

    Required fields: `query` (or `question` or `prompt`), `response` and `verdict` (complied, refused or irrelevant).
    Optional fields: `unsafe` (default true), `image` and `id`. Several responses to one query may share an id; the
    second one becomes "id#2".
    """
    found: dict[str, Labelled] = {}
    times: Counter[str] = Counter()
    for row in text_file(Path(path)).rows(strict):
        name = identity = row.identity()
        times[identity] += 1
        while name in found:
            times[identity] += name != identity
            name = f"{identity}#{times[identity]}"
        found[name] = _labelled(row, name)
    if not found:
        raise UserError(f"{path}: no labeled responses found; valid: records with query, response and verdict")
    return list(found.values())


def _labelled(row: Row, identity: str) -> Labelled:
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
    response = Response(query_id=identity, model="labelled", text=row.text("response"), tokens=0, finished=True)
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


Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class _Row(_Part):
    """Row of the confusion matrix: counts of the judge's verdicts for one true verdict."""

    complied: Count
    refused: Count
    irrelevant: Count
    invalid: Count


class _Confusion(_Part):
    complied: _Row
    refused: _Row
    irrelevant: _Row


class _Document(_Part):
    """A calibration file. Only the confusion matrix is read; the rates in the file are recomputed from it."""

    judge: str
    fingerprint: str
    confusion: _Confusion


def to_json(found: JudgeCalibration) -> dict[str, Any]:
    """Return JSON-compatible values, schema `unmirage.calibration/1`."""
    first = found.verdicts[Verdict.COMPLIED]
    rates = {
        str(verdict): {"sensitivity": asdict(one.sensitivity), "specificity": asdict(one.specificity)}
        for verdict, one in found.verdicts.items()
    }
    confusion = {str(true): {str(said): n for said, n in row.items()} for true, row in first.confusion.items()}
    return {
        "schema": SCHEMA,
        "judge": found.judge,
        "fingerprint": found.fingerprint,
        "n": first.n,
        "confusion": confusion,
        "verdicts": rates,
    }


def from_json(document: Any, where: str) -> JudgeCalibration:
    """Return the calibration in a document; raise `UserError`, naming the file `where`, for an invalid document."""
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise UserError(f"{where}: schema is {shown(schema)}; valid: {SCHEMA!r}")
    try:
        read = _Document.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UserError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']} (schema {SCHEMA})") from None
    rows = read.confusion.model_dump()
    confusion = {true: {said: rows[true][said] for said in Verdict} for true in VALID}
    return JudgeCalibration(judge=read.judge, fingerprint=read.fingerprint, verdicts=_from_confusion(confusion))
