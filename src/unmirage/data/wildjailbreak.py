"""Read WildJailbreak (Jiang et al. 2024, arXiv 2406.18510): prompts in plain words, and jailbreaks made of them.

A row is `{vanilla, adversarial, completion, data_type}`, in the evaluation split `{adversarial, label, data_type}`. The
type gives the label: `vanilla_harmful`, `vanilla_benign`, `adversarial_harmful` or `adversarial_benign`.
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.dialogue import single_sample
from unmirage.data.rows import Row, shown
from unmirage.records import Sample

_TYPES = tuple(f"{form}_{label}" for form in ("vanilla", "adversarial") for label in ("harmful", "benign"))


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has WildJailbreak's fields."""
    return "adversarial" in record and record.get("data_type") in _TYPES


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a row; the query is the jailbreak, or the plain prompt in rows without one."""
    kind = row.text("data_type")
    if kind not in _TYPES:
        raise row.error(f"field 'data_type' is {shown(kind)}; valid: {', '.join(_TYPES)}")
    query = row.optional_text("vanilla" if kind.startswith("vanilla") else "adversarial") or ""
    row.fields.get("label")  # the type says the same
    answer = row.optional_text("completion") or ""
    return [single_sample(row, query, refused=kind.endswith("harmful"), answer=answer, category=kind)]
