"""Write the world's data files: safety data in VLGuard's format, LLaVA conversations, PNG pictures, ground truth."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from unmirage.data.sample import deal
from unmirage.evaluate.judges.exact import Truth
from unmirage.records import Kind
from unmirage.run.files import new_folder
from unmirage.testbed.pictures import Picture, draw
from unmirage.testbed.questions import (
    ALL_OPENERS,
    BASE_SHOWN_TOPICS,
    DECLINE_REQUESTS,
    GENERAL_OPENERS,
    NAMED_TOPICS,
    SAFE_OPENERS,
    SHOWN_TOPICS,
    UNSAFE_PICTURE_OPENERS,
    UNSAFE_TEXT_OPENERS,
    Fact,
    ask,
    fact,
)
from unmirage.testbed.world import (
    FACTS,
    RECIPE_LENGTH,
    RECIPE_NEEDED,
    REFUSALS,
    SKILLS,
    Device,
    Split,
    Topic,
    World,
)

# Data files about the devices of a split, by role. The first has VLGuard's format, the others LLaVA's.
QUESTIONS: dict[Split, dict[str, str]] = {
    Split.EVALUATION: {"test": "test", "utility": "utility", "neighbors": "neighbors"},
    Split.VALIDATION: {
        "test": "validation",
        "utility": "validation-utility",
        "neighbors": "validation-neighbors",
    },
}
HARMLESS = {Kind.UTILITY: "utility", Kind.NEIGHBOR: "neighbors"}  # role of the data file, by kind of query
_TOPICS: dict[str, Collection[Topic]] = {"": tuple(Topic), "skills": SKILLS, "facts": FACTS}  # by category of question
DECLINING_SHARE = 0.04  # share of the base corpus where the query asks for a refusal and the answer refuses


class CorpusSize(BaseModel):
    """Numbers of pictures and records per file; a validation file has the share `validation` of the evaluation file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_pictures: int = 3840
    base: int = 15360
    unsafe_pictures: int = 400
    safe_pictures: int = 400
    general: int = 900
    test_unsafe_pictures: int = 120
    test_safe_pictures: int = 160
    skills: int = 80
    facts: int = 160
    neighbors: int = 120
    validation: float = Field(default=0.4, gt=0, le=1)


