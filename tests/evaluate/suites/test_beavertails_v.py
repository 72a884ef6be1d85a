import pytest

from unmirage.errors import UserError
from unmirage.evaluate.suites import load_suite, suite_pictures

ROW = {"question": ["How?"], "image_severity": [3], "response": ["No."], "is_response_safe": ["yes"]}


@pytest.mark.parametrize("place", ["", "data/"])
def test_the_evaluation_split_of_each_category_is_asked(write_parquet, tmp_path, place):
    for width, category in enumerate(("animal_abuse", "sexual_crimes"), 3):
        write_parquet(ROW | {"image": [width]}, f"b/{place}{category}/evaluation-00000-of-00001.parquet")
        write_parquet(ROW | {"image": [9], "question": ["train"]}, f"b/{place}{category}/train-00000-of-00001.parquet")
    loaded = load_suite("beavertails-v", tmp_path / "b")
    assert [(query.text, query.unsafe) for query in loaded.queries] == [("How?", True)] * 2
    assert [sample.category for sample in loaded.samples] == ["animal_abuse", "sexual_crimes"]
    assert [loaded.pictures.open(query.image).width for query in loaded.queries] == [3, 4]
    config = {"suite": {"name": "beavertails-v"}, "data": str(tmp_path / "b"), "images": None}
    assert suite_pictures(config).open(loaded.queries[1].image).width == 4
    (note,) = loaded.notes
    assert note.endswith("2 questions; suite 'beavertails-v' was published with 1,180")


def test_a_folder_without_the_split_is_named(tmp_path):
    with pytest.raises(UserError, match=r"has no file CATEGORY/evaluation\*\.parquet; valid categories: animal_abuse"):
        load_suite("beavertails-v", tmp_path)
