"""Human labels that ship with the package: XSTest completions and MSTS annotations, both CC-BY-4.0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from unmirage.data.containers import text_file
from unmirage.data.rows import Row
from unmirage.data.source import strict
from unmirage.documents import Shown
from unmirage.errors import UserError, unknown
from unmirage.evaluate.labels.files import labels_of
from unmirage.evaluate.labels.mapping import Truth
from unmirage.evaluate.labels.records import Labels

FOLDER = Path(__file__).parent / "data"
# Labels are mapped to verdicts when they are read, so that a user's map can change them.
_COLUMNS = {"verdict": "label"}
_PARTS = ("part", "model", "language")


@dataclass(frozen=True, slots=True, repr=False)
class ShippedLabels(Shown):
    """One file of shipped labels.

    Attributes:
        name: name for `--labels`.
        title: what it has.
        citation: authors and paper.
    """

    name: str
    title: str
    citation: str
    LICENSE: ClassVar[str] = "CC-BY-4.0"

    @property
    def path(self) -> Path:
        """The compressed file."""
        return FOLDER / f"{self.name}.jsonl.gz"

    def records(self) -> Iterator[Row]:
        """Yield its records."""
        return text_file(self.path).rows(strict)

    def heading(self) -> str:
        """Return what the labels are, and their authors."""
        return f"{self.name}: {self.title} ({self.citation}; {self.LICENSE})"

    def summary(self) -> list[dict[str, object]]:
        """Return the number of responses and verdicts of each part."""
        found: dict[tuple[str, ...], dict[str, int]] = {}
        for row in self.records():
            counts = found.setdefault(tuple(str(row.fields[name]) for name in _PARTS), dict.fromkeys(Truth, 0))
            counts[str(row.fields["verdict"])] += 1
        return [
            {**dict(zip(_PARTS, key, strict=True)), "n": sum(counts.values()), **counts}
            for key, counts in found.items()
        ]


SHIPPED = {
    one.name: one
    for one in (
        ShippedLabels("xstest", "responses of three models to XSTest's prompts", "Röttger et al., NAACL 2024"),
        ShippedLabels("msts", "responses of six models to MSTS's prompts", "Röttger et al., 2025, arXiv 2501.10057"),
    )
}


def shipped_labels(spec: str, label_map: Mapping[str, Truth] | None = None) -> Labels:
    """Return shipped labels.

    Args:
        spec: a name of `SHIPPED`, then parts, models or languages that all must apply: "xstest", "msts:french",
            "msts:english:openbmb/MiniCPM-V-2_6".
        label_map: verdicts that replace those of the labels.

    Raises:
        UserError: there are no such labels.
    """
    name, *parts = spec.strip().split(":")
    if name not in SHIPPED:
        raise unknown("labels", name, SHIPPED)
    rows = list(SHIPPED[name].records())
    for part in parts:
        known = {str(row.fields[field]) for row in rows for field in _PARTS}
        rows = [row for row in rows if part.casefold() in {str(row.fields[field]).casefold() for field in _PARTS}]
        if not rows:
            raise UserError(f"--labels {spec}: {unknown('part', part, known)}")
    return labels_of(rows, spec, _COLUMNS, label_map)
