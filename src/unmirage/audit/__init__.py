"""Does the surface of a query give its label away? `audit` measures it; `AuditResult` says what it found."""

from unmirage.audit.audit import AuditOptions, audit
from unmirage.audit.result import SCHEMA, AuditResult

__all__ = ["SCHEMA", "AuditOptions", "AuditResult", "audit"]
