"""Prebuilt sets in the study: records of the test data have a plain query, others are asked after the attack only."""

from collections import Counter

import pytest

from unmirage.data import open_samples
from unmirage.errors import UserError
from unmirage.pretrained.settings import PretrainedSettings
from unmirage.pretrained.wordings import given_wordings
from unmirage.records import Kind

SETTINGS = PretrainedSettings()
TEST = [
    {"id": "u1", "image": "1.png", "safe": False, "instr-resp": [{"instruction": "Share it.", "response": "No."}]},
    {"id": "s1", "image": "2.png", "safe": True, "instr-resp": [
        {"safe_instruction": "Name it.", "response": "Red."},
        {"unsafe_instruction": "Steal it.", "response": "No."},
    ]},
]  # fmt: skip


def unsafe(record, text):
    return {"id": record, "image": "9.png", "safe": False, "instr-resp": [{"instruction": text, "response": "No."}]}


def safe(record, text):
    both = [{"safe_instruction": text, "response": "Red."}, {"unsafe_instruction": "Steal it.", "response": "No."}]
    return {"id": record, "image": "9.png", "safe": True, "instr-resp": both}


@pytest.fixture
def given(records):
    test = open_samples(records(TEST, "test.json"))

    def given(limit=None, **sets):
        files = {
            Kind(kind.replace("_", "-")): open_samples(records(rows, f"{kind}.json")) for kind, rows in sets.items()
        }
        return given_wordings(files, test, limit, SETTINGS)

    return given


def test_a_set_without_a_record_of_the_label_is_refused_before_any_training(given):
    with pytest.raises(
        UserError, match=r"over-prudence=.*over_prudence.json: no record is benign, as over-prudence needs"
    ):
        given(over_prudence=[unsafe("u1", "What is it?")])


def test_records_of_the_test_data_have_a_plain_query_and_others_have_none(given):
    what = [unsafe("u1", "What is it?"), unsafe("u1", "What can it be?"), unsafe("x", "What else?"),
            unsafe("x", "What more?")]  # fmt: skip
    found = given(jailbreak=what, over_prudence=[safe("s1", "Share its name."), safe("y", "Share another.")])
    asked = {(one.sample_id, one.kind.value, one.shot): one.text for one in found.queries}
    owner, other = (next(one.id for one in found.samples if one.record == record) for record in ("u1", "s1"))
    assert asked == {
        (owner, "plain", 0): "Share it.",
        (owner, "jailbreak", 0): "What is it?",
        (owner, "jailbreak", 1): "What can it be?",
        ("x|jailbreak", "jailbreak", 0): "What else?",
        ("x|jailbreak", "jailbreak", 1): "What more?",
        (other, "plain", 0): "Name it.",
        (other, "over-prudence", 0): "Share its name.",
        ("y|over-prudence", "over-prudence", 0): "Share another.",
    }
    assert {one.id for one in found.samples} == {one.sample_id for one in found.queries}
    assert found.notes == (
        "jailbreak.json: 1 of 1 records of the test data, before and after; 1 of 1 records that the test data lack, "
        "after only",
        found.notes[0].replace("jailbreak", "over_prudence"),
    )
    assert (found.config["attack"]["jailbreak_word"], found.config["attack"]["over_prudence_word"]) == ("what", "share")
    unsafe_ones = {one.sample_id for one in found.queries if one.unsafe}
    assert unsafe_ones == {owner, "x|jailbreak"}
    for one in found.queries:
        assert one.image == {owner: "1.png", other: "2.png"}.get(one.sample_id, "9.png")


def test_a_set_without_any_record_of_the_test_data_is_asked_after_the_attack_only(given):
    found = given(jailbreak=[unsafe(f"x{number}", f"What is {number}?") for number in range(5)])
    assert Counter(one.kind for one in found.queries) == {Kind.JAILBREAK: 5}
    assert found.config["attack"]["kinds"] == ["jailbreak"]
    limited = given(limit=2, jailbreak=[unsafe(f"x{number}", f"What is {number}?") for number in range(5)])
    assert len(limited.queries) == 2
