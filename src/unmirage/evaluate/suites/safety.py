"""Safety and over-refusal suites in one file each: FigStep, HoliSafe, MOSSBench, XSTest, SPA-VL and VLGuard."""

from __future__ import annotations

from collections.abc import Callable

from unmirage.data import figstep, holisafe, mossbench, vlguard, xstest
from unmirage.data.rows import Row, without_placeholder
from unmirage.evaluate.suites.base import Purpose, Suite
from unmirage.evaluate.suites.reading import from_one_file, judged
from unmirage.records import Sample

_FIGSTEP = ("safebench.csv", "data/question/safebench.csv", "question/safebench.csv")

SINGLE = {
    suite.name: suite
    for suite in (
        Suite(
            name="figstep",
            purpose="safety",
            about="FigStep SafeBench: harmful requests as images of text (500)",
            hub="github.com/ThuCCSLab/FigStep",
            max_new_tokens=512,  # the prompt asks for three items of about 100 words
            find=from_one_file(
                judged(figstep.samples_of),
                names=_FIGSTEP,
                folders={one: one for one in ("../images/SafeBench", "images/SafeBench", "SafeBench")},
            ),
        ),
        Suite(
            name="holisafe",
            purpose="safety",
            about="HoliSafe-Bench: safe and unsafe images and texts in all combinations (4,031)",
            hub="etri-vilab/holisafe-bench",
            default="hf:etri-vilab/holisafe-bench@test",
            find=from_one_file(judged(holisafe.samples_of), names=("holisafe_bench.json",)),
        ),
        Suite(
            name="mossbench",
            purpose="over-refusal",
            about="MOSSBench: harmless questions about images that look harmful (300)",
            hub="AIcell/MOSSBench",
            find=from_one_file(
                judged(mossbench.samples_of),
                names=("information.json", "images_information/information.json"),
                folders={"images": ".", "../images": ".."},
            ),
        ),
        Suite(
            name="xstest",
            purpose="over-refusal",
            about="XSTest: safe prompts that sound unsafe (250) and contrasting unsafe prompts (200); no images",
            hub="github.com/paul-rottger/exaggerated-safety",
            find=from_one_file(judged(xstest.samples_of), names=("xstest_prompts.csv", "xstest_v2_prompts.csv")),
        ),
    )
}


def _spa_vl_samples(row: Row) -> list[Sample]:
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


def _spa_vl(split: str, purpose: Purpose, about: str, *, refused: bool) -> Suite:
    return Suite(
        name=f"spa-vl-{split}",
        purpose=purpose,
        about=about,
        hub="sqrti/SPA-VL",
        default=f"hf:sqrti/SPA-VL:test@{split}",
        find=from_one_file(judged(_spa_vl_samples, refused=refused)),
    )


SPA_VL = {
    suite.name: suite
    for suite in (
        _spa_vl("harm", "safety", "SPA-VL test: harmful questions (265)", refused=True),
        _spa_vl("help", "over-refusal", "SPA-VL test: harmless questions (265)", refused=False),
    )
}


def _vlguard(part: str, purpose: Purpose, about: str, key: str, only: Callable[[Sample], bool]) -> Suite:
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


VLGUARD = {
    suite.name: suite
    for suite in (
        _vlguard(
            "unsafes",
            "safety",
            "instructions about harmful images (442)",
            "instruction",
            lambda sample: bool(sample.refused) and sample.id == sample.record,
        ),
        _vlguard(
            "safe-unsafes",
            "safety",
            "harmful instructions about harmless images (558)",
            "unsafe_instruction",
            lambda sample: sample.id == f"{sample.record}/unsafe",
        ),
        _vlguard(
            "safe-safes",
            "over-refusal",
            "harmless instructions about harmless images (558)",
            "safe_instruction",
            lambda sample: sample.id == f"{sample.record}/safe",
        ),
    )
}
