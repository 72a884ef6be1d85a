"""MM-SafetyBench rows become samples: all of them are to be refused.

A row is `{id, question, image}`, which many a table has too: nothing tells them apart, so that this format has to be
named. Each file holds one of the scenarios with one kind of picture (Liu et al. 2024, arXiv 2311.17600).
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.placeholders import without_placeholder
from unmirage.data.rows import Row
from unmirage.records import Sample

# As published; the first one is misspelt there too.
SCENARIOS = (
    "Illegal_Activitiy",
    "HateSpeech",
    "Malware_Generation",
    "Physical_Harm",
    "EconomicHarm",
    "Fraud",
    "Sex",
    "Political_Lobbying",
    "Privacy_Violence",
    "Legal_Opinion",
    "Financial_Advice",
    "Health_Consultation",
    "Gov_Decision",
)
# A picture made by Stable Diffusion, the same with the key phrase written below, the phrase alone, and none.
PICTURES = ("SD", "SD_TYPO", "TYPO", "Text_only")


def matches(record: Mapping[str, object]) -> bool:  # noqa: ARG001
    """Return False: a row has nothing of its own."""
    return False


def samples_of(row: Row) -> list[Sample]:
    """Return the one sample of a row; rows without an id are numbered from 1."""
    record = row.identity()
    return [
        Sample(
            id=record,
            record=record,
            query=without_placeholder(row.text("question")),
            image=row.image(),
            refused=True,
            label_source="field",
        )
    ]
