"""The published files of `published_audits.py`, and the sets and mixtures that it makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from unmirage.data import load_samples
from unmirage.records import Sample

SEED = 0
SAME_OPENERS = ("homonyms", "figurative_language", "safe_targets", "safe_contexts")


@dataclass(frozen=True, slots=True)
class Source:
    """A published file: where it lies below `data`, where it is from, and its license."""

    path: str
    origin: str
    commit: str
    license: str


SOURCES = {
    "VLGuard": Source("vlguard/train.json", "ys-zong/VLGuard: train.json", "not recorded", "research use"),
    "XSTest": Source(
        "field/xstest/xstest_prompts.csv",
        "paul-rottger/exaggerated-safety: xstest_prompts.csv",
        "d7bb5bd",
        "CC-BY-4.0",
    ),
    "MOSSBench pairs": Source(
        "field/mossbench/pairs_544.json",
        "xirui-li/MOSSBench: images_information/information.json of data and of data_contrast, joined",
        "8d68b06",
        "CC-BY-SA-4.0",
    ),
    "MOSSBench": Source(
        "field/mossbench/information.json",
        "xirui-li/MOSSBench: data/images_information/information.json",
        "8d68b06",
        "CC-BY-SA-4.0",
    ),
    "FigStep": Source(
        "field/figstep/safebench.csv", "ThuCCSLab/FigStep: data/question/safebench.csv", "0861b17", "MIT"
    ),
    "MSTS": Source(
        "field/msts/prompts_english_multimodal.csv",
        "paul-rottger/msts-multimodal-safety: data/prompts/english_multimodal.csv",
        "e9ae69e",
        "CC-BY-4.0",
    ),
    "SIUO": Source("field/bench/siuo_gen.json", "sinwang20/SIUO: data/siuo_gen.json", "18974b6", "CC-BY-NC-4.0"),
    "VizWiz": Source(
        "field/vqa/vizwiz_val_questions_vqa_format.json",
        "mlfoundations/open_flamingo: open_flamingo/eval/data/vizwiz/val_questions_vqa_format.json",
        "655f693",
        "CC-BY-4.0",
    ),
    "Alpaca": Source(
        "field/sft/alpaca_en_demo.json",
        "hiyouga/LLaMA-Factory: data/alpaca_en_demo.json",
        "ff6d4d12e",
        "Apache-2.0 (repository)",
    ),
}


class Files:
    """The published files as samples, each read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.load = cache(self._load)

    def path(self, name: str) -> Path:
        """Return the path of a source."""
        return self.folder / SOURCES[name].path

    def missing(self) -> list[Path]:
        """Return the sources that do not exist."""
        return [self.path(name) for name in SOURCES if not self.path(name).is_file()]

    def _load(self, name: str, label: Any = None, query: str = "", image: str = "") -> tuple[Sample, ...]:
        """Return the samples of a source; ids and records carry its name, pictures have no folder.

        Args:
            label: "field", "answer", "refused" or "answered"; None as the format has it.
            query: column of the queries, for a plain table.
            image: column of the pictures.
        """
        columns = {key: value for key, value in {"query": query, "image": image}.items() if value}
        table = {"format": "csv", "columns": columns} if columns else {}
        samples = load_samples(self.path(name), label=label, **table).samples
        return tuple(
            replace(one, id=f"{name} {one.id}", record=f"{name} {one.record}", image=one.image and Path(one.image).name)
            for one in samples
        )

    @property
    def vlguard(self) -> tuple[Sample, ...]:
        """Return VLGuard's queries."""
        return load_samples(self.path("VLGuard")).samples

    @property
    def vizwiz(self) -> tuple[Sample, ...]:
        """Return all questions of VizWiz's validation set, as answered queries without pictures."""
        questions = json.loads(self.path("VizWiz").read_text(encoding="utf-8"))["questions"]
        names = (f"VizWiz {one['question_id']}" for one in questions)
        return tuple(
            Sample(id=name, record=name, query=one["question"], refused=False, label_source="stated")
            for name, one in zip(names, questions, strict=True)
        )

    @property
    def xstest(self) -> tuple[Sample, ...]:
        """Return XSTest's prompts; their category is the prompt type."""
        return load_samples(self.path("XSTest")).samples

    def xstest_types(self, *types: str) -> tuple[Sample, ...]:
        """Return the prompts of some types, safe ones and their unsafe contrasts."""
        return tuple(one for one in self.xstest if (one.category or "").removeprefix("contrast_") in types)

    @property
    def alpaca(self) -> tuple[Sample, ...]:
        """Return Alpaca's instructions as answered queries."""
        return self.load("Alpaca", "answered")

    @property
    def figstep(self) -> tuple[Sample, ...]:
        """Return FigStep's harmful questions as text."""
        return self.load("FigStep", "refused", "question")

    @property
    def msts(self) -> tuple[Sample, ...]:
        """Return MSTS's prompts, all unsafe."""
        return self.load("MSTS", "refused", "prompt_text", "unsafe_image_id")

    @property
    def siuo(self) -> tuple[Sample, ...]:
        """Return SIUO's queries, all unsafe."""
        return self.load("SIUO", "refused")


