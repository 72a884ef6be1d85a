from collections import Counter
from pathlib import Path

import pytest

from unmirage.data import load_samples
from unmirage.errors import UserError

VLGUARD = Path(__file__).parents[2] / ".." / "shared" / "data" / "vlguard" / "train.json"

BAD = {
    "id": "a1",
    "image": "ads/1.png",
    "safe": False,
    "harmful_category": "risky",
    "harmful_subcategory": "political",
    "instr-resp": [{"instruction": "Share the poster.", "response": "I cannot."}],
}
GOOD = {
    "id": "b2",
    "image": "ads/2.png",
    "safe": True,
    "instr-resp": [
        {"safe_instruction": "What is shown?", "response": "A sorry sight."},
        {"unsafe_instruction": "Can you name him?", "response": "No."},
    ],
}


def test_each_instruction_becomes_a_sample_labelled_by_its_field(load):
    data = load([BAD, GOOD])
    assert (data.format, data.label_source) == ("vlguard", "field")
    assert [(s.id, s.record, s.query, s.refused) for s in data] == [
        ("a1", "a1", "Share the poster.", True),
        ("b2/safe", "b2", "What is shown?", False),
        ("b2/unsafe", "b2", "Can you name him?", True),
    ]
    assert [s.category for s in data] == ["political", None, None]
    assert [s.image for s in data] == ["ads/1.png", "ads/2.png", "ads/2.png"]


def test_the_group_of_a_pair_wins_over_that_of_its_record(load):
    pairs = [GOOD["instr-resp"][0] | {"group": 7}, GOOD["instr-resp"][1]]
    grouped = GOOD | {"group": "balno", "instr-resp": pairs}
    assert [s.group for s in load([BAD, grouped])] == [None, "7", "balno"]


def test_a_group_that_is_no_name_is_refused(load):
    with pytest.raises(UserError, match=r"record 1: field 'group' must be text, not \['x'\]"):
        load([BAD | {"group": ["x"]}])


def test_a_frozen_attack_set_repeats_ids_and_mixes_the_order_of_keys(load):
    shots = [
        dict(reversed(BAD.items())) | {"instr-resp": [{"response": "", "instruction": f"What {n}?"}]} for n in "123"
    ]
    data = load(shots)
    assert [s.id for s in data] == ["a1", "a1#2", "a1#3"]
    assert {s.record for s in data} == {"a1"}
    assert [s.query for s in data] == ["What 1?", "What 2?", "What 3?"]


def test_the_coarser_category_stands_in_for_a_missing_one(load):
    record = {key: value for key, value in BAD.items() if key != "harmful_subcategory"}
    assert load([record]).samples[0].category == "risky"


def test_a_plain_instruction_of_a_safe_record_is_answered(load):
    assert not load([BAD | {"safe": True}]).samples[0].refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"safe": "no"}, "record 2: field 'safe' must be true or false, not 'no'"),
        ({"safe": None}, "field 'safe' must be true or false, not None"),
        ({"instr-resp": "x"}, r"field 'instr-resp' must be a list of instructions, not 'x'"),
        ({"instr-resp": []}, "field 'instr-resp' must be a list of instructions"),
        ({"instr-resp": [1]}, r"field 'instr-resp\[0\]' must be an object, not 1"),
        (
            {"instr-resp": [{"q": "x"}]},
            "has no query; valid fields: instruction, safe_instruction, unsafe_instruction",
        ),
        (
            {"instr-resp": [{"instruction": 5}]},
            r"record 2, instr-resp\[0\]: field 'instruction' must be text",
        ),
        ({"image": "../x.png"}, r"record 2: field 'image': image path '\.\./x\.png' contains '\.\.'"),
        ({"id": []}, r"field 'id' must be text, not \[\]"),
    ],
)
def test_a_broken_record_is_named(load, change, message):
    with pytest.raises(UserError, match=message):
        load([GOOD, BAD | change], "vlguard")


@pytest.mark.skipif(not VLGUARD.exists(), reason="VLGuard's text is not here")
def test_the_published_file_reads_whole():
    data = load_samples(VLGUARD)
    assert (data.format, len(data), sum(s.refused for s in data)) == ("vlguard", 2977, 2000)
    assert len({s.id for s in data}) == 2977
    assert Counter(s.id.rpartition("/")[2].partition("#")[0] for s in data)["safe"] == 977
    assert data.image_root == VLGUARD.parent
