from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.audit.features import fewest_queries, openers, shapes, text_features
from unmirage.text.english.inflection import VERBS
from unmirage.text.openers import words
from unmirage.text.shape import SHAPES, shape

VOCABULARY = ["what", "is", "the", "Kite", "share", "What's", "Что", "это", "水", "はい", "हिन्दी", "שלום", "?", "!", ""]
QUERIES = st.lists(st.lists(st.sampled_from(VOCABULARY), max_size=7).map(" ".join), max_size=14)


def counts(family):
    return dict(zip(family.names, family.members.totals.tolist(), strict=True))


def frequent(features, at_least):
    """Count features, each once a query, and leave out the rare ones."""
    found = Counter(feature for query in features for feature in set(query))
    return {name: count for name, count in found.items() if count >= at_least}


def at(query, place):
    """Return the word at a place as a list; empty where it is the opener, or missing."""
    found = words(query)
    index = place if place >= 0 else len(found) + place
    return [found[index]] if 0 < index < len(found) else []


def sequences(query, size):
    found = words(query)
    return [" ".join(found[start : start + size]) for start in range(len(found) - size + 1)]


@given(queries=QUERIES, at_least=st.integers(1, 3))
def test_words_and_sequences_equal_a_naive_count(make_corpus, queries, at_least):
    corpus = make_corpus(*((query, n % 2 == 0) for n, query in enumerate(queries)))
    assert counts(openers(corpus, at_least)) == frequent([words(query)[:1] for query in queries], at_least)
    families = list(text_features(corpus, at_least))
    assert [(family.kind, family.position) for family in families] == [
        *(("word", place) for place in (1, 2, -1, -2, -3)),
        ("word", "any"),
        ("ngram", "any"),
        ("ngram", "any"),
        ("shape", "shape"),
    ]
    for family in families[:5]:
        assert counts(family) == frequent([at(query, family.position) for query in queries], at_least)
    assert counts(families[5]) == frequent(map(words, queries), at_least)
    for family, size in zip(families[6:8], (2, 3), strict=True):
        assert counts(family) == frequent([sequences(query, size) for query in queries], at_least)


@given(queries=QUERIES)
def test_every_family_knows_which_queries_have_a_feature(make_corpus, queries):
    corpus = make_corpus(*((query, True) for query in queries))
    for family in (openers(corpus), *text_features(corpus, 1)):
        for place, name in enumerate(family.names):
            has = family.members.of(place).tolist()
            if family.position == "opener":
                assert has == [row for row, query in enumerate(queries) if words(query)[:1] == [name]]
            elif family.kind == "ngram":
                size = len(name.split())
                assert has == [row for row, query in enumerate(queries) if name in sequences(query, size)]
            elif family.position == "any":
                assert has == [row for row, query in enumerate(queries) if name in words(query)]


@given(queries=QUERIES)
def test_shapes_equal_a_naive_count_and_lengths_divide_the_queries(make_corpus, queries):
    corpus = make_corpus(*((query, True) for query in queries))
    found = counts(shapes(corpus, 1))
    expected = {one.name: sum(shape(query) >> bit & 1 for query in queries) for bit, one in enumerate(SHAPES)}
    openings = [words(query)[0] for query in queries if words(query)]
    expected["imperative"] = sum(word in VERBS or word == "please" for word in openings)
    lengths = {name: found.pop(name) for name in list(found) if name.split(" ")[-1].startswith("word")}
    assert found == {name: count for name, count in expected.items() if count}
    assert sum(lengths.values()) == len(queries)


def test_lengths_fall_into_quarters_that_say_what_they_hold(make_corpus):
    corpus = make_corpus(*(("w " * n, True) for n in range(1, 13)))
    lengths = {name: n for name, n in counts(shapes(corpus, 1)).items() if "word" in name}
    assert lengths == {"1 to 3 words": 3, "4 to 6 words": 3, "7 to 9 words": 3, "10 to 12 words": 3}


def test_equal_lengths_make_one_bin(make_corpus):
    corpus = make_corpus(*(("two words", True) for _ in range(8)))
    assert {name for name in counts(shapes(corpus, 1)) if "word" in name} == {"2 words"}


def test_a_word_counts_once_a_query_wherever_it_stands(make_corpus):
    corpus = make_corpus(("The boat and the boat", True), ("A boat", False))
    anywhere = next(family for family in text_features(corpus, 1) if family.position == "any")
    assert counts(anywhere) == {"boat": 2, "a": 1, "and": 1, "the": 1}
    assert dict(zip(anywhere.names, anywhere.members.refused(corpus.refused).tolist(), strict=True))["boat"] == 1


def test_the_only_word_of_a_query_is_its_opener_and_not_its_last_word(make_corpus):
    corpus = make_corpus(("Share", True), ("Share it", True))
    last = next(family for family in text_features(corpus, 1) if family.position == -1)
    assert counts(last) == {"it": 1}
    assert counts(openers(corpus)) == {"share": 2}


def test_features_say_how_a_sentence_about_their_queries_goes_on(make_corpus):
    corpus = make_corpus(("Share the red kite", True))
    texts = {
        (family.position, name): text
        for family in (openers(corpus), *text_features(corpus, 1))
        for name, text in zip(family.names, family.texts, strict=True)
    }
    assert texts["opener", "share"] == "open with “share”"
    assert texts[1, "the"] == "have “the” as the second word"
    assert texts[-1, "kite"] == "have “kite” as the last word"
    assert texts[-2, "red"] == "have “red” as the second-to-last word"
    assert texts["any", "red"] == "contain the word “red”"
    assert texts["any", "red kite"] == "contain “red kite”"
    assert texts["shape", "4 words"] == "have 4 words"


@pytest.mark.parametrize(("n", "fewest"), [(0, 3), (60_000, 3), (60_001, 4), (1_000_000, 50)])
def test_a_feature_needs_three_queries_or_one_of_twenty_thousand(n, fewest):
    assert fewest_queries(n) == fewest


def test_sequences_do_not_run_from_one_query_into_the_next(make_corpus):
    corpus = make_corpus(("red kite", True), ("blue boat", True), ("", True), ("sea", True))
    pairs = next(family for family in text_features(corpus, 1) if family.kind == "ngram")
    assert counts(pairs) == {"red kite": 1, "blue boat": 1}


def test_a_corpus_without_words_has_shapes_only(make_corpus):
    corpus = make_corpus(*(("?", True) for _ in range(3)))
    assert [len(family.names) for family in (openers(corpus), *text_features(corpus, 1))][:-1] == [0] * 9
    assert counts(shapes(corpus, 1)) == {"ends with ?": 3, "0 words": 3}
    assert np.array_equal(corpus.lengths, [0, 0, 0])
