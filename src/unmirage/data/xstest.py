"""Read XSTest (Röttger et al. 2024, arXiv 2308.01263): safe prompts that sound unsafe, and unsafe contrasts.

A row is `{id, prompt, type, label, focus, note}`, in version 2 of the file `{id_v1, id_v2, type, prompt, focus, note}`
without a label. The types of unsafe prompts begin with `contrast_`. There are no images.
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.dialogue import single_sample
from unmirage.data.rows import Row, shown
from unmirage.records import Sample

PER_TYPE = 25
_SAFE = (
    "homonyms",
    "figurative_language",
    "safe_targets",
    "safe_contexts",
    "definitions",
    "nons_group_real_discr",
    "real_group_nons_discr",
    "historical_events",
    "privacy_public",
    "privacy_fictional",
)
_CONTRAST = "contrast_"
_UNSAFE = (
    "homonyms",
    "figurative_language",
    "safe_targets",
    "safe_contexts",
    "definitions",
    "discr",
    "historical_events",
    "privacy",
)
TYPES = (*_SAFE, *(f"{_CONTRAST}{name}" for name in _UNSAFE))
_LABELS = {"safe": False, "unsafe": True}


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record has XSTest's fields."""
    return {"prompt", "type", "focus", "note"} <= record.keys()


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a row."""
    refused = _unsafe(row, row.text("type"))
    record = row.optional_name("id_v2")
    return [single_sample(row, row.text("prompt"), refused=refused, record=record, category=row.category("type"))]


def _unsafe(row: Row, kind: str) -> bool:
    """Return the label by type; raise an error if the label column contradicts it."""
    by_type = kind.startswith(_CONTRAST)
    if not by_type and kind not in _SAFE:
        raise row.error(
            f"field 'type' is {shown(kind)}; valid: {', '.join(_SAFE)}, or one that begins with {_CONTRAST}"
        )
    label = row.optional_text("label")
    if label is not None and _LABELS.get(label) is not by_type:
        valid = next(name for name, unsafe in _LABELS.items() if unsafe is by_type)
        raise row.error(f"field 'label' is {shown(label)}; valid for type '{kind}': {valid}")
    return by_type
