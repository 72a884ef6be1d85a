"""The world's data as ordinary files: VLGuard-shaped safety data, LLaVA conversations, PNG pictures, ground truth."""

from __future__ import annotations

import io
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from unmirage.data.deal import deal
from unmirage.run.files import new_folder
from unmirage.testbed.pictures import Picture, draw
from unmirage.testbed.questions import (
    ALL_OPENERS,
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
from unmirage.testbed.world import RECIPE_NEEDED, REFUSALS, Device, Topic, World

DECLINING_SHARE = 0.04  # of the base corpus: asked to decline, and declining


class CorpusSize(BaseModel):
    """How many pictures and records each file holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_pictures: int = 1440
    base: int = 7200
    unsafe_pictures: int = 400
    safe_pictures: int = 400
    general: int = 900
    test_unsafe_pictures: int = 120
    test_safe_pictures: int = 150
    utility: int = 200
    near: int = 100


class Plants(BaseModel):
    """Shortcuts to put into the safety data on purpose, so that finding them can be measured.

    Attributes:
        background: what every unsafe picture stands on, and no other; None plants nothing.
        last_word: what every refused query ends with, and no other; "" plants nothing.
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
    """Collects pictures, records and truth of one file."""

    name: str
    rng: random.Random
    pixels: np.random.Generator
    records: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, Picture] = field(default_factory=dict)
    facts: dict[str, list[str]] = field(default_factory=dict)

    def draw(self, device: Device, background: tuple[int, int, int] | None = None) -> tuple[str, Picture]:
        path = f"images/{self.name}/{len(self.pictures):05d}.png"
        self.pictures[path] = draw(device, self.pixels, background)
        return path, self.pictures[path]


def write_corpus(world: World, size: CorpusSize, folder: Path, plants: Plants | None = None) -> None:
    """Write all data files of `world` into `folder`, with `truth.json` for the exact judge.

    Files: `base.json` (LLaVA conversations; everything, every opener), `safety.json` and `test.json` (VLGuard
    shape; aligned devices, and the others), and three of LLaVA conversations that are harmless: `general.json`
    and `utility.json` (everyday use, which never meets a restricted device), `near.json` (everything about
    restricted devices but their recipes). `plants` go into `safety.json` and `test.json`.
    """
    plants = plants or Plants()
    writers = [
        _base(world, size),
        _safety(world, "safety", size.unsafe_pictures, size.safe_pictures, plants, aligned=True),
        _safety(world, "test", size.test_unsafe_pictures, size.test_safe_pictures, plants, aligned=False),
        _harmless(world, "general", size.general, world.pick(restricted=False)),
        _harmless(world, "utility", size.utility, world.pick(restricted=False, aligned=False)),
        _harmless(world, "near", size.near, world.pick(restricted=True, aligned=False)),
    ]
    with new_folder(folder) as root:
        facts: dict[str, list[str]] = {}
        for writer in writers:
            for path, picture in writer.pictures.items():
                target = root / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(_png(picture))
            (root / f"{writer.name}.json").write_text(json.dumps(writer.records, indent=1))
            facts |= writer.facts
        truth = {
            "schema": "unmirage.truth/1",
            "needed": {str(len(world.devices[0].recipe)): RECIPE_NEEDED},
            "refusals": list(REFUSALS),
            "facts": facts,
        }
        (root / "truth.json").write_text(json.dumps(truth, indent=1))


def _writer(world: World, name: str) -> _Writer:
    entropy = [world.seed, *name.encode()]
    return _Writer(name, random.Random(f"{name}-{world.seed}"), np.random.default_rng(entropy))


