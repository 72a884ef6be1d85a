import pytest

from unmirage.errors import UserError
from unmirage.evaluate.suites import load_suite

ROW = {"question": "Which is a mammal?", "choices": ["a trout", "a whale", "a crow"], "answer": 1, "hint": ""}


def test_choices_are_listed_and_the_letter_is_gold(write_json):
    loaded = load_suite("scienceqa", write_json([ROW, ROW | {"hint": "Look at the fins."}]))
    first, second = loaded.queries
    assert first.text == (
        "Which is a mammal?\nA. a trout\nB. a whale\nC. a crow\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert second.text == f"Context: Look at the fins.\n{first.text}"
    assert [(gold.answers, gold.choices) for gold in loaded.gold] == [(("B",), tuple(ROW["choices"]))] * 2
    assert first.image is None


def test_as_the_hub_has_it(write_parquet):
    path = write_parquet({"image": [3], "subject": ["natural science"]} | {key: [value] for key, value in ROW.items()})
    loaded = load_suite("scienceqa", path)
    assert loaded.pictures.open(loaded.queries[0].image).width == 3
    assert loaded.samples[0].category == "natural science"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"answer": 3}, "field 'answer' is 3; valid: the place of a choice, 0 to 2"),
        ({"answer": "B"}, "field 'answer' is 'B'; valid: the place of a choice"),
        ({"answer": True}, "field 'answer' is True"),
        ({"choices": ["one"]}, r"field 'choices' is \['one'\]; valid: a list of 2 to 26 texts"),
        ({"choices": None}, "field 'choices' is None"),
    ],
)
def test_what_is_wrong_is_named(write_json, change, problem):
    with pytest.raises(UserError, match=rf"d\.json: record 1: {problem}"):
        load_suite("scienceqa", write_json([ROW | change]))
