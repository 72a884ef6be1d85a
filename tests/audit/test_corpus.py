import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.audit.corpus import NONE, Reader
from unmirage.text.openers import words
from unmirage.text.shape import shape

PICTURES = st.sampled_from([None, "a.png", "b/c.png", "d.png"])
TEXTS = st.text(st.sampled_from("ab cd.?'é水-क\n"), max_size=15)
ROWS = st.lists(
    st.tuples(TEXTS, st.booleans(), PICTURES).map(lambda row: row if row[2] else row[:2]), max_size=12
)  # fmt: skip


def spelt(corpus):
    """Return each query's words, label, shape and picture, spelt out."""
    return [
        (
            query,
            [corpus.vocabulary[token] for token in corpus.tokens[start:end]],
            bool(refused),
            int(bits),
            None if picture == NONE else corpus.pictures[picture],
        )
        for query, start, end, refused, bits, picture in zip(
            corpus.queries,
            corpus.starts[:-1],
            corpus.starts[1:],
            corpus.refused,
            corpus.shapes,
            corpus.picture,
            strict=True,
        )
    ]


def expected(rows):
    return [(row[0], words(row[0]), row[1], shape(row[0]), row[2] if len(row) > 2 else None) for row in rows]


@given(rows=ROWS)
def test_reading_keeps_words_labels_shapes_and_pictures_in_order(make_dataset, rows):
    corpus = Reader().read(make_dataset(*rows))
    assert spelt(corpus) == expected(rows)
    assert len(corpus) == len(rows)
    assert len(set(corpus.pictures)) == len(corpus.pictures)
    assert corpus.label_source == ("field" if rows else "none")


@given(rows=ROWS, place=st.sampled_from([0, 1, 2, -1, -2, -3]))
def test_the_word_at_a_place_is_that_of_the_list_of_words(make_dataset, rows, place):
    corpus = Reader().read(make_dataset(*rows))
    found = [None if word == NONE else corpus.vocabulary[word] for word in corpus.word_at(place)]
    inside = range(place, place + 1)
    assert found == [
        words(row[0])[place] if -len(words(row[0])) <= inside.start < len(words(row[0])) else None for row in rows
    ]


@given(rows=ROWS, data=st.data())
def test_taking_queries_equals_reading_only_those(make_dataset, rows, data):
    places = data.draw(st.lists(st.integers(0, len(rows) - 1), unique=True) if rows else st.just([]))
    taken = Reader().read(make_dataset(*rows)).take(np.array(places, dtype=np.int64))
    assert spelt(taken) == expected([rows[place] for place in places])


@given(first=ROWS, second=ROWS)
def test_joining_equals_reading_one_after_the_other(make_dataset, first, second):
    reader = Reader()
    one, other = reader.read(make_dataset(*first)), reader.read(make_dataset(*second))
    assert spelt(one.joined(other)) == expected([*first, *second])
    assert spelt(one) == expected(first)


def test_corpora_of_two_readers_cannot_be_joined(make_corpus):
    with pytest.raises(AssertionError):
        make_corpus(("a", True)).joined(make_corpus(("a", True)))


def test_the_same_word_has_the_same_number_in_every_corpus_of_a_reader(make_dataset):
    reader = Reader()
    one, other = reader.read(make_dataset(("red kite", True))), reader.read(make_dataset(("blue kite", True)))
    assert one.word_at(-1) == other.word_at(-1)
    assert list(other.vocabulary) == ["red", "kite", "blue"]


@pytest.mark.parametrize("name", ["refused", "tokens", "starts", "shapes", "picture"])
def test_the_arrays_of_a_corpus_cannot_be_written_to(make_corpus, name):
    corpus = make_corpus(("a b", True), ("b a", False))
    for one in (corpus, corpus.take(np.array([1])), corpus.joined(corpus)):
        with pytest.raises(ValueError, match="read-only"):
            getattr(one, name)[0] = 0
