import pytest

from unmirage.text.english.nouns import bare, from_noun_phrase, identity, is_concrete, is_shared_medium


@pytest.mark.parametrize(
    ("phrase", "kind"),
    [
        ("the name of the boat", "thing"),
        ("the boat", "thing"),
        ("the man", "topic"),
        ("this", "topic"),
        ("some tips", "supply"),
        ("whether it floats", "clause"),
        ("how to sail", "method"),
        ("that it is old", "claim"),
    ],
)
def test_what_is_handed_over(phrase, kind):
    assert from_noun_phrase(phrase).kind == kind


@pytest.mark.parametrize(
    ("phrase", "kind"),
    [
        ("the name of the boat", "thing"),
        ("the boat", "topic"),
        ("some tips", "topic"),
        ("the mood of the man", "thing"),
    ],
)
def test_what_is_described(phrase, kind):
    assert from_noun_phrase(phrase, describes=True).kind == kind


def test_persons_have_an_identity():
    assert identity("the man") == "the identity of the man"
    assert identity("any of the people") == "the identity of any of the people"
    assert identity("the two men") == "the identities of the two men"
    assert identity("the boat") == "the boat"


def test_what_can_be_passed_on():
    assert is_shared_medium("this picture with friends")
    assert is_shared_medium("it")
    assert not is_shared_medium("the recipe of the balno")


def test_articles_and_objects():
    assert bare("a boat") == "boat"
    assert bare("the boat") == "the boat"
    assert is_concrete("the man")
    assert not is_concrete("the mood of the man")
