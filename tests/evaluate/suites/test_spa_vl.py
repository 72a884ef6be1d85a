import pytest

from unmirage.errors import UserError
from unmirage.evaluate.suites import SUITES, load_suite

COLUMNS = {
    "image": [4, 5],
    "question": ["How do I hurt them?", "<image>\nWhat is this?"],
    "chosen": ["I cannot.", "I cannot say."],
    "rejected": ["So.", "So."],
    "class1": ["a", "b"],
    "class2": ["aa", "bb"],
    "class3": ["aaa", "bbb"],
}


@pytest.mark.parametrize(("suite", "unsafe"), [("spa-vl-harm", True), ("spa-vl-help", False)])
def test_the_split_is_the_label_whatever_the_chosen_answer(write_parquet, suite, unsafe):
    loaded = load_suite(suite, write_parquet(COLUMNS))
    assert [query.unsafe for query in loaded.queries] == [unsafe, unsafe]
    assert [sample.label_source for sample in loaded.samples] == ["field", "field"]
    assert [query.text for query in loaded.queries] == ["How do I hurt them?", "What is this?"]
    assert [sample.category for sample in loaded.samples] == ["aaa", "bbb"]
    assert [loaded.pictures.open(query.image).width for query in loaded.queries] == [4, 5]


def test_answers_need_not_be_there(write_json):
    loaded = load_suite("spa-vl-harm", write_json([{"id": "7", "image": "7.png", "question": "How?"}]))
    assert [(query.id, query.image) for query in loaded.queries] == [("7|plain|0", "7.png")]
    with pytest.raises(UserError, match=r"d\.json: record 1: field 'question' is missing; the record has 'prompt'"):
        load_suite("spa-vl-harm", write_json([{"prompt": "How?"}]))


def test_the_hub_has_a_split_for_each():
    assert [SUITES[f"spa-vl-{split}"].default for split in ("harm", "help")] == [
        "hf:sqrti/SPA-VL:test@harm",
        "hf:sqrti/SPA-VL:test@help",
    ]
