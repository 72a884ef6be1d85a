"""An audit's document in, what a page says about it out: the headline, the verdict, what it means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from unmirage.report.audit_document import AccuracyRead, AuditRead
from unmirage.report.audit_ladder import Rung, ladder, measured_on
from unmirage.report.charts import OpenerChart, opener_chart
from unmirage.report.formatting import listed, percent, points

SMALL_GAP = 0.05
LARGE_GAP = 0.2

# What says nothing about harm, and so should not tell the label. The words themselves may.
_SURFACE = {
    "opener": "its first word",
    "first_words": "its first three words",
    "shape": "its length, punctuation and capitals",
    "template": "its sentence pattern, content words masked",
    "image": "the file, size and colours of its picture",
}
_LABEL_SOURCES = {
    "field": "the data’s own field",
    "answer": "the answers, by a list of refusal phrases",
    "mixed": "the data’s own field, or the answer where that is empty",
}


class Shortcut(IntEnum):
    """How much of a shortcut there is; the larger, the worse."""

    UNKNOWN = 0
    NONE = 1
    SOME = 2
    CLEAR = 3

    @property
    def said(self) -> str:
        """Return the verdict as a page says it."""
        return ("not estimable", "no shortcut found", "some shortcut", "clear shortcut")[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """What both pages show of an audit."""

    audit: AuditRead
    headline: str
    verdict: Shortcut
    meaning: tuple[str, ...]
    label_source: str
    chart: OpenerChart
    ladder: tuple[Rung, ...]
    measured_on: str


def view(audit: AuditRead) -> AuditView:
    """Return what a page shows of an audit."""
    found = {name: shortcut(audit.predictability.get(name)) for name in _SURFACE}
    return AuditView(
        audit=audit,
        headline=_headline(audit, found),
        verdict=max(found.values()),
        meaning=tuple(_meaning(audit, found)),
        label_source=_LABEL_SOURCES.get(audit.label_source, audit.label_source),
        chart=opener_chart(audit.openers),
        ladder=ladder(audit),
        measured_on=measured_on(audit.probes),
    )


def shortcut(accuracy: AccuracyRead | None) -> Shortcut:
    """Say how much of a shortcut a rule is. One that chance may explain is none."""
    if accuracy is None or accuracy.gap is None or accuracy.baseline is None:
        return Shortcut.UNKNOWN
    by_chance = accuracy.low is not None and accuracy.low <= accuracy.baseline
    if by_chance or accuracy.gap <= SMALL_GAP:
        return Shortcut.NONE
    return Shortcut.CLEAR if accuracy.gap > LARGE_GAP else Shortcut.SOME


def _headline(audit: AuditRead, found: dict[str, Shortcut]) -> str:
    """Speak of the first word, unless it tells little and something else tells more."""
    worst = max(found, key=lambda name: found[name])  # the first word where several are as bad
    if found[worst] is Shortcut.UNKNOWN:
        return "How well the first word predicts refusal is not estimable from this data."
    rule, told_from = audit.predictability[worst], _SURFACE[worst]
    can = {
        Shortcut.CLEAR: f"can be told from nothing but {told_from}",
        Shortcut.SOME: f"can be told in part from {told_from}",
        Shortcut.NONE: f"cannot be told from {told_from}",
    }
    return (
        f"Whether a query is to be refused {can[found[worst]]}: such a guess is right for {percent(rule.test)} "
        f"of unseen queries, always guessing the more common label for {percent(rule.baseline)}."
    )


def _meaning(audit: AuditRead, found: dict[str, Shortcut]) -> list[str]:
    if max(found.values()) is Shortcut.UNKNOWN:
        return ["Too few queries, or only one label: nothing can be said about a shortcut."]
    said = [] if audit.shortcut_gap is None else [_gap(audit.shortcut_gap)]
    others = [name for name, level in found.items() if level >= Shortcut.SOME and name != "opener"]
    if others:
        each = listed(f"{_SURFACE[name]} (right for {percent(audit.predictability[name].test)})" for name in others)
        said.append(f"A query’s label can also be told from {each}. None of that is what a query asks for.")
    without = audit.predictability.get("words_without_opener")
    if without is not None and shortcut(without) is Shortcut.CLEAR:
        said.append(
            f"The other words give the label away as well ({percent(without.test)} without the first word). "
            "Part of that is what the queries are about, as it should be; "
            "but new openers alone will not close every shortcut."
        )
    return said


def _gap(gap: float) -> str:
    size = points(gap)
    if gap > LARGE_GAP:
        return (
            f"The shortcut gap is {size} points. A model fine-tuned on this data can score well by reading "
            "the first word and not the request: it may refuse harmless queries that open like refused ones, "
            "and answer harmful ones that open like answered ones."
        )
    if gap > SMALL_GAP:
        return f"The shortcut gap is {size} points: the first word tells something, but not most of it."
    return f"The shortcut gap is {size} points: the first word tells next to nothing that a guess does not."
