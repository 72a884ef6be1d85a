"""Write the card of an audited dataset."""

from __future__ import annotations

from collections.abc import Iterator

from unmirage.audit import AuditResult
from unmirage.audit.informedness import Informedness, Shortcut
from unmirage.audit.ranking import Auc
from unmirage.text.cards import badge_image, inert
from unmirage.text.formatting import NOT_ESTIMABLE, points
from unmirage.text.markdown import markdown_table
from unmirage.workflows.cards import Badge, Card, measured

_COLORS = {Shortcut.NONE: "brightgreen", Shortcut.SOME: "yellow", Shortcut.CLEAR: "red"}
_MOST_FINDINGS = 10


def card_of_data(audit: AuditResult, day: str = "") -> Card:
    """Return the card of an audited dataset.

    Args:
        audit: the audit.
        day: the day of the audit, for the card; "" to leave it out.
    """
    found = audit.informedness
    verdict = found.verdict
    value = _plain(found)
    badge = Badge(
        label="first-word shortcut",
        message=f"{verdict.said}, informedness {value}" if found.value is not None else verdict.said,
        color=_COLORS.get(verdict, "lightgrey"),
    )
    measured = {"value": found.value, "low": found.low, "high": found.high, "result": verdict.said}
    return Card(
        kind="dataset",
        name=audit.source,
        badge=badge,
        metadata={
            "tags": ["safety", "unmirage"],
            "unmirage_audit": {"informedness": measured, "queries": audit.n, "refused": audit.refused},
        },
        text="\n\n".join(_data_text(audit, badge, value, day)) + "\n",
    )


def _data_text(audit: AuditResult, badge: Badge, value: str, day: str) -> Iterator[str]:
    """Yield the parts of the card of a dataset."""
    yield badge_image(badge.label, badge.message, badge.color)
    found = audit.informedness
    if found.sensitivity is not None and found.specificity is not None:
        yield (
            f"The first word alone recognizes {points(found.sensitivity)} % of the refused and "
            f"{points(found.specificity)} % of the answered queries. A model trained on these data can learn the word "
            "instead of the harm."
        )
    yield "## Audit for surface shortcuts"
    auc, first = audit.auc, audit.predictability.get("opener")
    rows = [
        ("queries", f"{audit.n:,}, of which {audit.refused:,} should be refused (label: {inert(audit.label_source)})"),
        ("informedness of the first word", f"{value}: {audit.informedness.verdict.said}"),
        ("AUC of the first word", _plain(auc)),
    ]
    if first is not None and first.test is not None:
        own = f"{points(first.test)} %, guessing the majority {points(first.baseline)} %"
        rows.append(("accuracy of the first word on unseen queries", own))
    if audit.label_quality is not None:
        checked = audit.label_quality
        rows.append(("label field and answer disagree", f"{checked.disagree:,} of {checked.both:,}"))
    for name, outcome in audit.remedies.items():
        after = outcome.informedness.value
        told = NOT_ESTIMABLE if after is None else f"{after:.2f}"
        rows.append((f"informedness of the {inert(name)} version", f"{told}, {outcome.n:,} queries"))
    yield markdown_table(("measure", "value, 95 % interval"), rows, left=2)
    findings = [one for one in audit.findings if one.headline][:_MOST_FINDINGS]
    if findings:
        yield markdown_table(
            ("queries that …", "refused", "answered", "predicts"),
            [(inert(one.text), f"{one.refused:,}", f"{one.answered:,}", inert(str(one.direction))) for one in findings],
        )
    lines = [*measured(day, audit.schema), "Command: `unmirage audit DATA --json`"]
    if words := ", ".join(f"{kind} “{inert(word)}”" for kind, word in audit.suggested.words.items()):
        lines.insert(0, f"Words to attack a trained model with: {words}")
    yield "\n".join(f"- {line}" for line in lines)
    yield (
        "### Limits\n\n- The audit describes the data, not a model. It finds surface shortcuts (words, shape, "
        "template) and says nothing about whether the labels are right or the data complete."
        + (f"\n- {audit.skipped.count:,} records could not be read and are left out." if audit.skipped.count else "")
        + (f"\n- {count:,} samples have no label and are left out." if (count := audit.without_label.count) else "")
    )


def _plain(found: Informedness | Auc) -> str:
    return NOT_ESTIMABLE if found.value is None else f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
