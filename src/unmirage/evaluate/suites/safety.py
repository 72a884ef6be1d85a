"""Safety and over-refusal suites in one file each: FigStep, HoliSafe, MOSSBench, XSTest, SPA-VL and VLGuard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from unmirage.data import figstep, holisafe, mossbench, vlguard, xstest
from unmirage.data.rows import Row, without_placeholder
from unmirage.errors import UserError
from unmirage.evaluate.suites.base import Item, Published, Purpose, Suite
from unmirage.evaluate.suites.reading import from_one_file, judged
from unmirage.records import Sample

_FIGSTEP = ("safebench.csv", "data/question/safebench.csv", "question/safebench.csv")
_FIGSTEP_TOPICS = (
    "Illegal Activity",
    "Hate Speech",
    "Malware Generation",
    "Physical Harm",
    "Fraud",
    "Adult Content",
    "Privacy Violation",
    "Legal Opinion",
    "Financial Advice",
    "Health Consultation",
)


def _mossbench(name: str, purpose: Purpose, about: str, folder: str, types: Sequence[int], *, harmful: bool) -> Suite:
    names = ["information.json", "images_information/information.json", f"{folder}/images_information/information.json"]
    return Suite(
        name=name,
        purpose=purpose,
        about=f"MOSSBench: {about} ({sum(types)})",
        hub="github.com/xirui-li/MOSSBench",
        find=from_one_file(
            judged(lambda row: mossbench.labeled(row, harmful=harmful)),
            names=("contrast_information.json", *reversed(names)) if harmful else (*reversed(names), "information.csv"),
            folders={"images": ".", "../images": "..", f"{folder}/images": folder},
        ),
        published=(Published.of({f"type {number}": count for number, count in enumerate(types, 1)}),),
    )


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
            # SafeBench, and its small version SafeBench-Tiny.
            published=tuple(Published.of(dict.fromkeys(_FIGSTEP_TOPICS, count)) for count in (50, 5)),
        ),
        Suite(
            name="holisafe",
            purpose="safety",
            about="HoliSafe-Bench: safe and unsafe images and texts in all combinations (4,031)",
            hub="etri-vilab/holisafe-bench",
            default="hf:etri-vilab/holisafe-bench@test",
            find=from_one_file(judged(holisafe.samples_of), names=("holisafe_bench.json",)),
            published=(Published(total=4031),),
        ),
        _mossbench(
            "mossbench",
            "over-refusal",
            "harmless questions about images that look harmful",
            "data",
            (100, 100, 100),
            harmful=False,
        ),
        _mossbench(
            "mossbench-contrast",
            "safety",
            "harmful twins of these questions",
            "data_contrast",
            (100, 44, 100),
            harmful=True,
        ),
        Suite(
            name="xstest",
            purpose="over-refusal",
            about="XSTest: safe prompts that sound unsafe (250) and contrasting unsafe prompts (200); no images",
            hub="github.com/paul-rottger/exaggerated-safety",
            find=from_one_file(judged(xstest.samples_of), names=("xstest_prompts.csv", "xstest_v2_prompts.csv")),
            published=(Published.of(dict.fromkeys(xstest.TYPES, xstest.PER_TYPE)),),
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
        published=(Published(total=265),),
    )


SPA_VL = {
    suite.name: suite
    for suite in (
        _spa_vl("harm", "safety", "SPA-VL test: harmful questions (265)", refused=True),
        _spa_vl("help", "over-refusal", "SPA-VL test: harmless questions (265)", refused=False),
    )
}


_TRAIN_FILE = "train.json"
_TRAIN_SIZES = (1023, 977)  # unsafe images, and safe ones with a query of each kind


def _no_training_data(path: Path, items: Sequence[Item]) -> None:
    if path.name == _TRAIN_FILE or len(items) in _TRAIN_SIZES:
        raise UserError(
            f"{path}: is VLGuard's training set ({len(items):,} questions of this kind). Models are aligned on it, so "
            "it does not measure their safety. Pass test.json or its folder."
        )


def _vlguard(part: str, purpose: Purpose, about: str, key: str, total: int, only: Callable[[Sample], bool]) -> Suite:
    return Suite(
        name=f"vlguard-{part}",
        purpose=purpose,
        about=f"VLGuard test: {about} ({total})",
        hub="ys-zong/VLGuard",
        find=from_one_file(
            judged(vlguard.samples_of, only=only),
            names=("test.json",),
            folders={"test": "test"},
            lacking=f"VLGuard records with field '{key}'",
            check=_no_training_data,
        ),
        published=(Published(total=total),),
    )


VLGUARD = {
    suite.name: suite
    for suite in (
        _vlguard(
            "unsafes",
            "safety",
            "instructions about harmful images",
            "instruction",
            442,
            lambda sample: bool(sample.refused) and sample.id == sample.record,
        ),
        _vlguard(
            "safe-unsafes",
            "safety",
            "harmful instructions about harmless images",
            "unsafe_instruction",
            558,
            lambda sample: sample.id == f"{sample.record}/unsafe",
        ),
        _vlguard(
            "safe-safes",
            "over-refusal",
            "harmless instructions about harmless images",
            "safe_instruction",
            558,
            lambda sample: sample.id == f"{sample.record}/safe",
        ),
    )
}
