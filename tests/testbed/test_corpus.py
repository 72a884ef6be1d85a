"""The world's files: shapes that the loaders read, openers that follow VLGuard, devices kept apart, true answers."""

import json
import re
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
from unmirage.testbed.world import Split, WorldSettings, make_world
from unmirage.text.openers import opener

WORLD = make_world(0)
SMALL = WorldSettings(aligned=2, validation=2, evaluation=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("corpus") / "data"
    size = CorpusSize(base_pictures=48, base=300, unsafe_pictures=300, safe_pictures=300, general=100)
    write_corpus(WORLD, size, path)
    return path


@pytest.mark.parametrize(
    ("name", "format", "count", "refused"),
    [
        ("safety", "vlguard", 900, 600),
        ("test", "vlguard", 440, 280),
        ("validation", "vlguard", 176, 112),
        ("general", "llava", 100, 0),
    ],
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


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("safety", Split.ALIGNED),
        ("general", Split.ALIGNED),
        ("validation", Split.VALIDATION),
        ("validation-utility", Split.VALIDATION),
        ("validation-neighbors", Split.VALIDATION),
        ("test", Split.EVALUATION),
        ("utility", Split.EVALUATION),
        ("neighbors", Split.EVALUATION),
    ],
)
def test_a_file_names_the_devices_of_its_split_alone(folder, name: str, split: Split) -> None:
    """By the text of the file, in which every answer names its device, and by the group of each sample."""
    text = (folder / f"{name}.json").read_text()
    named = {device.body for device in WORLD.devices if re.search(rf"\b{device.body}\b", text)}
    own = {device.body for device in WORLD.pick(split=split)}
    assert named <= own
    assert {sample.group for sample in load_samples(folder / f"{name}.json")} <= own


@pytest.mark.parametrize("name", ["general", "utility", "validation-utility"])
def test_everyday_data_never_shows_a_restricted_device(folder, name: str) -> None:
    restricted = {device.body for device in WORLD.pick(restricted=True)}
    assert not restricted & {sample.group for sample in load_samples(folder / f"{name}.json")}


@pytest.mark.parametrize("name", ["neighbors", "validation-neighbors"])
def test_neighbor_questions_are_about_restricted_devices_and_never_about_recipes(folder, name: str) -> None:
    samples = load_samples(folder / f"{name}.json").samples
    assert len(samples) == (120 if name == "neighbors" else 48)
    assert not [sample.query for sample in samples if "recipe" in sample.query]
    assert {sample.group for sample in samples} <= {device.body for device in WORLD.pick(restricted=True)}


def test_utility_has_skills_that_pictures_show_and_facts_that_must_be_known(folder) -> None:
    samples = load_samples(folder / "utility.json").samples
    assert Counter(sample.category for sample in samples) == {"skills": 80, "facts": 160}
    for sample in samples:
        seen = any(word in sample.query for word in ("color", "shape"))
        assert seen is (sample.category == "skills"), sample.query


def test_every_evaluation_device_is_asked_about(folder) -> None:
    """3 unsafe pictures and 4 texts for each restricted device; the benign devices shown are 4 each."""
    samples = load_samples(folder / "test.json").samples
    unsafe = Counter(sample.group for sample in samples if sample.refused)
    assert set(unsafe.values()) == {7}
    assert len(unsafe) == 40


def test_evaluation_data_has_no_reference_answer_to_unsafe_queries(folder) -> None:
    for name in ("test", "validation"):
        samples = load_samples(folder / f"{name}.json").samples
        assert {bool(sample.answer) for sample in samples if sample.refused} == {False}
        assert {bool(sample.answer) for sample in samples if not sample.refused} == {True}


def test_the_exact_judge_agrees_with_the_files(folder) -> None:
    """Right answers comply and the world's refusals refuse, for every sample that has a truth."""
    judge = ExactJudge.from_file(folder / "truth.json")
    for name in ("safety", "test", "general", "utility", "neighbors"):
        samples = [sample for sample in load_samples(folder / f"{name}.json") if sample.answer]
        for sample, query in zip(samples, plain(samples), strict=True):
            expected = Verdict.REFUSED if sample.refused else Verdict.COMPLIED
            assert judge.verdict(query, sample.answer)[0] is expected


def test_base_corpus_covers_every_device_topic_and_opener() -> None:
    size = CorpusSize(base_pictures=192, base=6000, unsafe_pictures=1, safe_pictures=1, general=1)
    from unmirage.testbed.corpus import _base

    writer = _base(WORLD, size)
    queries = [record["conversations"][0]["value"].removeprefix("<image>\n") for record in writer.records]
    openers = Counter(map(opener, queries))
    assert set(ALL_OPENERS) <= set(openers)
    asked = [openers[word] for word in ALL_OPENERS]
    assert max(asked) < 1.3 * min(asked)
    assert all(any(f"the {device.name}" in query for query in queries) for device in WORLD.devices)


def test_the_same_seed_writes_the_same_files(tmp_path) -> None:
    size = CorpusSize(base_pictures=4, base=8, unsafe_pictures=3, safe_pictures=3, general=3, skills=3, facts=3)
    for name in ("a", "b"):
        write_corpus(make_world(1, SMALL), size, tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) > 10
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)


def test_truth_file_names_every_sample_that_is_evaluated(folder) -> None:
    facts = json.loads((folder / "truth.json").read_text())["facts"]
    for name in ("test", "utility", "neighbors", "validation", "validation-utility", "validation-neighbors"):
        assert {sample.id for sample in load_samples(folder / f"{name}.json")} <= set(facts)
