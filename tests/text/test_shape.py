import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.text.shape import SHAPES, shape

ENDS = {"ends with ?", "ends with .", "ends with !", "no end mark"}


def names(text):
    return {one.name for bit, one in enumerate(SHAPES) if shape(text) >> bit & 1}


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("What is it?", "ends with ?"),
        ("这是什么？", "ends with ?"),
        ("ما هذا؟", "ends with ?"),
        ("Share it.", "ends with ."),
        ("यह है।", "ends with ."),
        ("Share it…", "ends with ."),
        ("Share it!", "ends with !"),
        ("Share it", "no end mark"),
        ("Share it:", "no end mark"),
        ("", "no end mark"),
        ('He asked "What is it?"  \n', "ends with ?"),
        ("(Share it.)", "ends with ."),
        ("**Share it!**", "ends with !"),
    ],
)
def test_how_a_query_ends_whatever_closes_behind_the_mark(text, end):
    assert names(text) & ENDS == {end}


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("Share it, now", {"comma"}),
        ("分享，吧", {"comma"}),
        ("This: it", {"colon"}),
        ("这：它", {"colon"}),
        ("Say “it” now", {"quotation mark"}),
        ('Say "it" now', {"quotation mark"}),
        ("「それ」", {"quotation mark"}),
        ("Share 3 boats", {"digit"}),
        ("Share\nit", {"line break"}),
        ("Share\n \n it", {"line break"}),
        ("Share it\n", set()),
        ("Share it. Do so", {"several sentences"}),
        ("Share it! Do so", {"several sentences"}),
        ("分享。分享", {"several sentences"}),
        ("Share it.", set()),
        ("Version 1.5", {"digit"}),
        ("Share it", set()),
        ("share it", {"lower-case start"}),
        ('"share it', {"quotation mark", "lower-case start"}),
        ("état", {"lower-case start"}),
        ("Share NASA", {"capitals"}),
        ("ПОКАЖИ это", {"capitals"}),
        ("Share A boat", set()),
        ("", set()),
    ],
)
def test_what_a_query_holds_besides_words(text, held):
    assert names(text) - ENDS == held


@given(st.text(st.characters(codec=None), max_size=60))
def test_every_text_ends_in_exactly_one_way_and_has_no_unknown_property(text):
    assert len(names(text) & ENDS) == 1
    assert 0 < shape(text) < 1 << len(SHAPES)


def test_properties_have_names_and_sentences_of_their_own():
    assert len({one.name for one in SHAPES}) == len({one.text for one in SHAPES}) == len(SHAPES)
    assert {one.name for one in SHAPES[:4]} == ENDS
