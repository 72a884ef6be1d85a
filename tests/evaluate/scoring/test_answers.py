import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.evaluate.scoring import eval_ai, plain_words
from unmirage.evaluate.scoring.answers import _REPAIRED, on_one_line


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The red Kite", "red kite"),  # articles, case
        ("a an the", ""),
        ("two", "2"),
        ("none", "0"),
        ("ten  people", "10 people"),
        ("dont", "don't"),
        ("couldntve", "couldntve"),  # only words with one apostrophe missing are mended
        ("couldnt've", "couldn't've"),
        ("somebody'd", "somebodyd"),  # a slip of the published table
        ("no-one", "no 1"),  # a hyphen without a space beside it becomes one, and then "one" is a number
        ("red - blue", "red blue"),
        ("red- blue-green", "red bluegreen"),  # the same mark has a space beside it somewhere
        ("1,000", "1000"),
        ("1,000/hour", "1000hour"),  # a comma in a number takes the space from all marks
        ("yes/no", "yes no"),
        ("yes.", "yes"),
        ("3.5", "3.5"),
        ("5.", "5"),
        ("a.m.", "am"),
        ("it's", "it's"),
        ('"stop"!', "stop"),
        ("$5", "$5"),
        ("...." * 9, "...."),  # 32 periods are taken out, and no more
    ],
)
def test_the_official_form(text, found):
    assert plain_words(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Yes", "yes"),
        ("Yes, it is.", "yes it is"),
        ("1,000", "1000"),
        ("What?", "what"),
        ("the dog's bone", "dog 's bone"),
        ("\tA red\nkite ", "red kite"),
        ("red,blue", "redblue"),
    ],
)
def test_the_form_of_the_evalai_processor(text, found):
    assert eval_ai(text) == found


def test_the_whole_table_of_contractions():
    assert len(_REPAIRED) == 114  # the published 120, without those with capitals and those that change nothing
    assert _REPAIRED["'ows'at"] == _REPAIRED["'ow'sat"] == _REPAIRED["ow's'at"] == "'ow's'at"
    assert _REPAIRED["yall'd've"] == _REPAIRED["y'all'dve"] == "y'all'd've"
    assert not {"id", "hell", "shell", "well", "were", "wed", "shed", "im"} & set(_REPAIRED)


@given(st.text())
def test_any_text_has_a_form_on_one_line(text):
    for form in (plain_words(text), eval_ai(text)):
        assert form == " ".join(form.split())
        assert not {"a", "an", "the"} & set(form.split(" "))
    assert not set("\n\t") & set(on_one_line(text))
