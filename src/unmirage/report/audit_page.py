"""An audit's document in, one self-contained HTML page out."""

from __future__ import annotations

from typing import Any

from unmirage.report.audit_view import view
from unmirage.report.documents import read_audit
from unmirage.report.page import render

_FIRST = 15
_MOST = 300


def render_audit_page(document: dict[str, Any], where: str = "audit document") -> str:
    """Return the page of an audit.

    Args:
        document: what `unmirage audit --json` prints (schema `unmirage.audit/1`).
        where: names the document in errors.

    Raises:
        UserError: the document does not follow the schema.
    """
    audit = view(read_audit(document, where))
    findings = audit.audit.findings
    return render(
        "audit.html.j2",
        {
            "view": audit,
            "first": findings[:_FIRST],
            "more": findings[_FIRST:_MOST],
            "left_out": max(0, len(findings) - _MOST),
        },
    )
