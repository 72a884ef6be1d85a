import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.audit.matrices import MASK, _hashes, template_of, templates
from unmirage.text.openers import words
from unmirage.text.vocabulary import FUNCTION_WORDS

# Half of the words stay, so that hardly any draw falls below the share that makes a text English.
ENGLISH = st.lists(
    st.lists(st.sampled_from(["what", "is", "the", "of", "can", "kite", "boat", "blue"]), max_size=7).map(
        lambda drawn: " ".join(["the", *drawn])
    ),
    min_size=1,
    max_size=12,
)


def named(corpus, at_least=1):
    family = templates(corpus, at_least)
    return {name: family.members.of(place).tolist() for place, name in enumerate(family.names)}


def masked(query):
    found = []
    for word in words(query):
        word = word if word in FUNCTION_WORDS else MASK
        if not (word == MASK and found[-1:] == [MASK]):
            found.append(word)
    return " ".join(found)


def test_content_words_are_masked_and_runs_of_them_are_one(make_corpus):
    corpus = make_corpus(
        ("What is the name of the old blue boat?", True),
        ("What is the COLOUR of the kite", False),
        ("What is the kite?", False),
        ("Describe the boat", True),
        ("", True),
        ("What is of?", True),
    )
    assert named(corpus) == {
        "what is the … of the …": [0, 1],
        "what is the …": [2],
        "… the …": [3],
        "": [4],
        "what is of": [5],
    }
    assert named(corpus, at_least=2) == {"what is the … of the …": [0, 1]}
    assert templates(corpus, 2).texts == ["have the form “what is the … of the …”"]


def test_a_mask_at_the_end_of_a_query_does_not_swallow_the_next_querys(make_corpus):
    assert named(make_corpus(("the kite", True), ("boat of the", True), ("the", True))) == {
        "the …": [0],
        "… of the": [1],
        "the": [2],
    }


@given(queries=ENGLISH)
def test_queries_share_a_template_exactly_if_their_masked_words_are_equal(make_corpus, queries):
    corpus = make_corpus(*((query, True) for query in queries))
    count = sum(len(words(query)) for query in queries)
    if sum(word in FUNCTION_WORDS for query in queries for word in words(query)) < count / 5:
        return
    expected = {}
    for row, query in enumerate(queries):
        expected.setdefault(masked(query), []).append(row)
    assert named(corpus) == expected
    numbers = template_of(corpus)
    assert len(set(numbers.tolist())) == len(expected)


@given(queries=ENGLISH)
def test_the_order_of_the_words_matters(make_corpus, queries):
    forward = [f"{query} of what" for query in queries]
    corpus = make_corpus(*((query, True) for query in forward), *((f"what of {query}", True) for query in queries))
    numbers = template_of(corpus).tolist()
    for place, query in enumerate(queries):
        same = numbers[place] == numbers[place + len(queries)]
        assert same == (masked(forward[place]) == masked(f"what of {query}"))


def test_in_another_language_its_most_frequent_words_stay(make_corpus):
    things = [f"вещь{n}" for n in range(60)]
    rows = [(f"Что это за {thing}?", False) for thing in things] + [(f"Покажи мне {thing}.", True) for thing in things]
    # Of the 65 words, the 50 most frequent stay: five that form sentences, and 45 things.
    found = named(make_corpus(*rows), at_least=3)
    assert found == {"что это за …": list(range(45, 60)), "покажи мне …": list(range(105, 120))}


@pytest.mark.parametrize("rows", [[], [("?", True), ("", False)]])
def test_queries_without_words_share_the_empty_template(make_corpus, rows):
    assert named(make_corpus(*rows)) == ({"": [0, 1]} if rows else {})


def test_the_hash_of_a_template_is_the_same_in_every_version():
    found = _hashes(np.array([3, 0, 7, 7, 0, 3]), np.array([0, 3, 6]))
    assert found.tolist() == [6897266636618183351, 1675642450963317253]
