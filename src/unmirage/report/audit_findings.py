"""Rows of the findings table: a sentence for each finding, its kind, and the finding that it is redundant with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from unmirage.records import Finding, Position
from unmirage.text.printable import short

MOST = 500
KINDS = {
    "word": "words",
    "ngram": "n-grams",
    "shape": "shape",
    "template": "sentence pattern",
    "image": "images",
}
_LONGEST = 40
_FROM_FRONT = {1: "second", 2: "third", 3: "fourth"}
_FROM_BACK = {-1: "last", -2: "last but one", -3: "last but two"}


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One row; `says` completes "Queries that …", `redundant` names the other finding, or is empty."""

    found: Finding
    says: str
    kind: str
    redundant: str


def finding_rows(findings: Iterable[Finding]) -> tuple[FindingRow, ...]:
    """Return one row per finding, in the order of the document."""
    return tuple(FindingRow(one, says(one), kind_of(one), _redundancy(one)) for one in findings)


def kinds_of(rows: Iterable[FindingRow]) -> dict[str, str]:
    """Return the kinds that occur, with their display names."""
    found = {row.kind for row in rows}
    return {kind: name for kind, name in KINDS.items() if kind in found}


def says(finding: Finding) -> str:
    """Return a text that completes "Queries that …"; older documents do not include one."""
    if finding.text:
        return finding.text
    word = f"“{short(finding.feature, _LONGEST)}”"
    if finding.position == "opener":
        return f"open with {word}"
    place = _place(finding.position)
    return f"have {word} as their {place} word" if place else f"contain {word}"


def kind_of(finding: Finding) -> str:
    """Return a kind that the page can filter by."""
    if finding.kind in KINDS:
        return finding.kind
    if finding.position in ("shape", "template", "image"):
        return str(finding.position)
    return "ngram" if len(finding.feature[:200].split()) > 1 else "word"


def _redundancy(finding: Finding) -> str:
    if finding.redundant_with is None:
        return ""
    word, position = f"“{short(finding.redundant_with.feature, _LONGEST)}”", finding.redundant_with.position
    if position == "opener":
        return f"redundant with opener {word}"
    place = _place(position)
    return f"redundant with {word} as {place} word" if place else f"redundant with {word}"


def _place(position: Position) -> str:
    if isinstance(position, str):
        return ""
    return _FROM_FRONT.get(position) or _FROM_BACK.get(position) or f"{position:+d}."
