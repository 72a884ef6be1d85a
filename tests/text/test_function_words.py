from unmirage.text.openers import words
from unmirage.text.vocabulary import FUNCTION_WORDS


def test_every_function_word_is_one_that_a_query_can_hold():
    assert all(words(word) == [word] for word in FUNCTION_WORDS)


def test_content_words_are_none():
    assert {"the", "of", "what", "can't", "please"} <= FUNCTION_WORDS
    assert not {"describe", "share", "image", "recipe", "sorry"} & FUNCTION_WORDS
