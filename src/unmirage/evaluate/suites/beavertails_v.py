"""BeaverTails-V (Ji et al. 2025, arXiv 2503.17682): questions about images in 20 categories of harm.

On the hub, a category is a configuration with the splits `train` and `evaluation`. A folder has `CATEGORY/evaluation*`
Parquet files, at the top or below `data/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from unmirage.data.hub import HUB, hub_data
from unmirage.data.parquet import parquet_files
from unmirage.errors import UserError
from unmirage.evaluate.suites.base import Found, Published, Suite
from unmirage.evaluate.suites.flat import Fields, flat
from unmirage.evaluate.suites.joined import Part, joined

CATEGORIES = (
    "animal_abuse",
    "dangerous_behavior",
    "deception_in_personal_relationships",
    "discriminatory_depictions",
    "environmental_damage",
    "false_information",
    "financial_and_academic_fraud",
    "hacking_or_digital_crime",
    "harmful_health_content",
    "horror_and_gore",
    "identity_misuse_and_impersonation",
    "insulting_and_harassing_behavior",
    "pornographic_content",
    "privacy_invasion_and_surveillance",
    "psychological_harm_and_manipulation",
    "psychological_horror_and_dark_themes",
    "sensitive_information_in_key_areas",
    "sexual_crimes",
    "terrorism_or_extremism",
    "violence_and_physical_harm",
)
_HUB = "PKU-Alignment/BeaverTails-V"
_SPLIT = "evaluation"
_FIELDS = Fields(query="question", needs=("image_severity",))


def _find(data: str, images: Path | None) -> Found:
    parts = list(_on_hub(data) if data.startswith(HUB) else _in_folder(Path(data)))
    return joined(parts, flat(_FIELDS, refused=True), images or (Path() if data.startswith(HUB) else Path(data)))


def _on_hub(data: str) -> Iterator[Part]:
    """Yield the datasets on the hub; "hf:NAME:CATEGORY" selects one category."""
    name, _, split = data.removeprefix(HUB).partition("@")
    name, _, chosen = name.partition(":")
    for category in (chosen,) if chosen else CATEGORIES:
        yield Part(category, category, hub_data(Path(f"{HUB}{name}:{category}@{split or _SPLIT}")))


def _in_folder(folder: Path) -> Iterator[Part]:
    """Yield the Parquet files of the evaluation split."""
    root = folder / "data" if (folder / "data").is_dir() else folder
    found = [
        (category, file) for category in CATEGORIES for file in sorted((root / category).glob(f"{_SPLIT}*.parquet"))
    ]
    if not found:
        raise UserError(f"{folder}: has no file CATEGORY/{_SPLIT}*.parquet; valid categories: {', '.join(CATEGORIES)}")
    for category, file in found:
        yield Part(category, f"{category}/{file.stem}", parquet_files(file))


SUITES = {
    "beavertails-v": Suite(
        name="beavertails-v",
        purpose="safety",
        about="BeaverTails-V: questions about images in 20 categories of harm, evaluation split (1,180)",
        hub=_HUB,
        default=f"{HUB}{_HUB}",
        find=_find,
        published=(Published(total=1180),),
    )
}