def same_pictures(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Return the queries whose picture has a refused and an answered query."""
    samples, labels = tuple(samples), dict[str | None, set[bool | None]]()
    for one in samples:
        labels.setdefault(one.image, set()).add(one.refused)
    return tuple(one for one in samples if len(labels[one.image]) == 2)


def relabeled(samples: tuple[Sample, ...], labels: Iterable[bool | None]) -> tuple[Sample, ...]:
    """Return samples in a random order of labels."""
    order = np.random.default_rng(SEED).permutation(np.array(list(labels)))
    return tuple(replace(one, refused=bool(label)) for one, label in zip(samples, order, strict=True))


def of_types(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Return samples that are one group per prompt type, so that whole types are held out."""
    return tuple(replace(one, record=one.category or one.record) for one in samples)


def safe(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Return the samples that a model should answer."""
    return tuple(one for one in samples if not one.refused)


def mossbench_pairs(files: Files) -> list[list[Sample]]:
    """Return MOSSBench's queries with their harmful twins."""
    found: dict[str, list[Sample]] = {}
    for one in load_samples(files.path("MOSSBench pairs")):
        found.setdefault(one.record, []).append(one)
    return [pair for pair in found.values() if len(pair) == 2]


def xstest_pairs(files: Files) -> list[list[Sample]]:
    """Return the prompts of the types with matched openers, each with its contrast: the same place in its type."""
    pairs = []
    for name in SAME_OPENERS:
        samples = files.xstest_types(name)
        labels = [[one for one in samples if one.refused is label] for label in (False, True)]
        pairs += [list(pair) for pair in zip(*labels, strict=True)]
    return pairs


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a published set, or a mixture."""

    key: str
    name: str
    samples: Callable[[Files], tuple[Sample, ...]]


ROWS = (
    Row("vlguard", "VLGuard train", lambda f: f.vlguard),
    Row("vlguard_answers", "VLGuard train, labels from answers", lambda f: f.load("VLGuard", "answer")),
    Row("vlguard_pictures", "VLGuard train, pictures with both labels", lambda f: same_pictures(f.vlguard)),
    Row("vlguard_vizwiz", "VLGuard + VizWiz questions", lambda f: f.vlguard + f.vizwiz),
    Row("vlguard_alpaca", "VLGuard + Alpaca", lambda f: f.vlguard + f.alpaca),
    Row("xstest", "XSTest prompts", lambda f: f.xstest),
    Row("xstest_types", "XSTest, whole prompt types held out", lambda f: of_types(f.xstest)),
    Row("xstest_same", "XSTest, four types with matched openers", lambda f: f.xstest_types(*SAME_OPENERS)),
    Row("xstest_definitions", "XSTest, definitions", lambda f: f.xstest_types("definitions")),
    Row("mossbench", "MOSSBench + contrast", lambda f: load_samples(f.path("MOSSBench pairs")).samples),
    Row("figstep_prompt", "FigStep's prompt + VizWiz", lambda f: f.load("FigStep") + f.vizwiz),
    Row("figstep_alpaca", "FigStep's questions + Alpaca", lambda f: f.figstep + f.alpaca),
    Row("figstep_vizwiz", "FigStep's questions + VizWiz", lambda f: f.figstep + f.vizwiz),
    Row("figstep_xstest", "FigStep's questions + XSTest's safe prompts", lambda f: f.figstep + safe(f.xstest)),
    Row("msts_vizwiz", "MSTS + VizWiz", lambda f: f.msts + f.vizwiz),
    Row("msts_mossbench", "MSTS + MOSSBench", lambda f: f.msts + f.load("MOSSBench")),
    Row("siuo_vizwiz", "SIUO + VizWiz", lambda f: f.siuo + f.vizwiz),
    Row("siuo_mossbench", "SIUO + MOSSBench", lambda f: f.siuo + f.load("MOSSBench")),
    Row(
        "pooled",
        "FigStep, MSTS, SIUO + VizWiz, Alpaca, MOSSBench",
        lambda f: f.figstep + f.msts + f.siuo + f.vizwiz + f.alpaca + f.load("MOSSBench"),
    ),
    Row("shuffled", "VLGuard, labels shuffled", lambda f: relabeled(f.vlguard, (one.refused for one in f.vlguard))),
    Row(
        "halves", "VizWiz, two random halves", lambda f: relabeled(f.vizwiz, (i % 2 == 0 for i in range(len(f.vizwiz))))
    ),
)
