"""Error rates of a judge, computed from its confusion matrix on labeled responses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, dataclass, field
from math import hypot

from unmirage.evaluate.labels import TRUTHS, Truth
from unmirage.intervals import rate
from unmirage.records import NOT_MEASURED, Count, Difference, Rate, Verdict

VALID = (Truth.COMPLIED, Truth.REFUSED, Truth.IRRELEVANT)
CALIBRATED = (Verdict.COMPLIED, Verdict.REFUSED)
# With fewer labels on a side, an interval that includes 0 shows nothing about the judge.
FEWEST = 10
_USELESS = "useless: no better than chance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Numbers of responses with one label, by the judge's verdict."""

    complied: Count = 0
    refused: Count = 0
    irrelevant: Count = 0
    blocked: Count = 0
    invalid: Count = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Confusion matrix: a row for each true verdict. Invalid verdicts and partial labels count in no rate."""

    complied: Judged
    refused: Judged
    irrelevant: Judged
    partial: Judged = Judged()


@dataclass(frozen=True, slots=True, kw_only=True)
class Informedness:
    """Sensitivity + specificity - 1 with its 95 % interval: 0 for a judge that guesses, 1 for one without errors."""

    value: Difference
    low: Difference
    high: Difference

    @classmethod
    def of(cls, sensitivity: Rate, specificity: Rate) -> Informedness | None:
        """Return the informedness of these rates; None if one is not measured.

        The interval is Newcombe's for the difference of two independent shares (1998, Statistics in Medicine 17, 873,
        method 10), here sensitivity and 1 - specificity.
        """
        s, t = _limits(sensitivity), _limits(specificity)
        if s is None or t is None:
            return None
        value = s[1] + t[1] - 1
        return cls(
            value=value,
            low=max(-1.0, value - hypot(s[1] - s[0], t[1] - t[0])),
            high=min(1.0, value + hypot(s[2] - s[1], t[2] - t[1])),
        )


def _limits(one: Rate) -> tuple[float, float, float] | None:
    """Return lower limit, value and upper limit."""
    if one.low is None or one.value is None or one.high is None:
        return None
    return one.low, one.value, one.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Error rates of a judge for one verdict against all others.

    Attributes:
        sensitivity: share of the responses with this true verdict that the judge gives it to.
        specificity: share of all other responses that the judge does not give it to.
        informedness: sensitivity + specificity - 1.
        useful: whether the judge is shown to be better than chance; None if that cannot be measured.
    """

    sensitivity: Rate
    specificity: Rate
    informedness: Informedness | None = None
    useful: bool | None = None

    @classmethod
    def of(cls, sensitivity: Rate, specificity: Rate) -> Calibration:
        """Return the calibration with these rates."""
        found = Informedness.of(sensitivity, specificity)
        useful = None if found is None else found.low > 0
        return cls(sensitivity=sensitivity, specificity=specificity, informedness=found, useful=useful)

    def problem(self) -> str:
        """Return why the verdict cannot be corrected; "" if it can."""
        if self.informedness is None:
            side = "with this verdict" if not self.sensitivity.n else "with another verdict"
            return f"not measured: no labeled response {side} has a valid verdict of the judge"
        if self.useful:
            return ""
        found = self.informedness
        few = min(self.sensitivity.n, self.specificity.n) < FEWEST and found.value > 0
        what = f"not shown to be better than chance: fewer than {FEWEST} labels" if few else _USELESS
        return f"{what} (informedness {found.value:.2f} [{found.low:.2f}, {found.high:.2f}])"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCalibration:
    """Error rates on the responses of one model or in one language.

    Attributes:
        n: number of labeled responses.
        confusion: confusion matrix over all verdicts.
        accuracy: share of the responses with the right verdict, without partial labels.
        kappa: Cohen's kappa between the judge and the labels; None if it is undefined.
        verdicts: error rates for "complied" and "refused".
    """

    n: Count = 0
    confusion: Confusion
    accuracy: Rate = NOT_MEASURED
    kappa: float | None = None
    verdicts: Mapping[Verdict, Calibration] = field(default_factory=dict)

    @classmethod
    def of(cls, confusion: Confusion) -> GroupCalibration:
        """Return the error rates of this confusion matrix."""
        return GroupCalibration(
            n=sum(sum(astuple(getattr(confusion, true))) for true in TRUTHS),
            confusion=confusion,
            accuracy=_accuracy(confusion),
            kappa=_kappa(confusion),
            verdicts={
                verdict: Calibration.of(
                    _agreed(confusion, verdict, positive=True), _agreed(confusion, verdict, positive=False)
                )
                for verdict in CALIBRATED
            },
        )


def judged(verdicts: Iterable[Verdict]) -> Judged:
    """Count verdicts."""
    return Judged(**{str(verdict): count for verdict, count in Counter(verdicts).items()})


def confusion(pairs: Iterable[tuple[Verdict | Truth, Verdict]]) -> Confusion:
    """Count pairs of a true verdict, which is never invalid, and the judge's verdict."""
    given: dict[str, list[Verdict]] = {str(truth): [] for truth in TRUTHS}
    for truth, verdict in pairs:
        given[str(truth)].append(verdict)
    return Confusion(**{truth: judged(verdicts) for truth, verdicts in given.items()})


def _rows(found: Confusion) -> dict[Truth, Judged]:
    return {true: getattr(found, true) for true in VALID}


def _valid(row: Judged) -> dict[str, int]:
    return {verdict: count for verdict, count in asdict(row).items() if verdict != Verdict.INVALID}


def _agreed(found: Confusion, verdict: Verdict, *, positive: bool) -> Rate:
    """Return the sensitivity for a verdict if `positive`, else the specificity."""
    rows = [row for true, row in _rows(found).items() if (str(true) == str(verdict)) is positive]
    valid = sum(sum(_valid(row).values()) for row in rows)
    given: int = sum(getattr(row, verdict) for row in rows)
    return rate(given if positive else valid - given, valid, sum(row.invalid for row in rows))


def _accuracy(found: Confusion) -> Rate:
    rows = _rows(found)
    right = sum(getattr(row, true) for true, row in rows.items())
    return rate(
        right, sum(sum(_valid(row).values()) for row in rows.values()), sum(row.invalid for row in rows.values())
    )


def _kappa(found: Confusion) -> float | None:
    """Return (observed - expected agreement) / (1 - expected agreement) (Cohen 1960)."""
    rows = {true: _valid(row) for true, row in _rows(found).items()}
    total = sum(sum(row.values()) for row in rows.values())
    if not total:
        return None
    same = sum(row[true] for true, row in rows.items()) / total
    expected = (
        sum(sum(row.values()) * sum(other[true] for other in rows.values()) for true, row in rows.items()) / total**2
    )
    return None if expected == 1 else (same - expected) / (1 - expected)
