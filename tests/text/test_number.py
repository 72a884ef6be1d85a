import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.text.number import head_noun, is_plural, past, third_person


@pytest.mark.parametrize(
    "phrase",
    [
        "the names of the boat",
        "the people",
        "these",
        "the notable elements visible in this picture",
        "the outfit and pose of the man",
        "the actions the dog is doing",
        "the personal details or identity of the man",
        "the different types of boat",
    ],
)
def test_more_than_one(phrase):
    assert is_plural(phrase)


@pytest.mark.parametrize(
    "phrase",
    [
        "the name of the boats",
        "the news",
        "the bus",
        "the glass with the keys",
        "the smiling man",
        "the helmet the men are wearing",
        "the identity or the details of the man",
        "",
    ],
)
def test_just_one(phrase):
    assert not is_plural(phrase)


def test_the_head_of_a_coordination_is_its_first_noun():
    assert head_noun("the appearance and outfit of the man") == "appearance"
    assert head_noun("the black and white photo") == "photo"
    assert head_noun("") == ""


def test_verb_forms():
    assert [third_person(verb) for verb in ("hold", "have", "do", "go", "be", "carry", "play", "watch")] == [
        "holds", "has", "does", "goes", "is", "carries", "plays", "watches",
    ]  # fmt: skip
    assert [past(verb) for verb in ("win", "hope", "carry", "play", "stop", "fix", "plan")] == [
        "won", "hoped", "carried", "played", "stopped", "fixed", "planned",
    ]  # fmt: skip


@given(st.text(max_size=60))
def test_any_text_is_plural_or_not(text):
    assert is_plural(text) in (True, False)
