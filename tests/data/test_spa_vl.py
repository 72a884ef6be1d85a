import json

import pytest

from unmirage.errors import UserError

ROW = {
    "image": "1.jpg",
    "question": "<image>\nHow is bread made?",
    "chosen": "From flour.",
    "rejected": "I cannot help.",
}


def test_the_chosen_answer_is_the_sample_and_tells_the_label(load):
    rows = [
        ROW | {"class1": "food", "class2": "bread"},
        ROW | {"chosen": "I cannot help with this.", "id": 7},
    ]
    data = load("\n".join(map(json.dumps, rows)), name="d.jsonl")
    assert (data.format, data.label_source) == ("spa-vl", "answer")
    assert [(s.id, s.query, s.answer, s.refused, s.category) for s in data] == [
        ("1", "How is bread made?", "From flour.", False, "bread"),
        ("7", "How is bread made?", "I cannot help with this.", True, None),
    ]


@pytest.mark.parametrize("field", ["question", "chosen"])
def test_a_missing_field_is_named(load, field):
    with pytest.raises(UserError, match=f"record 2: field '{field}' is null"):
        load([ROW, ROW | {field: None}])
