"""XSTest rows become samples: safe prompts that sound unsafe, and beside each an unsafe one that looks like it.

A row is `{id, prompt, type, label, focus, note}`, in version 2 of the file `{id_v1, id_v2, type, prompt, focus, note}`
without a label; the types of unsafe prompts begin with `contrast_` (Röttger et al. 2024, arXiv 2308.01263). There are
no pictures.
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.rows import Row, shown
from unmirage.records import Sample

# Twenty-five prompts each, as of those of eight types that begin with `contrast_`.
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
_LABELS = {"safe": False, "unsafe": True}


def matches(record: Mapping[str, object]) -> bool:
    """Return whether a record looks like XSTest's."""
    return {"prompt", "type", "focus", "note"} <= record.keys()


def samples_of(row: Row) -> list[Sample]:
    """Return the one sample of a row."""
    kind = row.text("type")
    record = row.optional_name("id_v2") or row.identity()
    return [
        Sample(
            id=record,
            record=record,
            query=row.text("prompt"),
            refused=_unsafe(row, kind),
            label_source="field",
            category=row.category("type"),
        )
    ]


def _unsafe(row: Row, kind: str) -> bool:
    """Tell the label from its column where there is one, and from the type; the two have to agree."""
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
