"""A tiny world with an untrained VLM, made once: real files, a real processor, the real architecture."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from tests.pretrained.tiny import TinyStudy, make_tiny_study
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from unmirage.align import AlignConfig, NpoConfig, RmuConfig
from unmirage.cli import main
from unmirage.data import ImageFolder, load_samples
from unmirage.models import GenerationConfig, HuggingFaceVLM
from unmirage.records import Sample
from unmirage.testbed.corpus import CorpusSize, write_corpus
from unmirage.testbed.settings import StudySettings
from unmirage.testbed.vlm import VisionConfig, make_model, make_processor
from unmirage.testbed.world import World, WorldSettings, make_world
from unmirage.text.english.inflection import lemmas, past
from unmirage.text.language import language_of
from unmirage.text.openers import words

# Nothing may be fetched while tests run.
os.environ["HF_HUB_OFFLINE"] = "1"

# Tests that use one of these run a model, a training, a browser, a process, or an audit of thousands of queries.
SLOW_FIXTURES = frozenset(
    (
        "answered browser family original package plain_testbed planted small_study stopped testbed tiny tiny_study "
        "vlguard"
    ).split()
)

TINY = CorpusSize(
    base_pictures=48,
    base=96,
    unsafe_pictures=12,
    safe_pictures=12,
    general=12,
    test_unsafe_pictures=6,
    test_safe_pictures=6,
    skills=3,
    facts=3,
    neighbors=6,
)
TINY_WORLD = WorldSettings(aligned=6, validation=2, evaluation=6)

FAST = {"learning_rate": 1e-3, "batch_size": 8, "steps": 4}
SMALL_STUDY = StudySettings(
    world=WorldSettings(aligned=12, validation=4, evaluation=12),
    corpus=CorpusSize(
        base_pictures=96,
        base=200,
        unsafe_pictures=120,
        safe_pictures=120,
        general=60,
        test_unsafe_pictures=10,
        test_safe_pictures=10,
        skills=4,
        facts=6,
        neighbors=5,
    ),
    vision=VisionConfig(steps=5, batch_size=16),
    base=AlignConfig(learning_rate=3e-3, batch_size=16, steps=60, warmup=0.1),
    shots=2,
    generation=GenerationConfig(max_new_tokens=10, batch_size=64),
    models={
        "sft-posthoc": AlignConfig(**FAST),
        "npo-mixed": AlignConfig(method=NpoConfig(), **FAST),
        "rmu": AlignConfig(method=RmuConfig(layer=2), **FAST),
    },
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


@pytest.fixture(scope="session", autouse=True)
def tables_of_languages() -> None:
    """Read what is read on first use, so that its 0.3 to 0.5 s fall into no test with a time limit."""
    past("open")
    lemmas("opened", "VERB")  # another table
    language_of("Dies ist ein deutscher Satz, und er ist lang genug.")
    words("这是什么?")


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by `-m`
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out nightly tests unless `-m` names them, mark whatever uses a slow fixture, and begin with slow files.

    So `make quick` leaves out new tests with slow fixtures, too, and no process of `make test` has a slow file left
    when the others have finished.
    """
    if "nightly" not in config.option.markexpr:
        nightly = [item for item in items if item.get_closest_marker("nightly")]
        config.hook.pytest_deselected(items=nightly)
        items[:] = [item for item in items if item not in nightly]
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])  # stable: other files keep their order


@pytest.fixture(autouse=True, scope="session")
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Skip flushing files to disk: no test survives a power failure, and it takes most of the time of small files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture
def unmirage(capsys, monkeypatch):
    """Return a function that runs the command line in process and returns (exit code, stdout, stderr)."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGPIPE)}

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["unmirage", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main.run()
        return ended.value.code or 0, *capsys.readouterr()

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyWorld:
    """Return the tiny world; its files are shared, so tests must not change them."""
    root = tmp_path_factory.mktemp("tiny")
    world = make_world(0, TINY_WORLD)
    write_corpus(world, TINY, root / "data")
    samples = load_samples(root / "data" / "base.json")
    processor = make_processor(text for sample in samples for text in (sample.query, sample.answer))
    model = root / "model"
    model.mkdir()
    HuggingFaceVLM("tiny", make_model(processor, 0), processor).save(model)
    return TinyWorld(world, root / "data", model)


@pytest.fixture(scope="session")
def text_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a tiny untrained sentence encoder that tells texts apart by their letters."""
    folder = tmp_path_factory.mktemp("encoders") / "letters"
    letters = ["[PAD]", "[UNK]", *"abcdefghijklmnopqrstuvwxyz.,?!'"]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(letters), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    BertModel(config).save_pretrained(folder)
    base = Tokenizer(WordLevel({letter: number for number, letter in enumerate(letters)}, unk_token="[UNK]"))
    base.pre_tokenizer = Split("", "isolated")
    PreTrainedTokenizerFast(tokenizer_object=base, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory: pytest.TempPathFactory) -> TinyStudy:
    """Return the inputs of a study on pretrained weights; they are shared, so tests must not change them."""
    return make_tiny_study(tmp_path_factory.mktemp("pretrained"))


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudySettings]:
    """Return settings of a study that takes seconds; its base models are cached apart from the user's.

    A base model trained so briefly discloses too little to forget, so any answer is taken as harmful.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNMIRAGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(
            "unmirage.testbed.study.harmful_answers",
            lambda vlm, samples, *_: {sample.id: "It needs amber, moss and tin." for sample in samples},
        )
        yield SMALL_STUDY
