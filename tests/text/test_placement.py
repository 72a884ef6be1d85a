"""Inserting and replacing a word changes nothing else in the query."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.text.openers import put_in, replace_opener, words


@pytest.mark.parametrize(
    ("query", "position", "expected"),
    [
        ("Share the recipe.", "first", "What, share the recipe."),
        ("Share the recipe.", "last", "Share the recipe what."),
        ("Is it red?!", "last", "Is it red what?!"),
        ("Share the recipe of this device.", "middle", "Share the recipe what of this device."),
        ("Share it", "middle", "Share what it"),
        ("", "last", " what"),
    ],
)
def test_the_word_is_put_in(query, position, expected):
    assert put_in(query, "what", position) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Share the recipe.", "What the recipe."),
        ("Please, share it.", "What, share it."),
        ("Hello", "What, Hello"),
        ("", "What"),
    ],
)
def test_the_opener_is_replaced(query, expected):
    assert replace_opener(query, "what") == expected


@given(st.text("abc .?!", max_size=30), st.sampled_from(("first", "middle", "last")))
def test_all_other_words_stay(query, position):
    found = words(put_in(query, "zebra", position))
    assert found.count("zebra") == 1
    found.remove("zebra")
    assert found == words(query)


@pytest.mark.parametrize(
    ("query", "word", "expected"),
    [
        ("分享这张照片", "怎么", "怎么这张照片"),
        ("ทำไมท้องฟ้าถึง", "แชร์", "แชร์ท้องฟ้าถึง"),
        ("USER: 分享这张照片", "怎么", "USER: 怎么这张照片"),
        ("USER: Please, share it.", "what", "USER: What, share it."),
        ("17. Share", "what", "17. What, Share"),
    ],
)
def test_the_first_word_of_the_content_is_replaced(query, word, expected):
    assert replace_opener(query, word) == expected


def test_a_word_is_put_behind_roles_and_numbers():
    assert put_in("Question 3: Share it.", "what", "first") == "Question 3: What, share it."
    assert put_in("Question 3: Share it.", "what", "last") == "Question 3: Share it what."
    assert put_in("Question 3: Share it now.", "what", "middle") == "Question 3: Share it what now."
