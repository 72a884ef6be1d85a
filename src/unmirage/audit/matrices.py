"""Feature matrices of the probes: one sparse (or dense) row of features per query."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack

from unmirage.audit.corpus import Bools, Corpus, Floats, Ints
from unmirage.audit.features import shapes
from unmirage.audit.membership import Membership
from unmirage.audit.picture_features import trait_matrix
from unmirage.audit.pictures import Measured
from unmirage.audit.template import template_of

FIRST_WORDS = 3


def nothing(corpus: Corpus) -> Any:
    """Return no features at all."""
    return csr_matrix((len(corpus), 1))


def opener(corpus: Corpus) -> Any:
    """Return the first word as a one-hot row; queries without words share column 0."""
    return one_hot(corpus.word_at(0) + 1, len(corpus.vocabulary) + 1)


def first_words(corpus: Corpus) -> Any:
    """Return the first three words, each with its position."""
    return hstack([one_hot(corpus.word_at(place) + 1) for place in range(FIRST_WORDS)], format="csr")


def words(corpus: Corpus) -> Any:
    """Return which words a query contains, at any position."""
    return _presence(corpus, corpus.tokens, corpus.starts)


def words_without_opener(corpus: Corpus) -> Any:
    """Return which words a query contains after its first one."""
    has_words = corpus.lengths > 0
    later = np.ones(len(corpus.tokens), dtype=np.bool_)
    later[corpus.starts[:-1][has_words]] = False
    lengths = corpus.lengths - has_words
    return _presence(corpus, corpus.tokens[later], np.concatenate([[0], np.cumsum(lengths)]))


def shape(corpus: Corpus) -> Any:
    """Return length, punctuation, capitals and mood."""
    return _matrix(shapes(corpus, at_least=1).members, len(corpus))


def template(corpus: Corpus) -> Any:
    """Return the query's template."""
    return one_hot(template_of(corpus))


def image(corpus: Corpus, measured: Measured) -> Any:
    """Return the measurements of the query's picture, standardized; 0 without a picture."""
    return _of_pictures(corpus, np.hstack([standardised(measured.values, measured.read), trait_matrix(measured)]))


def embedding(corpus: Corpus, vectors: Floats, known: Bools) -> Any:
    """Return an encoder's embedding of the query's picture, standardized; 0 without a picture.

    Args:
        corpus: the queries.
        vectors: (pictures, size).
        known: (pictures,) True for pictures with an embedding.
    """
    return _of_pictures(corpus, standardised(vectors, known))


def standardised(values: Floats, known: Bools) -> Floats:
    """Return columns of mean 0 and variance 1 over the known rows; the others are 0."""
    if not known.any():
        return np.zeros_like(values)
    spread = values[known].std(axis=0)
    scaled = (values - values[known].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.where(known[:, None], scaled, 0.0)


def one_hot(numbers: Ints, width: int | None = None) -> Any:
    """Return one column per number."""
    shape = (len(numbers), int(numbers.max(initial=0)) + 1 if width is None else width)
    return csr_matrix((np.ones(len(numbers)), (np.arange(len(numbers)), numbers)), shape=shape)


def _of_pictures(corpus: Corpus, rows: Floats) -> Any:
    found = np.zeros((len(corpus), rows.shape[1]))
    has = corpus.picture >= 0
    found[has] = rows[corpus.picture[has]]
    return csr_matrix(found)


def _presence(corpus: Corpus, tokens: Any, starts: Ints) -> Any:
    shape = (len(corpus), max(1, len(corpus.vocabulary)))
    matrix = csr_matrix((np.ones(len(tokens)), tokens, starts), shape=shape, copy=True)
    matrix.sum_duplicates()  # in place; the corpus has read-only arrays
    matrix.data[:] = 1.0
    return matrix


def _matrix(members: Membership, n: int) -> Any:
    columns = np.repeat(np.arange(len(members)), members.totals)
    return csr_matrix((np.ones(len(columns)), (members.members, columns)), shape=(n, max(1, len(members))))
