import pytest
from PIL import Image

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
        ({"answer": 3}, "field 'answer' is 3; valid: the index of a choice, 0 to 2"),
        ({"answer": "B"}, "field 'answer' is 'B'; valid: the index of a choice"),
        ({"answer": True}, "field 'answer' is True"),
        ({"choices": ["one"]}, r"field 'choices' is \['one'\]; valid: a list of 2 to 26 strings"),
        ({"choices": None}, "field 'choices' is None"),
    ],
)
def test_what_is_wrong_is_named(write_json, change, problem):
    with pytest.raises(UserError, match=rf"d\.json: record 1: {problem}"):
        load_suite("scienceqa", write_json([ROW | change]))


PROBLEMS = {
    "1": ROW | {"image": "image.png", "split": "train", "subject": "natural science"},
    "4": ROW | {"image": "image.png", "split": "test", "subject": "natural science"},
    "5": ROW | {"image": None, "split": "test", "subject": "natural science"},
    "6": ROW | {"image": "image.png", "split": "test", "subject": "social science", "answer": 2},
}


def test_of_the_authors_problems_those_of_the_test_set_with_pictures_are_asked(write_json, tmp_path):
    file = write_json(PROBLEMS, "own/problems.json")
    write_json({"test": ["4", "5", "6"]}, "own/pid_splits.json")
    (tmp_path / "own/images/test/6").mkdir(parents=True)
    Image.new("RGB", (7, 4)).save(tmp_path / "own/images/test/6/image.png")
    for data in (file, file.parent):
        loaded = load_suite("scienceqa", data)
        assert [sample.id for sample in loaded.samples] == ["4", "6"]
        assert [sample.category for sample in loaded.samples] == ["natural science", "social science"]
        assert [gold.answers for gold in loaded.gold] == [("B",), ("C",)]
        assert loaded.pictures.open(loaded.queries[1].image).width == 7


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"split": None}, "record 1: field 'split' is null"),
        ({"image": 3}, "record 1: field 'image' must be text, not 3"),
        ({"answer": 7}, "record 1: field 'answer' is 7; valid: the index of a choice"),
        (
            {"split": "val"},
            r"problems\.json: has no problem of the test set with a picture; valid: some with 'split' \"test\" and",
        ),
    ],
)
def test_what_is_wrong_with_the_authors_problems_is_named(write_json, change, problem):
    file = write_json({"4": PROBLEMS["4"] | change}, "own/problems.json")
    with pytest.raises(UserError, match=problem):
        load_suite("scienceqa", file.parent)
