import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unmirage.audit import matrices
from unmirage.audit.features import shapes
from unmirage.audit.matrices import template_of
from unmirage.audit.pictures import COLUMNS, Measured
from unmirage.text.openers import words

QUERIES = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "A", "水", "?", "это"]), max_size=6).map(" ".join), min_size=1, max_size=9
)


def presence(corpus, rows):
    return [[float(word in row) for word in corpus.vocabulary] or [0.0] for row in rows]


@given(queries=QUERIES)
def test_matrices_of_words_say_what_each_query_holds(make_corpus, queries):
    corpus = make_corpus(*((query, True) for query in queries))
    before = corpus.tokens.tolist(), corpus.starts.tolist()
    found = [words(query) for query in queries]
    assert matrices.words(corpus).toarray().tolist() == presence(corpus, found)
    assert matrices.words_without_opener(corpus).toarray().tolist() == presence(corpus, [row[1:] for row in found])
    first = [[float(not row), *(float(row[:1] == [word]) for word in corpus.vocabulary)] for row in found]
    assert matrices.opener(corpus).toarray().tolist() == first
    assert (corpus.tokens.tolist(), corpus.starts.tolist()) == before


@given(queries=QUERIES)
def test_the_first_three_words_count_each_at_its_place(make_corpus, queries):
    corpus = make_corpus(*((query, True) for query in queries))
    matrix = matrices.first_words(corpus).toarray()
    assert (matrix.sum(axis=1) == 3).all()
    found = [(words(query) + [""] * 3)[:3] for query in queries]
    for one, row in zip(found, matrix, strict=True):
        for other, column in zip(found, matrix, strict=True):
            assert row @ column == sum(a == b for a, b in zip(one, other, strict=True))


@given(queries=QUERIES)
def test_shapes_and_templates_mirror_their_families(make_corpus, queries):
    corpus = make_corpus(*((query, True) for query in queries))
    matrix, members = matrices.shape(corpus).toarray(), shapes(corpus, 1).members
    for place in range(len(members)):
        assert np.flatnonzero(matrix[:, place]).tolist() == members.of(place).tolist()
    assert matrices.template(corpus).toarray().argmax(axis=1).tolist() == template_of(corpus).tolist()


def test_repeated_words_do_not_disturb_the_corpus(make_corpus):
    # Sparse matrices sort and sum their rows in place; once they shared the corpus's own arrays.
    corpus = make_corpus(("b a b c a", True), ("c c c", False))
    tokens = corpus.tokens.tolist()
    for view in (matrices.words, matrices.words_without_opener, matrices.opener, matrices.first_words):
        matrix = view(corpus)
        matrix.sum_duplicates()
        matrix.sort_indices()
        matrix.eliminate_zeros()
    assert corpus.tokens.tolist() == tokens
    assert matrices.words(corpus).max() == 1


def test_known_rows_are_standardised_and_unknown_ones_are_zero():
    values = np.array([[1.0, 5.0], [3.0, 5.0], [100.0, 7.0]])
    got = matrices.standardised(values, np.array([True, True, False]))
    assert got.tolist() == [[-1, 0], [1, 0], [0, 0]]
    assert matrices.standardised(values, np.zeros(3, dtype=bool)).tolist() == [[0, 0]] * 3


def test_pictures_are_handed_to_their_queries(make_corpus):
    corpus = make_corpus(("a", True, "1.png"), ("b", True), ("c", True, "2.png"), ("d", False, "1.png"))
    vectors = np.array([[1.0], [3.0]])
    assert matrices.embedding(corpus, vectors, np.array([True, True])).toarray().ravel().tolist() == [-1, 0, 1, -1]
    measured = Measured(
        status=np.array([1, 1]),
        values=np.stack([np.arange(len(COLUMNS)), np.arange(len(COLUMNS)) + 2.0]),
        formats=["PNG", "JPEG"],
        exif=np.array([True, False]),
        same=np.array([0, 1]),
    )
    matrix = matrices.image(corpus, measured).toarray()
    assert matrix[:, : len(COLUMNS)].tolist() == [[-1] * 12, [0] * 12, [1] * 12, [-1] * 12]
    assert not matrix[1].any()
    assert (matrix[0] == matrix[3]).all()
