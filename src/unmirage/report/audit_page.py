"""Build the HTML page of an audit."""

from __future__ import annotations

from typing import Any

from unmirage.report.audit_changes import comparison, remedies
from unmirage.report.audit_document import AuditRead, FindingRead, read_audit
from unmirage.report.audit_findings import MOST, finding_rows, kinds_of
from unmirage.report.audit_view import view
from unmirage.report.forest import Forest, forest
from unmirage.report.page import render

_SCRIPT = "page.js"


def render_audit_page(document: dict[str, Any], where: str = "audit document", *, redact: bool = False) -> str:
    """Return the page of an audit.

    Args:
        document: output of `unmirage audit --json` (schema `unmirage.audit/1`).
        where: names the document in errors.
        redact: leave out answers.

    Raises:
        UserError: the document does not follow the schema.
    """
    audit = read_audit(document, where)
    rows, plot = finding_rows(audit.findings[:MOST]), forest(audit.findings)
    return render(
        "audit.html.j2",
        {
            "view": view(audit),
            "audit": audit,
            "forest": plot,
            "rows": rows,
            "kinds": kinds_of(rows),
            "left_out": audit.findings_left_out + len(audit.findings) - len(rows),
            "remedies": remedies(audit, audit.remedies),
            "comparison": _comparison(audit),
            "sections": _sections(audit, plot),
            "redact": redact,
        },
        script=_SCRIPT if rows else None,
    )


def _comparison(audit: AuditRead) -> dict[str, Any] | None:
    other = audit.compare
    if other is None:
        return None
    return {
        "table": comparison(audit, audit.source, other, other.source),
        "lists": (
            (audit.source, finding_rows(other.gone[:MOST]), _total(other.gone_n, other.gone)),
            (other.source, finding_rows(other.new[:MOST]), _total(other.new_n, other.new)),
        ),
    }


def _total(number: int | None, listed: list[FindingRead]) -> int:
    return len(listed) if number is None else max(number, len(listed))


def _sections(audit: AuditRead, plot: Forest | None) -> list[tuple[str, str]]:
    """Return the sections for the page's navigation."""
    sections = [
        ("openers", "First words", audit.openers),
        ("ladder", "Predictability", True),
        ("forest", "Strongest findings", plot),
        ("decided", "Decided by the opener", audit.decided_by_opener),
        ("labels", "Labels", audit.label_quality),
        ("pictures", "Images", audit.pictures),
        ("words", "Attack words", True),
        ("remedies", "Remedies", audit.remedies),
        ("compare", "Comparison", audit.compare),
        ("todo", "Next steps", True),
        ("findings", "All findings", True),
        ("reading", "Definitions", True),
    ]
    return [(name, title) for name, title, there in sections if there]
