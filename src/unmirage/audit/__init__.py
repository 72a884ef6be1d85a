"""Measure how well surface features predict the label: `audit` returns an `AuditResult`."""

from unmirage.audit.audit import AuditOptions, audit
from unmirage.audit.result import AuditResult

__all__ = ["AuditOptions", "AuditResult", "audit"]
