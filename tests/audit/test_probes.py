import numpy as np
import pytest

from unmirage.audit.probes import PROBES, _folds, predictability


def test_the_opener_tells_all_but_the_half_and_half_word(tied):
    result = predictability(tied.samples, (), seed=0)
    assert list(result) == list(PROBES)
    assert result["majority"].test == 0.5
    assert result["opener"].train == pytest.approx(0.8, abs=0.02)
    assert 0.7 <= result["opener"].test <= 0.85
    assert {accuracy.baseline for accuracy in result.values()} == {0.5}


def test_words_that_are_no_opener_can_tell_as_well(make_dataset):
    rows = [(f"Please {'send' if n % 2 else 'see'} the boat", n % 2 == 1) for n in range(60)]
    result = predictability(make_dataset(*rows).samples, (), seed=0)
    assert result["opener"].test == result["majority"].test == 0.5
    assert result["words_without_opener"].test == 1


def test_a_held_out_file_is_the_test_if_there_is_one(tied, make_dataset):
    unseen = make_dataset(("Share it", True), ("What is it", False), ("What", True), ("New word", False))
    result = predictability(tied.samples, unseen.samples, seed=0)
    assert result["opener"].test == 0.5
    assert result["majority"].test == 0.5
    assert result["opener"].train == 0.8


def test_one_picture_never_stands_on_both_sides(make_dataset):
    data = make_dataset(*((f"Word{n % 7} it", n % 3 == 0, f"{n // 2}.png") for n in range(100)))
    pictures = np.array([sample.image for sample in data])
    splits = list(_folds(data.samples, np.array([s.refused for s in data]), seed=0))
    assert len(splits) == 5
    assert all(not set(pictures[train]) & set(pictures[test]) for train, test in splits)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(100))


def test_a_picture_that_gives_the_answer_away_is_no_help_when_grouped(make_dataset):
    # One word a picture, so that the word is known only if the picture is.
    rows = [(f"w{n // 4} it", n // 4 % 2 == 0, f"{n // 4}.png") for n in range(160)]
    result = predictability(make_dataset(*rows).samples, (), seed=0)
    assert result["opener"].train == 1
    assert result["opener"].test <= 0.55


@pytest.mark.parametrize(
    "rows",
    [
        [("What", False), ("What", False), ("Share", True)],
        [
            ("What", False, "1.png"),
            ("Share", True, "1.png"),
            ("Share", True, "1.png"),
            ("What", False, "1.png"),
        ],
    ],
)
def test_too_few_queries_or_pictures_are_not_estimable(make_dataset, rows):
    for accuracy in predictability(make_dataset(*rows).samples, (), seed=0).values():
        assert (accuracy.train, accuracy.test, accuracy.baseline) == (None, None, None)


def test_folds_with_one_class_and_queries_without_words_are_survived(make_dataset):
    rows = [("?", True, "1.png")] * 5 + [("!", False, "2.png")] * 5
    result = predictability(make_dataset(*rows).samples, (), seed=0)
    assert result["words"].test == 0