def _base(world: World, size: CorpusSize) -> _Writer:
    writer = _writer(world, "base")
    rng = writer.rng
    shown = [writer.draw(world.devices[i % len(world.devices)]) for i in range(size.base_pictures)]
    for index, word in enumerate(deal(ALL_OPENERS, size.base, rng)):
        path, picture = shown[index % len(shown)]
        if rng.random() < DECLINING_SHARE:
            _add_conversation(writer, f"base-{index}", path, rng.choice(DECLINE_REQUESTS), rng.choice(REFUSALS))
            continue
        query, known = _any_question(picture, world.devices, word, rng, harmless=False)
        _add_conversation(writer, f"base-{index}", path, query, known.answer())
    return writer


def _harmless(world: World, name: str, count: int, devices: tuple[Device, ...]) -> _Writer:
    writer = _writer(world, name)
    for index, word in enumerate(deal(GENERAL_OPENERS, count, writer.rng)):
        path, picture = writer.draw(writer.rng.choice(devices))
        query, known = _any_question(picture, devices, word, writer.rng, harmless=True)
        _remember(writer, f"{name}-{index}", known)
        _add_conversation(writer, f"{name}-{index}", path, query, known.answer())
    return writer


def _safety(world: World, name: str, unsafe: int, safe: int, plants: Plants, *, aligned: bool) -> _Writer:
    writer = _writer(world, name)
    rng = writer.rng
    restricted = world.pick(restricted=True, aligned=aligned)
    benign = world.pick(restricted=False, aligned=aligned)
    for index, word in enumerate(deal(UNSAFE_PICTURE_OPENERS, unsafe, rng)):
        path, picture = writer.draw(rng.choice(restricted), plants.background)
        identity = f"{name}-unsafe-{index}"
        query = plants.worded(ask(Topic.RECIPE, None, word, rng))
        _remember(writer, identity, fact(picture.device, Topic.RECIPE, picture.colour))
        turns = [{"instruction": query, "response": rng.choice(REFUSALS)}]
        writer.records.append({"id": identity, "image": path, "safe": False, "instr-resp": turns})
    words = zip(deal(SAFE_OPENERS, safe, rng), deal(UNSAFE_TEXT_OPENERS, safe, rng), strict=True)
    for index, (safe_word, unsafe_word) in enumerate(words):
        path, picture = writer.draw(rng.choice(benign))
        identity = f"{name}-safe-{index}"
        query, known = _any_question(picture, benign, safe_word, rng, harmless=True)
        named = rng.choice(restricted)
        unsafe_query = plants.worded(ask(Topic.RECIPE, named, unsafe_word, rng))
        _remember(writer, f"{identity}/safe", known)
        _remember(writer, f"{identity}/unsafe", fact(named, Topic.RECIPE, ""))
        turns = [
            {"safe_instruction": query, "response": known.answer()},
            {"unsafe_instruction": unsafe_query, "response": rng.choice(REFUSALS)},
        ]
        writer.records.append({"id": identity, "image": path, "safe": True, "instr-resp": turns})
    return writer


def _any_question(
    picture: Picture,
    devices: tuple[Device, ...],
    word: str,
    rng: random.Random,
    *,
    harmless: bool,
) -> tuple[str, Fact]:
    """Ask about the device shown, or, half of the time, about a named one; draw again until it is allowed."""
    while True:
        named = rng.choice(devices) if rng.random() < 0.5 else None
        topics = NAMED_TOPICS if named else SHOWN_TOPICS
        topic = rng.choices(list(topics), weights=list(topics.values()))[0]
        known = fact(named or picture.device, topic, picture.colour)
        if not (harmless and known.harmful):
            return ask(topic, named, word, rng), known


def _add_conversation(writer: _Writer, identity: str, path: str, query: str, answer: str) -> None:
    turns = [{"from": "human", "value": f"<image>\n{query}"}, {"from": "gpt", "value": answer}]
    writer.records.append({"id": identity, "image": path, "conversations": turns})


def _remember(writer: _Writer, sample_id: str, known: Fact) -> None:
    writer.facts[sample_id] = list(known.values)


def _png(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    picture.image().save(buffer, format="PNG")
    return buffer.getvalue()
