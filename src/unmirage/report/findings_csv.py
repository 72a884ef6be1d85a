"""Export the findings of an audit as CSV that is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from unmirage.report.formatting import LONGEST_TEXT
from unmirage.text.printable import clean

_COLUMNS = (
    "kind", "position", "feature", "text", "refused", "answered", "log_odds", "low", "high", "p_value", "q_value",
    "direction", "given_opener_log_odds", "given_opener_low", "given_opener_high", "echo_of", "headline",
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
    echo = finding["echo_of"]
    flat = {
        **finding,
        **{f"given_opener_{name}": given.get(name) for name in ("log_odds", "low", "high")},
        "echo_of": f"{echo['position']}: {echo['feature']}" if echo else None,
    }
    return [flat[name] for name in _COLUMNS]


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    shown = clean(value, LONGEST_TEXT)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
