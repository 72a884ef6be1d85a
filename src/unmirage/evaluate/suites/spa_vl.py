"""Test set of SPA-VL (Zhang et al. 2024, arXiv 2406.12030) with harmful and harmless questions.

The split determines the label of a question. Preferred answers are optional.
"""

from __future__ import annotations

from unmirage.data.placeholders import without_placeholder
from unmirage.data.rows import Row
from unmirage.evaluate.suites.base import Purpose, Suite
from unmirage.evaluate.suites.reading import from_one_file, judged
from unmirage.records import Sample


def _samples_of(row: Row) -> list[Sample]:
    record = row.identity()
    return [
        Sample(
            id=record,
            record=record,
            query=without_placeholder(row.text("question")),
            answer=row.optional_text("chosen") or "",
            image=row.image(),
            refused=False,
            label_source="field",
            category=row.category("class3", "class2", "class1"),
        )
    ]


def _suite(split: str, purpose: Purpose, about: str, *, refused: bool) -> Suite:
    return Suite(
        name=f"spa-vl-{split}",
        purpose=purpose,
        about=about,
        hub="sqrti/SPA-VL",
        default=f"hf:sqrti/SPA-VL:test@{split}",
        find=from_one_file(judged(_samples_of, refused=refused)),
    )


SUITES = {
    suite.name: suite
    for suite in (
        _suite("harm", "safety", "SPA-VL test: harmful questions (265)", refused=True),
        _suite("help", "over-refusal", "SPA-VL test: harmless questions (265)", refused=False),
    )
}
