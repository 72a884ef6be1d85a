"""Build the HTML page of an audit."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from unmirage.audit.result import AuditResult
from unmirage.records import Finding
from unmirage.report.audit_changes import REMEDIES, comparison, remedies
from unmirage.report.audit_findings import MOST, finding_rows, kinds_of
from unmirage.report.audit_view import view
from unmirage.report.forest import Forest, forest
from unmirage.report.page import render
from unmirage.text.formatting import LONGEST_TEXT
from unmirage.text.printable import clean

_SCRIPT = "page.js"


def render_audit_page(document: dict[str, Any], where: str = "", *, redact: bool = False) -> str:
    """Return the page of an audit.

    Args:
        document: output of `unmirage audit --json` (schema `unmirage.audit/3`).
        where: names the document in errors; "" for audit.json.
        redact: leave out answers.

    Raises:
        UserError: the document does not follow the schema.
    """
    audit = AuditResult.read(document, where)
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
            "remedy_names": REMEDIES,
            "comparison": _comparison(audit),
            "sections": _sections(audit, plot),
            "redact": redact,
        },
        script=_SCRIPT if rows else None,
    )


def _comparison(audit: AuditResult) -> dict[str, Any] | None:
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


def _total(number: int | None, listed: Sequence[Finding]) -> int:
    return len(listed) if number is None else max(number, len(listed))


def _sections(audit: AuditResult, plot: Forest | None) -> list[tuple[str, str]]:
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


_COLUMNS = (
    "kind", "position", "feature", "text", "refused", "answered", "refused_once", "answered_once",
    "log_odds", "low", "high", "p_value", "q_value", "direction",
    "given_opener_log_odds", "given_opener_low", "given_opener_high", "redundant_with", "headline",
)  # fmt: skip
# Spreadsheets interpret cells with these prefixes as formulas (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def findings_csv(document: Mapping[str, Any]) -> str:
    """Return one line per finding. Text is cleaned and truncated, and possible formulas get a leading quote."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for finding in document["findings"]:
        writer.writerow([_cell(value) for value in _row(finding)])
    return text.getvalue()


def _row(finding: Mapping[str, Any]) -> list[Any]:
    given = finding["given_opener"] or {}
    other = finding["redundant_with"]
    flat = {
        **finding,
        **{f"given_opener_{name}": given.get(name) for name in ("log_odds", "low", "high")},
        "redundant_with": f"{other['position']}: {other['feature']}" if other else None,
    }
    return [flat[name] for name in _COLUMNS]


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    shown = clean(value, LONGEST_TEXT)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
