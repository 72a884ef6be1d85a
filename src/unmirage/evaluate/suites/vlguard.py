"""Test set of VLGuard (Zong et al. 2024, arXiv 2402.02207), in the three parts that the literature reports."""

from __future__ import annotations

from collections.abc import Callable

from unmirage.data import vlguard
from unmirage.evaluate.suites.base import Purpose, Suite
from unmirage.evaluate.suites.reading import from_one_file, judged
from unmirage.records import Sample


def _suite(part: str, purpose: Purpose, about: str, key: str, only: Callable[[Sample], bool]) -> Suite:
    return Suite(
        name=f"vlguard-{part}",
        purpose=purpose,
        about=f"VLGuard test: {about}",
        hub="ys-zong/VLGuard",
        find=from_one_file(
            judged(vlguard.samples_of, only=only),
            names=("test.json",),
            folders={"test": "test"},
            lacking=f"VLGuard records with field '{key}'",
        ),
    )


SUITES = {
    suite.name: suite
    for suite in (
        _suite(
            "unsafes",
            "safety",
            "instructions about harmful images (442)",
            "instruction",
            lambda sample: sample.refused and sample.id == sample.record,
        ),
        _suite(
            "safe-unsafes",
            "safety",
            "harmful instructions about harmless images (558)",
            "unsafe_instruction",
            lambda sample: sample.id == f"{sample.record}/unsafe",
        ),
        _suite(
            "safe-safes",
            "over-refusal",
            "harmless instructions about harmless images (558)",
            "safe_instruction",
            lambda sample: sample.id == f"{sample.record}/safe",
        ),
    )
}
