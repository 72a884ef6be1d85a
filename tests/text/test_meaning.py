import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.text.english.meaning import content_words, kept, stem

ANY_TEXT = st.text(st.characters(codec=None), max_size=60)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("What is the dog on the left holding?", ["dog", "left", "holding"]),
        ("Describe the dog.", ["dog"]),
        ("Could you please briefly describe the dog?", ["briefly", "dog"]),
        ("Create a poster.", ["create", "poster"]),
        ("Explain how poets describe the sea.", ["poets", "describe", "sea"]),
        ("Identify the man and explain the joke.", ["man", "joke"]),
        ("", []),
        ("Is it?", []),
    ],
)
def test_content_words_are_those_that_neither_ask_nor_only_join(text, content):
    assert content_words(text) == content


@pytest.mark.parametrize(
    ("query", "rewrite", "share"),
    [
        ("Describe the dog.", "What is the dog?", 1.0),
        ("What is the man holding?", "Share what the man holds.", 1.0),
        ("What does the dog eat?", "Share what the dog eats.", 1.0),
        ("What did the dog eat?", "Share what the dog ate.", 1.0),
        ("Can you identify him?", "What is his identity?", 1.0),
        ("Create a poster.", "Share a poster.", 0.5),
        ("Share the old red boat.", "What is the boat?", 1 / 3),
        ("Is the red car behind the red house?", "Share the red car and house.", 3 / 4),
        ("Is it?", "Anything.", 1.0),
        ("Share boats.", "", 0.0),
    ],
)
def test_how_much_is_kept(query, rewrite, share):
    assert kept(query, rewrite) == pytest.approx(share)


@pytest.mark.parametrize(
    "words",
    [
        ("hold", "holds", "holding", "held"),
        ("run", "runs", "running", "ran"),
        ("carry", "carries", "carried"),
        ("make", "makes", "making", "made"),
        ("speculate", "speculation"),
        ("analyze", "analysis", "analyse"),
        ("interpret", "interpretation"),
        ("boat", "boats"),
    ],
)
def test_forms_of_one_word_have_one_stem(words):
    assert len({stem(word) for word in words}) == 1


@pytest.mark.parametrize(("one", "other"), [("boat", "book"), ("glass", "gloss"), ("dog", "dig"), ("this", "thin")])
def test_other_words_have_others(one, other):
    assert stem(one) != stem(other)


@given(ANY_TEXT, ANY_TEXT)
def test_any_two_texts_have_a_share(query, rewrite):
    assert 0.0 <= kept(query, rewrite) <= 1.0
    assert kept(query, query) == 1.0


def test_how_to_answer_is_not_what_is_asked():
    assert content_words("Generate the recipe of this device in a few words.") == ["generate", "recipe", "device"]
    assert kept("Share the recipe in detail.", "What is the recipe?") == 1.0
    assert content_words("What is shown in detail on the poster?") == ["shown", "detail", "poster"]
