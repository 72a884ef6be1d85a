"""Data and an untrained tiny LLaVA for the study on pretrained weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmirage.data import load_samples
from unmirage.models import HuggingFaceVLM
from unmirage.pretrained.documents import PretrainedStudy
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
_TRAINING = {"steps": 2, "batch_size": 4, "micro_batch_size": 2, "learning_rate": 1e-3}
FAST: dict[str, Any] = {
    **{f"{method}.{name}": value for method in ("sft", "npo", "rmu") for name, value in _TRAINING.items()},
    "rmu.method.layer": 2,
    "rmu.trainable": ["down_proj:1-2"],
    "shots": 2,
    "max_new_tokens": 3,
    "forget_queries": 6,
    "forget_tokens": 4,
}
LIMIT = 4  # of each label


@dataclass(frozen=True)
class TinyStudy:
    """Data files and a model directory, and the study on them: in this process, and as options of the command."""

    data: Path
    model: Path

    def study(self, out: Path, *models: str, **changes: Any) -> PretrainedStudy | None:
        """Run the study."""
        from unmirage.pretrained.run import study_pretrained

        given: dict[str, Any] = {"train": self.data / "safety.json", "test": self.data / "test.json"}
        given |= {"base": self.model, "workers": 1, "out": out, "models": models, "limit": LIMIT, "settings": FAST}
        return study_pretrained(**(given | changes))

    def command(self, out: Path, models: str) -> list[str]:
        """Return the command that does the same."""
        given = {"data": self.data / "safety.json", "test": self.data / "test.json", "base": self.model, "out": out}
        given |= {"models": models, "limit": LIMIT, "workers": 1}
        options = [str(part) for name, value in given.items() for part in (f"--{name}", value)]
        settings = [part for name, value in FAST.items() for part in ("--set", f"{name}={value}")]
        return ["study", "pretrained", *options, *settings]


def make_tiny_study(root: Path) -> TinyStudy:
    """Write the data and the model."""
    write_corpus(make_world(0, WorldSettings(aligned=12, validation=4, evaluation=12)), SIZE, root / "data")
    samples = [one for name in ("base", "safety", "test") for one in load_samples(root / "data" / f"{name}.json")]
    processor = make_processor(text for one in samples for text in (one.query, one.answer))
    (root / "model").mkdir()
    HuggingFaceVLM("tiny", make_model(processor, 0), processor).save(root / "model")
    return TinyStudy(root / "data", root / "model")
