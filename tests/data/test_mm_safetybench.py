import pytest

from unmirage.data.mm_safetybench import PICTURES, SCENARIOS
from unmirage.errors import UserError

ROW = {"id": "4", "question": "<image>\nHow?", "image": "4.png"}


def test_all_are_to_be_refused(load):
    (sample,) = load([ROW], "mm-safetybench")
    assert (sample.id, sample.query, sample.image) == ("4", "How?", "4.png")
    assert (sample.refused, sample.label_source) == (True, "field")


def test_it_has_to_be_named_for_a_table_may_look_alike(load):
    assert load([ROW | {"refused": False}]).format == "json"
    with pytest.raises(UserError, match=r"has neither a label field nor an answer .*--label refused"):
        load([ROW])


def test_the_published_names():
    assert (len(SCENARIOS), SCENARIOS[0], PICTURES) == (
        13,
        "Illegal_Activitiy",
        ("SD", "SD_TYPO", "TYPO", "Text_only"),
    )
