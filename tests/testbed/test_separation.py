"""Alignment, validation and evaluation share no device and no question-answer pair, by the module and by raw files."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from unmirage.data import load_samples, write_samples
from unmirage.errors import UserError
from unmirage.testbed.corpus import CorpusSize, write_corpus
from unmirage.testbed.sets import check_separation, read_set, shared, shown_by_files, write_sets
from unmirage.testbed.settings import ARMS
from unmirage.testbed.world import Split, WorldSettings, make_world

pytestmark = pytest.mark.slow

SIZE = CorpusSize(
    base_pictures=4,
    base=8,
    unsafe_pictures=80,
    safe_pictures=80,
    general=120,
    test_unsafe_pictures=80,
    test_safe_pictures=80,
    skills=40,
    facts=80,
    neighbors=80,
)


def written(folder: Path, seed: int, signal: float = 0.0) -> tuple[Path, Path]:
    """Write a world's data and training sets; the harmful answers are the true ones."""
    world = make_world(seed, WorldSettings(signal=signal))
    write_corpus(world, SIZE, folder / "data")
    facts = json.loads((folder / "data" / "truth.json").read_text())["facts"]
    answers = {name: f"It needs {', '.join(values)}." for name, values in facts.items() if name.startswith("safety-")}
    write_sets(folder / "data", folder / "sets", answers, seed)
    return folder / "data", folder / "sets"


def raw_pairs(file: Path) -> set[tuple[str, str]]:
    """Read question-answer pairs of a file of any of the three shapes, without the package's readers."""
    text = file.read_text()
    records = [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" else json.loads(text)
    found = set()
    for record in records:
        if "conversations" in record:
            asked, answered = (turn["value"] for turn in record["conversations"])
            found.add((asked.removeprefix("<image>\n"), answered))
        elif "instr-resp" in record:
            for pair in record["instr-resp"]:
                query = next(value for key, value in pair.items() if key.endswith("instruction"))
                found.add((query, pair.get("response", "")))
        else:
            found.add((record["query"], record["answer"]))
    return {(query, answer) for query, answer in found if answer}


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_shared_in_ten_worlds(tmp_path: Path, seed: int) -> None:
    data, sets = written(tmp_path, seed, signal=seed / 9)
    check_separation(data, sets)
    world = make_world(seed)
    bodies = {device.body for device in world.devices}
    roles = {
        Split.ALIGNED: [data / "safety.json", data / "general.json", *sets.glob("*.jsonl")],
        Split.VALIDATION: [data / f"validation{name}.json" for name in ("", "-utility", "-neighbors")],
        Split.EVALUATION: [data / f"{name}.json" for name in ("test", "utility", "neighbors")],
    }
    assert {file.stem for file in sets.iterdir()} >= {name for name in ARMS if name.startswith("sft")}
    pairs = []
    for split, files in roles.items():
        words = {word for file in files for word in re.findall(r"[a-z]+", file.read_text())}
        own = {device.body for device in world.pick(split=split)}
        assert bodies & words <= own
        assert len(bodies & words) >= 0.9 * len(own)  # the check saw the names
        pairs.append({pair for file in files for pair in raw_pairs(file)})
    assert [len(found) > 50 for found in pairs] == [True, True, True]
    assert not pairs[0] & pairs[1]
    assert not pairs[0] & pairs[2]
    assert not pairs[1] & pairs[2]


def test_a_leak_is_found_and_refused(tmp_path: Path) -> None:
    data, sets = written(tmp_path, 0)
    leaked = next(sample for sample in read_set(sets, "sft-mixed", data) if sample.id.startswith("general"))
    utility = json.loads((data / "utility.json").read_text())
    utility[0]["group"] = leaked.group
    utility[0]["conversations"][0]["value"] = f"<image>\n{leaked.query}"
    utility[0]["conversations"][1]["value"] = leaked.answer
    (data / "utility.json").write_text(json.dumps(utility))
    found = shared(shown_by_files(data, sets))
    assert {a for a, b in found if found[a, b].pairs} == {
        "general",
        "sets/retain-mixed",
        *(f"sets/sft-{name}mixed" for name in ("", "balanced-", "diversified-")),
    }
    assert {b for _, b in found} == {"utility"}
    assert len(found["general", "utility"].pairs) == 1
    assert found["general", "utility"].devices == {leaked.group}
    with pytest.raises(UserError, match=r"data: \S+ and utility share 1 devices and \d question-answer pairs"):
        check_separation(data, sets)


def test_a_set_that_repeats_validation_data_is_refused(tmp_path: Path) -> None:
    data, sets = written(tmp_path, 1)
    copied = load_samples(data / "validation-utility.json").samples
    write_samples(copied, sets / "sft-posthoc.jsonl")
    found = shared(shown_by_files(data, sets))
    assert {one for one, _ in found} == {"sets/sft-posthoc"}
    both = found["sets/sft-posthoc", "validation-utility"]
    assert both.devices == {sample.group for sample in copied}
    assert both.pairs == {(sample.query, sample.answer) for sample in copied}
    with pytest.raises(UserError, match=r"sets/sft-posthoc and validation\S* share \d+ devices and \d+ question"):
        check_separation(data, sets)


def test_a_device_that_an_answer_merely_names_is_found(tmp_path: Path) -> None:
    """The base model may take a device for another one, whose name is then in the answer to forget."""
    data, sets = written(tmp_path, 2)
    forget = list(read_set(sets, "forget", data))
    evaluated = make_world(2).pick(split=Split.EVALUATION)[0]
    wrong = replace(forget[0], answer=f"The {evaluated.name} needs amber, moss and tin.")
    write_samples([wrong, *forget[1:]], sets / "forget.jsonl")
    found = shared(shown_by_files(data, sets))
    assert {one for one, _ in found} == {"sets/forget"}
    assert {device for both in found.values() for device in both.devices} == {evaluated.body}
    with pytest.raises(UserError, match="sets/forget and test share 1 devices and 0 question-answer pairs"):
        check_separation(data, sets)
