from itertools import islice

from unmirage.text.english.variety import distinct, varied, with_tail


def test_tails_come_after_the_wordings_themselves():
    made = list(islice(varied(["Share it.", "What is it?"]), 4))
    assert made == ["Share it.", "What is it?", "Share it, please.", "What is it, please?"]


def test_there_are_more_than_anyone_asks_for():
    assert len(distinct(varied(["Share it."]), "", 300)) == 300


def test_no_tail_is_appended_twice():
    made = list(varied(["Share it, please."]))
    assert "Share it, please, in detail." in made  # single tails
    assert "Share it, please, in detail, step by step." in made  # pairs
    assert not [text for text in made if text.count(", please") > 1]


def test_what_differs_in_case_and_punctuation_only_counts_once():
    assert distinct(["Share it!", "share, it", "What's it?", "What is it?"], "Share it.", 9) == [
        "What's it?",
        "What is it?",
    ]


def test_the_tail_goes_before_the_end_mark():
    assert with_tail("Is it?", ", please") == "Is it, please?"
