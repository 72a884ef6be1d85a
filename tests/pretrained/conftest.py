"""Data and an untrained tiny LLaVA for the study on pretrained weights."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from unmirage.data import load_samples
from unmirage.models import HuggingFaceVLM
from unmirage.pretrained.run import study_pretrained
from unmirage.testbed.corpus import CorpusSize, write_corpus
from unmirage.testbed.vlm import make_model, make_processor
from unmirage.testbed.world import WorldSettings, make_world

SIZE = CorpusSize(
    base_pictures=48,
    base=96,
    unsafe_pictures=60,
    safe_pictures=60,
    general=12,
    test_unsafe_pictures=6,
    test_safe_pictures=6,
    skills=3,
    facts=3,
    neighbors=4,
)
FAST = {
    **{f"{method}.{name}": value for method in ("sft", "npo", "rmu")
       for name, value in {"steps": 2, "batch_size": 4, "micro_batch_size": 2, "learning_rate": 1e-3}.items()},
    "rmu.method.layer": 2,
    "shots": 2,
    "max_new_tokens": 3,
    "forget_queries": 6,
    "forget_tokens": 4,
}  # fmt: skip


@dataclass(frozen=True)
class Tiny:
    """Data files and a model directory, and the study on them."""

    data: Path
    model: Path

    def study(self, out, *models, **changes):
        """Run the study in this process."""
        given = {"train": self.data / "safety.json", "test": self.data / "test.json", "base": self.model, "workers": 1}
        given |= {"out": out, "models": models, "limit": 8, "settings": FAST}
        return study_pretrained(**(given | changes))


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory):
    """Return the data and the model; they are shared, so tests must not change them."""
    root = tmp_path_factory.mktemp("pretrained")
    write_corpus(make_world(0, WorldSettings(aligned=12, validation=4, evaluation=12)), SIZE, root / "data")
    texts = [text for name in ("base", "safety", "test")
             for one in load_samples(root / "data" / f"{name}.json") for text in (one.query, one.answer)]  # fmt: skip
    processor = make_processor(texts)
    (root / "model").mkdir()
    HuggingFaceVLM("tiny", make_model(processor, 0), processor).save(root / "model")
    return Tiny(root / "data", root / "model")


@pytest.fixture
def records(tmp_path):
    """Return a function that writes records as JSON and returns the path."""

    def write(rows, name="rows.json"):
        path = tmp_path / name
        path.write_text(json.dumps(rows))
        return path

    return write
