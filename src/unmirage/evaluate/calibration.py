"""Measure how often a judge errs on labeled responses; read and write calibration files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, Self

from unmirage.documents import Result
from unmirage.evaluate.error_rates import Calibration, Confusion, GroupCalibration, Judged, confusion, judged
from unmirage.evaluate.judges.base import Judge
from unmirage.evaluate.labels import TIED, Labeled, Labels, Truth
from unmirage.evaluate.screening import screened
from unmirage.intervals import rate
from unmirage.records import NOT_MEASURED, Count, Rate, Verdict
from unmirage.run.fingerprint import source_hash
from unmirage.run.progress import StepProgress

_MOST_GROUPS = 30


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JudgeCalibration(Result):
    """Error rates of a judge per verdict, the document `unmirage.calibration/2`.

    Attributes:
        judge: name of the judge.
        fingerprint: its identifying properties.
        served: the model on its server, as the server names it; "" if unknown.
        labels: file or name of the labels.
        n, confusion, accuracy, kappa, verdicts: as in `GroupCalibration`, for all responses.
        useful: whether the judge is shown to be better than chance for any verdict.
        groups: the same for each model and language of the responses, such as "model gpt4".
        by_label: numbers of responses by label, as the data have it, and verdict of the judge.
        excluded: numbers of responses without a label, by reason.
        described: number of queries in which a description replaces the picture.
        annotators: share of the responses on which all annotators agree; None without a second annotator.
            Ties count, although they are excluded.
    """

    FILE: ClassVar[str] = "calibration.json"
    WRITER: ClassVar[str] = "unmirage calibrate JUDGE LABELED --out FILE"

    schema: Literal["unmirage.calibration/2"] = "unmirage.calibration/2"
    judge: str
    fingerprint: str
    served: str = ""
    labels: str = ""
    n: Count = 0
    confusion: Confusion
    accuracy: Rate = NOT_MEASURED
    kappa: float | None = None
    verdicts: Mapping[Verdict, Calibration] = field(default_factory=dict)
    useful: bool = False
    groups: Mapping[str, GroupCalibration] = field(default_factory=dict)
    by_label: Mapping[str, Judged] = field(default_factory=dict)
    excluded: Mapping[str, Count] = field(default_factory=dict)
    described: Count = 0
    annotators: Rate | None = None

    @classmethod
    def of(cls, judge: str, fingerprint: str, confusion: Confusion) -> JudgeCalibration:
        """Return the calibration with this confusion matrix."""
        return JudgeCalibration(judge=judge, fingerprint=fingerprint, **_measured(confusion))

    @classmethod
    def read(cls, document: Any, where: str = "") -> Self:
        """Return the calibration in a document. Its rates are computed again from the confusion matrices."""
        found = super(JudgeCalibration, cls).read(document, where)
        groups = {name: GroupCalibration.of(one.confusion) for name, one in found.groups.items()}
        return replace(found, groups=groups, **_measured(found.confusion))

    def heading(self) -> str:
        """Return a title with the judge and the number of labels."""
        return f"Calibration of {self.judge} on {self.n:,} labeled responses"

    def summary(self) -> list[dict[str, Any]]:
        """Return sensitivity, specificity and informedness for each verdict."""
        return [
            {
                "verdict": str(verdict),
                "sensitivity": one.sensitivity.value,
                "specificity": one.specificity.value,
                "informedness": None if one.informedness is None else one.informedness.value,
                "useful": "n/a" if one.useful is None else str(one.useful).lower(),
            }
            for verdict, one in self.verdicts.items()
        ]

    def rows(self) -> list[dict[str, Any]]:
        """Return sensitivity and specificity for each verdict and group, with interval and counts."""
        return [
            {"group": group, "verdict": str(verdict), "measure": name, **asdict(getattr(one, name))}
            for group, verdicts in (("", self.verdicts), *((name, one.verdicts) for name, one in self.groups.items()))
            for verdict, one in verdicts.items()
            for name in ("sensitivity", "specificity")
        ]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MainCalibration(JudgeCalibration):
    """The calibration of the judge that determines the rates, with its error rates for "complied"."""

    sensitivity: Rate
    specificity: Rate

    @classmethod
    def by(cls, found: JudgeCalibration) -> MainCalibration:
        """Return a calibration with these rates, without those of groups and labels."""
        own = {one.name: getattr(found, one.name) for one in fields(found)} | {"groups": {}, "by_label": {}}
        complied = found.verdicts[Verdict.COMPLIED]
        return cls(**own, sensitivity=complied.sensitivity, specificity=complied.specificity)


def _measured(confusion: Confusion) -> dict[str, Any]:
    """Return the fields of a calibration that follow from its confusion matrix."""
    found = GroupCalibration.of(confusion)
    own = {one.name: getattr(found, one.name) for one in fields(found)}
    return own | {"useful": any(one.useful for one in found.verdicts.values())}


Pairs = Sequence[tuple[Labeled, Verdict]]


def calibrate(
    verdicts: Sequence[Verdict], truth: Sequence[Verdict | Truth], judge: str = "", fingerprint: str = ""
) -> JudgeCalibration:
    """Compare a judge's verdicts with the true verdicts on the same responses, for "complied" and "refused".

    Args:
        verdicts: the judge's verdict on each response.
        truth: the true verdict on each response; never invalid.
        judge: name of the judge.
        fingerprint: its identifying properties.
    """
    return JudgeCalibration.of(judge, fingerprint, confusion(zip(truth, verdicts, strict=True)))


def measure(judge: Judge, labels: Labels, progress: StepProgress | None = None) -> JudgeCalibration:
    """Run a judge on labeled responses and return its error rates."""
    answers = [(one.query, one.response) for one in labels.rows]
    said = {one.query_id: one.verdict for one in screened(judge, answers, progress)}
    pairs = [(one, said[one.query.id]) for one in labels.rows]
    agreed = [one.agreed for one in labels.rows if one.agreed is not None]
    by_several = len(agreed) + labels.excluded[TIED]
    found = JudgeCalibration.of(judge.name, fingerprint_of(judge), _confusion(pairs))
    return replace(
        found,
        served=getattr(getattr(judge, "served", None), "name", None) or "",
        labels=labels.source,
        groups={name: GroupCalibration.of(_confusion(own)) for name, own in _groups(pairs).items()},
        by_label={label: judged(verdict for _, verdict in own) for label, own in _split(pairs).items()},
        excluded=dict(labels.excluded),
        described=labels.described,
        annotators=rate(sum(agreed), by_several) if by_several else None,
    )


def fingerprint_of(judge: Judge) -> str:
    """Return what identifies a judge, as text: the properties of its fingerprint, and a hash of its rules."""
    screening = () if getattr(judge, "reads_all", False) else ("unmirage.evaluate.degenerate",)
    rules = (*getattr(judge, "rules", ()), *screening)
    found = dict(judge.fingerprint) | ({"rules": source_hash(rules)} if rules else {})
    return "; ".join(f"{key}: {value}" for key, value in sorted(found.items()))


def _confusion(pairs: Pairs) -> Confusion:
    return confusion((one.truth, verdict) for one, verdict in pairs)


def _groups(pairs: Pairs) -> dict[str, Pairs]:
    """Return the responses of each model and in each language, if the data have several of them, but not very many."""
    found: dict[str, Pairs] = {}
    for kind in dict.fromkeys(kind for one, _ in pairs for kind in one.groups):
        own = _split([pair for pair in pairs if kind in pair[0].groups], kind)
        if 1 < len(own) <= _MOST_GROUPS:
            found |= {f"{kind} {name}": pairs for name, pairs in own.items()}
    return found


def _split(pairs: Pairs, kind: str | None = None) -> dict[str, Pairs]:
    """Return the responses by group of a kind, or by label."""
    found: dict[str, list[tuple[Labeled, Verdict]]] = {}
    for one, verdict in pairs:
        found.setdefault(one.label if kind is None else one.groups[kind], []).append((one, verdict))
    return dict(sorted(found.items()))
