import pytest

from unmirage.data.placeholders import without_placeholder


@pytest.mark.parametrize("query", ["<image>\nWhat is it?", "What is it?\n<image>", "<image> <image>What is it?"])
def test_the_placeholder_goes_with_the_space_around_it(query):
    assert without_placeholder(query) == "What is it?"


def test_a_query_without_one_stays_as_it_is():
    assert without_placeholder(" What <img> is\nit? ") == " What <img> is\nit? "
    assert without_placeholder("Is <image> it?") == "Is it?"
