"""Measure how well surface features predict the label: `audit` returns an `AuditResult`."""

from unmirage.audit.audit import AuditOptions, audit
from unmirage.audit.result import SCHEMA, AuditResult

__all__ = ["SCHEMA", "AuditOptions", "AuditResult", "audit"]
