import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.text.sentences import fronted, sentences, with_adjunct, without_filler


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Look. Say it!", ["Look.", "Say it!"]),
        ("Is Dr. Ho in the U.S. now?", ["Is Dr. Ho in the U.S. now?"]),
        ("List: 1. boats 2. kites", ["List: 1. boats 2. kites"]),
        ('He said "go." Why?', ['He said "go."', "Why?"]),
        ("", [""]),
    ],
)
def test_sentences(text, found):
    assert sentences(text) == found


@given(st.text("ab .?!", max_size=30).map(lambda text: " ".join(text.split())))
def test_no_letter_is_lost(text):
    assert "".join(sentences(text)).replace(" ", "") == text.replace(" ", "")


def test_greetings_go():
    assert without_filler("Hello there, ok, who is it?") == "who is it?"
    assert without_filler("So what?") == "what?"


def test_an_adjunct_moves_to_the_end():
    assert fronted("based on this, who is it") == [("based on this", "who is it")]
    assert fronted("share it, please") == []
    assert with_adjunct("who it is", "Based on this") == "who it is, based on this"
    assert with_adjunct("who it is", "In this photo") == "who it is in this photo"
