"""Cards of measured models and audited datasets, to paste on the page of a hub.

Every figure comes from results.json or audit.json. A card names no path of this machine, only file names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from unmirage.audit import AuditResult
from unmirage.documents import Document
from unmirage.errors import UserError
from unmirage.evaluate import Results
from unmirage.run.files import naming, read_json, write_text_atomic
from unmirage.text.cards import front_matter, inert, merged


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A badge, in the format of the endpoint badges of shields.io."""

    schemaVersion: Literal[1] = 1  # noqa: N815 (the field of shields.io)
    label: str
    message: str
    color: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card(Document):
    """A card, the document `unmirage.card/1`.

    Attributes:
        kind: "model" or "dataset".
        name: the model or the data file.
        badge: its badge.
        metadata: the YAML header.
        text: the card below its title, as Markdown.
    """

    FILE: ClassVar[str] = "card.json"
    WRITER: ClassVar[str] = "unmirage card RUN --json"

    schema: Literal["unmirage.card/1"] = "unmirage.card/1"
    kind: Literal["model", "dataset"]
    name: str
    badge: Badge
    metadata: Mapping[str, Any] = field(default_factory=dict)
    text: str

    @property
    def markdown(self) -> str:
        """Return the whole card, with header and title."""
        return f"{front_matter(self.metadata)}\n\n# {inert(self.name)}\n\n{self.text}"

    def into(self, path: str | Path) -> Path:
        """Add the card to an existing one, such as README.md of `align`, and return its path.

        Header and text of the file are kept. What an earlier call added is replaced.

        Raises:
            UserError: there is no such file, or its header is invalid.
        """
        file = Path(path)
        if not file.is_file():
            raise UserError(f"{file}: no such card; without --into, the card is printed")
        with naming(file):
            old = file.read_text(encoding="utf-8")
            write_text_atomic(file, merged(old, self.metadata, self.text, str(file)))
        return file


def read_source(source: str | Path) -> tuple[Results | AuditResult, str]:
    """Return the results or the audit in a file or run directory, and the day on which the file was written.

    Raises:
        UserError: there is neither.
    """
    path = Path(source)
    file = path / Results.FILE if path.is_dir() else path
    if path.is_dir() and not file.is_file():
        raise UserError(f"{path}: no {Results.FILE}; run `unmirage evaluate {path}` first")
    if not file.exists():
        raise UserError(f"{path}: no such run or audit; name a run directory or a file of `unmirage audit --json`")
    document = read_json(file)
    schema = document.get("schema") if isinstance(document, dict) else None
    kind = AuditResult if schema == AuditResult.schema_name() else Results
    if schema not in (AuditResult.schema_name(), Results.schema_name()):
        raise UserError(f"{file}: neither results of a run nor an audit; write one with `{Results.WRITER}`")
    day = datetime.fromtimestamp(file.stat().st_mtime, UTC).date().isoformat()
    return kind.read(document, str(file)), day


def measured(day: str, by: str) -> list[str]:
    """Return the line of a card with the day of the figures and what made them; none if both are unknown."""
    known = ", ".join(part for part in (day, inert(by)) if part)
    return [f"Measured: {known}"] if known else []
