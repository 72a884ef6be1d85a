"""A tiny world with an untrained VLM, made once: real files, a real processor, the real architecture."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from unmirage.data import ImageFolder, load_samples
from unmirage.models import HuggingFaceVLM
from unmirage.records import Sample
from unmirage.testbed.corpus import CorpusSize, write_corpus
from unmirage.testbed.vlm import make_model, make_processor
from unmirage.testbed.world import World, make_world

# Nothing may be fetched while tests run.
os.environ["HF_HUB_OFFLINE"] = "1"

TINY = CorpusSize(
    base_pictures=48,
    base=96,
    unsafe_pictures=12,
    safe_pictures=12,
    general=12,
    test_unsafe_pictures=6,
    test_safe_pictures=6,
    utility=6,
    near=6,
)


@dataclass(frozen=True)
class TinyWorld:
    """The world, its files, and a saved untrained model."""

    world: World
    data: Path
    model: Path

    @property
    def images(self) -> ImageFolder:
        return ImageFolder(self.data)

    def samples(self, name: str) -> list[Sample]:
        return list(load_samples(self.data / f"{name}.json"))

    def load(self) -> HuggingFaceVLM:
        return HuggingFaceVLM.load(self.model, "tiny")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyWorld:
    """Return the tiny world; its files are shared, so tests must not change them."""
    root = tmp_path_factory.mktemp("tiny")
    world = make_world(0)
    write_corpus(world, TINY, root / "data")
    samples = load_samples(root / "data" / "base.json")
    processor = make_processor(text for sample in samples for text in (sample.query, sample.answer))
    model = root / "model"
    model.mkdir()
    HuggingFaceVLM("tiny", make_model(processor, 0), processor).save(model)
    return TinyWorld(world, root / "data", model)
