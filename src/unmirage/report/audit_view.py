"""An audit's document in, what a page says about it out: the headline, the ladder, what it means."""

from __future__ import annotations

from dataclasses import dataclass

from unmirage.report.charts import OpenerChart, opener_chart
from unmirage.report.documents import AccuracyRead, AuditRead
from unmirage.report.formatting import percent

SMALL_GAP = 0.05
LARGE_GAP = 0.2

_RUNGS = {
    "majority": "nothing (always guess the majority)",
    "opener": "the first word",
    "words": "all words",
    "words_without_opener": "all words but the first",
}
_LABEL_SOURCES = {
    "field": "the data’s own field",
    "answer": "the answers, by a list of refusal phrases",
    "mixed": "the data’s own field, or the answer where that is empty",
}


@dataclass(frozen=True, slots=True)
class Rung:
    """One rule of the predictability ladder."""

    name: str
    accuracy: AccuracyRead


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """All that the macros need."""

    audit: AuditRead
    headline: str
    label_source: str
    chart: OpenerChart
    ladder: tuple[Rung, ...]
    meaning: tuple[str, ...]

    @property
    def answered(self) -> int:
        """Return how many queries are answered."""
        return self.audit.n - self.audit.refused


def view(audit: AuditRead) -> AuditView:
    """Return what a page shows of an audit."""
    return AuditView(
        audit=audit,
        headline=_headline(audit),
        label_source=_LABEL_SOURCES.get(audit.label_source, audit.label_source),
        chart=opener_chart(audit.openers),
        ladder=tuple(Rung(_RUNGS.get(name, name), found) for name, found in audit.predictability.items()),
        meaning=tuple(_meaning(audit)),
    )


def _headline(audit: AuditRead) -> str:
    rule = audit.predictability.get("opener")
    if rule is None or rule.test is None or rule.baseline is None:
        return "How well the first word predicts refusal is not estimable from this data."
    return (
        f"The first word alone tells for {percent(rule.test)} of unseen queries whether they are refused; "
        f"guessing the majority is right for {percent(rule.baseline)}."
    )


def _meaning(audit: AuditRead) -> list[str]:
    gap = audit.shortcut_gap
    if gap is None:
        return ["Too few queries, or only one label: nothing can be said about a shortcut."]
    said = [_gap(gap)]
    without = audit.predictability.get("words_without_opener")
    if (
        without is not None
        and without.test is not None
        and without.baseline is not None
        and without.test - without.baseline > LARGE_GAP
    ):
        said.append(
            f"The other words give the label away as well ({percent(without.test)} without the first word). "
            "Part of that is what the queries are about, as it should be; "
            "but new openers alone will not close every shortcut."
        )
    return said


def _gap(gap: float) -> str:
    size = f"{100 * gap:.1f}".replace("-", "\u2212")
    if gap > LARGE_GAP:
        return (
            f"The shortcut gap is {size} points. A model fine-tuned on this data can score well by reading "
            "the first word and not the request: it may refuse harmless queries that open like refused ones, "
            "and answer harmful ones that open like answered ones."
        )
    if gap > SMALL_GAP:
        return f"The shortcut gap is {size} points: the first word tells something, but not most of it."
    return f"The shortcut gap is {size} points: the first word tells next to nothing that a guess does not."
