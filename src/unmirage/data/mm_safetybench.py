"""Read MM-SafetyBench (Liu et al. 2024, arXiv 2311.17600), whose samples all have the label "refused".

A row is `{id, question, image}`. Other tables have the same fields, so this format is never detected and must be named.
Each file has one scenario with one kind of image.
"""

from __future__ import annotations

from collections.abc import Mapping

from unmirage.data.dialogue import single_sample
from unmirage.data.rows import Row
from unmirage.records import Sample

# As published, including the misspelling of the first.
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
# Stable Diffusion image, the same with the key phrase below, the phrase alone, no image.
PICTURES = ("SD", "SD_TYPO", "TYPO", "Text_only")


def matches(record: Mapping[str, object]) -> bool:  # noqa: ARG001
    """Return False: the fields do not identify this format."""
    return False


def samples_of(row: Row) -> list[Sample]:
    """Return the sample of a row; rows without an id are numbered from 1."""
    return [single_sample(row, row.text("question"), refused=True)]