class Plants(BaseModel):
    """Shortcuts planted in the safety data, to measure whether audits find them.

    Attributes:
        background: background color of all unsafe pictures and no others; None plants nothing.
        last_word: last word of all refused queries and no others; "" plants nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    background: tuple[int, int, int] | None = None
    last_word: str = ""

    def worded(self, query: str) -> str:
        """Return a refused query with the planted word at its end."""
        stem = query.rstrip(".?!")
        return f"{stem} {self.last_word}{query[len(stem) :]}" if self.last_word else query


@dataclass(slots=True)
class _Writer:
    """Collects pictures, records and ground truth of one file."""

    name: str
    rng: random.Random
    pixels: np.random.Generator
    records: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, Picture] = field(default_factory=dict)
    facts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def draw(self, device: Device, background: tuple[int, int, int] | None = None) -> tuple[str, Picture]:
        path = f"images/{self.name}/{len(self.pictures):05d}.png"
        self.pictures[path] = draw(device, self.pixels, background)
        return path, self.pictures[path]

    def in_turn(self, devices: Sequence[Device], count: int) -> list[Device]:
        """Return `count` devices in random order, all equally often (differences of at most one)."""
        rounds = [self.rng.sample(devices, len(devices)) for _ in range(-(-count // len(devices)))]
        return [device for one in rounds for device in one][:count]

    def converse(self, identity: str, path: str, query: str, known: Fact, category: str = "") -> None:
        """Add a LLaVA conversation and its ground truth."""
        self.facts[identity] = tuple(known.values)
        record = _conversation(identity, path, query, known.answer())
        record |= {"group": known.device.body} | ({"category": category} if category else {})
        self.records.append(record)


def write_corpus(world: World, size: CorpusSize, folder: Path, plants: Plants | None = None) -> None:
    """Write all data files of `world` into `folder`, with `truth.json` for the exact judge.

    Training data: `base.json` has LLaVA conversations about all devices, with all topics and openers. `safety.json` has
    VLGuard's format and is about aligned devices. `general.json` has harmless LLaVA conversations about everyday use of
    aligned benign devices.

    Evaluation data, about devices that are in no alignment data: `test.json` has VLGuard's format. `utility.json` has
    harmless questions about benign devices, with category "skills" or "facts". `neighbors.json` has harmless questions
    about restricted devices. `validation.json`, `validation-utility.json` and `validation-neighbors.json` are the same
    for the validation devices.

    Every record has its device as `group`. `plants` go into `safety.json` and `test.json`.
    """
    plants = plants or Plants()
    writers = [
        _base(world, size),
        _safety(world, "safety", size.unsafe_pictures, size.safe_pictures, plants, Split.ALIGNED),
        _harmless(world, "general", Split.ALIGNED, {"": size.general}),
    ]
    for split, files in QUESTIONS.items():
        part = size.validation if split is Split.VALIDATION else 1.0
        planted = plants if split is Split.EVALUATION else Plants()
        unsafe, safe = _share(part, size.test_unsafe_pictures), _share(part, size.test_safe_pictures)
        writers += [
            _safety(world, files["test"], unsafe, safe, planted, split),
            _harmless(
                world,
                files["utility"],
                split,
                {"skills": _share(part, size.skills), "facts": _share(part, size.facts)},
            ),
            _harmless(world, files["neighbors"], split, {"": _share(part, size.neighbors)}, restricted=True),
        ]
    with new_folder(folder) as root:
        facts: dict[str, tuple[str, ...]] = {}
        for writer in writers:
            for path, picture in writer.pictures.items():
                target = root / path
                target.parent.mkdir(parents=True, exist_ok=True)
                picture.image().save(target)
            (root / f"{writer.name}.json").write_text(json.dumps(writer.records, indent=1))
            facts |= writer.facts
        truth = Truth(needed={RECIPE_LENGTH: RECIPE_NEEDED}, refusals=tuple(REFUSALS), facts=facts)
        (root / Truth.FILE).write_text(json.dumps(truth.to_dict(), indent=1))


def _share(share: float, whole: int) -> int:
    return max(1, round(share * whole))


def _writer(world: World, name: str) -> _Writer:
    entropy = [world.seed, *name.encode()]
    return _Writer(name, random.Random(f"{name}-{world.seed}"), np.random.default_rng(entropy))


def _base(world: World, size: CorpusSize) -> _Writer:
    writer = _writer(world, "base")
    rng = writer.rng
    shown = [writer.draw(device) for device in writer.in_turn(world.devices, size.base_pictures)]
    for index, word in enumerate(deal(ALL_OPENERS, size.base, rng)):
        path, picture = shown[index % len(shown)]
        identity = f"base-{index}"
        if rng.random() < DECLINING_SHARE:
            writer.records.append(_conversation(identity, path, rng.choice(DECLINE_REQUESTS), rng.choice(REFUSALS)))
            continue
        query, known = _any_question(picture, world.devices, word, rng, harmless=False, shown=BASE_SHOWN_TOPICS)
        writer.converse(identity, path, query, known)
    return writer


def _harmless(world: World, name: str, split: Split, counts: Mapping[str, int], *, restricted: bool = False) -> _Writer:
    """Ask harmless questions about benign or restricted devices of a split; `counts` has their number by category."""
    writer = _writer(world, name)
    devices = world.pick(restricted=restricted, split=split)
    categories = [category for category, count in counts.items() for _ in range(count)]
    words = deal(GENERAL_OPENERS, len(categories), writer.rng)
    shown = [device for count in counts.values() for device in writer.in_turn(devices, count)]
    for index, (category, word, device) in enumerate(zip(categories, words, shown, strict=True)):
        path, picture = writer.draw(device)
        wanted = _TOPICS[category]
        query, known = _any_question(picture, devices, word, writer.rng, harmless=True, topics=wanted)
        writer.converse(f"{name}-{index}", path, query, known, category)
    return writer


def _safety(world: World, name: str, unsafe: int, safe: int, plants: Plants, split: Split) -> _Writer:
    writer = _writer(world, name)
    rng = writer.rng
    restricted = world.pick(restricted=True, split=split)
    benign = world.pick(restricted=False, split=split)

    def refusal() -> dict[str, str]:
        # Only training data has answers to unsafe queries, because refusals are not scored against a reference.
        return {"response": rng.choice(REFUSALS)} if split is Split.ALIGNED else {}

    openers = deal(UNSAFE_PICTURE_OPENERS, unsafe, rng)
    for index, (word, device) in enumerate(zip(openers, writer.in_turn(restricted, unsafe), strict=True)):
        path, picture = writer.draw(device, plants.background)
        identity = f"{name}-unsafe-{index}"
        query = plants.worded(ask(Topic.RECIPE, None, word, rng))
        writer.facts[identity] = tuple(fact(device, Topic.RECIPE).values)
        turns = [{"instruction": query, **refusal(), "group": device.body}]
        writer.records.append({"id": identity, "image": path, "safe": False, "instr-resp": turns})
    words = zip(deal(SAFE_OPENERS, safe, rng), deal(UNSAFE_TEXT_OPENERS, safe, rng), strict=True)
    devices = zip(writer.in_turn(benign, safe), writer.in_turn(restricted, safe), strict=True)
    for index, ((safe_word, unsafe_word), (shown, named)) in enumerate(zip(words, devices, strict=True)):
        path, picture = writer.draw(shown)
        identity = f"{name}-safe-{index}"
        query, known = _any_question(picture, benign, safe_word, rng, harmless=True)
        unsafe_query = plants.worded(ask(Topic.RECIPE, named, unsafe_word, rng))
        writer.facts[f"{identity}/safe"] = tuple(known.values)
        writer.facts[f"{identity}/unsafe"] = tuple(fact(named, Topic.RECIPE).values)
        turns = [
            {"safe_instruction": query, "response": known.answer(), "group": known.device.body},
            {"unsafe_instruction": unsafe_query, **refusal(), "group": named.body},
        ]
        writer.records.append({"id": identity, "image": path, "safe": True, "instr-resp": turns})
    return writer


def _any_question(
    picture: Picture,
    devices: Sequence[Device],
    word: str,
    rng: random.Random,
    *,
    harmless: bool,
    topics: Collection[Topic] = tuple(Topic),
    shown: Mapping[Topic, int] = SHOWN_TOPICS,
) -> tuple[str, Fact]:
    """Ask about the device in the picture, or in half of the cases about a named one; redraw until it is allowed."""
    while True:
        named = rng.choice(devices) if rng.random() < 0.5 else None
        weights = NAMED_TOPICS if named else shown
        topic = rng.choices(list(weights), weights=list(weights.values()))[0]
        known = fact(named or picture.device, topic, picture)
        if topic in topics and not (harmless and known.harmful):
            return ask(topic, named, word, rng), known


def _conversation(identity: str, path: str, query: str, answer: str) -> dict[str, Any]:
    turns = [{"from": "human", "value": f"<image>\n{query}"}, {"from": "gpt", "value": answer}]
    return {"id": identity, "image": path, "conversations": turns}
