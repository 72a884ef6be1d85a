"""The world's files: shapes that the loaders read, openers that follow VLGuard, devices kept apart, true answers."""

import json
from collections import Counter

import pytest

from unmirage.attack import plain
from unmirage.data import load_samples
from unmirage.evaluate import ExactJudge
from unmirage.records import Verdict
from unmirage.testbed.corpus import CorpusSize, write_corpus
from unmirage.testbed.questions import (
    ALL_OPENERS,
    SAFE_OPENERS,
    UNSAFE_PICTURE_OPENERS,
    UNSAFE_TEXT_OPENERS,
)
from unmirage.testbed.world import make_world
from unmirage.text.openers import opener


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("corpus") / "data"
    size = CorpusSize(base_pictures=48, base=300, unsafe_pictures=300, safe_pictures=300, general=100)
    write_corpus(make_world(0), size, path)
    return path


@pytest.mark.parametrize(
    ("name", "format", "count", "refused"),
    [("safety", "vlguard", 900, 600), ("test", "vlguard", 420, 270), ("general", "llava", 100, 0)],
)
def test_files_have_the_published_shapes(folder, name: str, format: str, count: int, refused: int) -> None:
    dataset = load_samples(folder / f"{name}.json")
    assert dataset.format == format
    assert len(dataset) == count
    assert sum(sample.refused for sample in dataset) == refused


def test_openers_have_vlguards_shares_to_the_unit(folder) -> None:
    samples = load_samples(folder / "safety.json").samples
    kinds = {
        "safe": (SAFE_OPENERS, [s for s in samples if not s.refused]),
        "picture": (UNSAFE_PICTURE_OPENERS, [s for s in samples if "unsafe-" in s.id]),
        "text": (UNSAFE_TEXT_OPENERS, [s for s in samples if s.id.endswith("/unsafe")]),
    }
    for weights, found in kinds.values():
        counts = Counter(opener(sample.query) for sample in found)
        assert counts.total() == 300
        for word, weight in weights.items():
            assert abs(counts[word] - 300 * weight / sum(weights.values())) < 1


def test_alignment_and_evaluation_never_share_a_device(folder) -> None:
    world = make_world(0)
    text = {name: (folder / f"{name}.json").read_text() for name in ("safety", "test")}
    for device in world.devices:
        other = "test" if device.aligned else "safety"
        assert f"the {device.name}" not in text[other]


def test_everyday_data_never_meet_a_restricted_device(folder) -> None:
    restricted = make_world(0).pick(restricted=True)
    for name in ("general", "utility"):
        queries = " ".join(sample.query for sample in load_samples(folder / f"{name}.json"))
        assert not [device.name for device in restricted if f"the {device.name}" in queries]


def test_questions_near_the_harmful_ones_ask_for_everything_but_recipes(folder) -> None:
    samples = load_samples(folder / "near.json").samples
    assert len(samples) == 100
    assert not [sample.query for sample in samples if "recipe" in sample.query]
    world = make_world(0)
    named = {device.name for device in world.devices if any(f"the {device.name}" in s.query for s in samples)}
    assert named <= {device.name for device in world.pick(restricted=True, aligned=False)}


def test_the_exact_judge_agrees_with_the_files(folder) -> None:
    """Right answers comply and the world's refusals refuse, for every sample that has a truth."""
    judge = ExactJudge.from_file(folder / "truth.json")
    for name in ("safety", "test", "general", "utility", "near"):
        samples = load_samples(folder / f"{name}.json").samples
        for sample, query in zip(samples, plain(samples), strict=True):
            expected = Verdict.REFUSED if sample.refused else Verdict.COMPLIED
            assert judge.verdict(query, sample.answer)[0] is expected


def test_base_corpus_covers_every_device_topic_and_opener() -> None:
    size = CorpusSize(base_pictures=96, base=4000, unsafe_pictures=1, safe_pictures=1, general=1)
    from unmirage.testbed.corpus import _base

    world = make_world(0)
    writer = _base(world, size)
    queries = [record["conversations"][0]["value"].removeprefix("<image>\n") for record in writer.records]
    openers = Counter(map(opener, queries))
    assert set(ALL_OPENERS) <= set(openers)
    asked = [openers[word] for word in ALL_OPENERS]
    assert max(asked) < 1.3 * min(asked)
    assert all(any(f"the {device.name}" in query for query in queries) for device in world.devices)


def test_the_same_seed_writes_the_same_files(tmp_path) -> None:
    size = CorpusSize(base_pictures=4, base=8, unsafe_pictures=3, safe_pictures=3, general=3, utility=3)
    for name in ("a", "b"):
        write_corpus(make_world(1), size, tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) > 10
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)


def test_truth_file_names_every_sample_that_is_evaluated(folder) -> None:
    facts = json.loads((folder / "truth.json").read_text())["facts"]
    for name in ("test", "utility", "near"):
        assert {sample.id for sample in load_samples(folder / f"{name}.json")} <= set(facts)
