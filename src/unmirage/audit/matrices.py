"""Feature matrices of the probes: one sparse (or dense) row of features per query."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack
from scipy.sparse.csgraph import connected_components

from unmirage.audit.corpus import Bools, Corpus, Floats, Ints, Ints32
from unmirage.audit.features import Family, shapes
from unmirage.audit.membership import from_groups
from unmirage.audit.picture_features import trait_matrix
from unmirage.audit.pictures import Measured
from unmirage.data.sample import STEP, finalized
from unmirage.text.vocabulary import FUNCTION_WORDS

FOLDS = 5

GroupedBy = Literal["content", "path"]


def grouped(corpus: Corpus, measured: Measured) -> tuple[Ints, GroupedBy]:
    """Return a group number (n,) that queries about one picture or of one record share, and how pictures are compared.

    Pictures are equal if they have the same content under any name. If a label then has too few pictures of its own
    (for example drawn plates of a few colors), pictures are equal only if they have the same path.
    """
    by_content = linked(_numbers(corpus, measured.same), corpus.records)
    if _is_enough(corpus, by_content):
        return by_content, "content"
    return linked(_numbers(corpus, np.arange(len(corpus.pictures))), corpus.records), "path"


def joint(pictures: Ints, texts: Ints) -> tuple[Ints, ...]:
    """Return the ways to group queries that depend on each other: numbers (n,), the first for folds.

    Queries that share a picture or a text, even indirectly, are one group. If such chains of different pictures and
    texts would join more than a fold's part of all queries, texts and pictures are two ways instead.

    Args:
        pictures: (n,) the picture groups of `grouped`.
        texts: (n,) equal numbers for copies.
    """
    groups, texts = linked(pictures, texts), linked(texts)
    largest, by_text, by_picture = (int(np.bincount(one).max(initial=0)) for one in (groups, texts, linked(pictures)))
    chained = largest * FOLDS > len(groups) and largest > max(by_text, by_picture)
    return (texts, pictures) if chained else (groups,)


def linked(*keys: Ints | Ints32) -> Ints:
    """Return a group number (n,) that queries share if they share a key, such as a picture or a text, even indirectly.

    Args:
        keys: (n,) each; equal numbers for queries that share something.
    """
    n, ends, size = len(keys[0]), [], len(keys[0])
    for key in keys:
        different, numbers = np.unique(key, return_inverse=True)
        if len(different) < n:
            ends.append(size + numbers)
            size += len(different)
    if not ends:
        return np.arange(n)
    rows, columns = np.tile(np.arange(n), len(ends)), np.concatenate(ends)
    graph = csr_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1][:n], dtype=np.int64)


def _numbers(corpus: Corpus, picture_number: Ints) -> Ints:
    own = len(picture_number) + np.arange(len(corpus))
    has = corpus.picture >= 0
    own[has] = picture_number[corpus.picture[has]]
    return np.asarray(np.unique(own, return_inverse=True)[1])


def _is_enough(corpus: Corpus, groups: Ints) -> bool:
    """Tell whether both labels have at least as many groups as there are folds, or as they have queries."""
    return all(
        len(np.unique(groups[of_label])) >= min(FOLDS, int(of_label.sum()))
        for of_label in (corpus.refused, ~corpus.refused)
    )


MASK = "…"
# In English text, about half of all words are function words; below this share it is another language.
_ENGLISH_SHARE = 0.2
_FREQUENT = 50

Hashes = npt.NDArray[np.uint64]


def template_of(corpus: Corpus) -> Ints:
    """Return the number of each query's template (n,)."""
    _, numbers = np.unique(_hashes(*_masked(corpus)), return_inverse=True)
    return np.asarray(numbers, dtype=np.int64)


def templates(corpus: Corpus, at_least: int) -> Family:
    """Return the templates that occur in at least `at_least` queries."""
    members = from_groups(template_of(corpus), at_least)
    masked, starts = _masked(corpus)
    firsts = [members.of(place)[0] for place in range(len(members))]
    names = [_spelt(corpus, masked[starts[row] : starts[row + 1]]) for row in firsts]
    texts = [f"have the form “{name}”" for name in names]
    return Family(kind="template", position="template", names=names, texts=texts, members=members)


def _masked(corpus: Corpus) -> tuple[Ints, Ints]:
    """Return all templates, concatenated, and their starts: word + 1 for a kept word, 0 for a masked run."""
    stays = _stays(corpus)
    tokens = np.where(stays[corpus.tokens], corpus.tokens.astype(np.int64) + 1, 0)
    rows = corpus.rows()
    repeated = np.zeros(len(tokens), dtype=np.bool_)
    repeated[1:] = (tokens[1:] == 0) & (tokens[:-1] == 0) & (rows[1:] == rows[:-1])
    lengths = np.bincount(rows[~repeated], minlength=len(corpus))
    return tokens[~repeated], np.concatenate([[0], np.cumsum(lengths)])


def _stays(corpus: Corpus) -> Bools:
    """Return which words of the vocabulary are not masked, plus one entry, so that the array is never empty."""
    english = np.array([*(word in FUNCTION_WORDS for word in corpus.vocabulary), False])
    counts = np.bincount(corpus.tokens, minlength=len(english))
    if counts[english].sum() >= _ENGLISH_SHARE * counts.sum():
        return english
    frequent = np.zeros(len(english), dtype=np.bool_)
    frequent[np.argsort(-counts, kind="stable")[:_FREQUENT]] = True
    return frequent


def _hashes(values: Ints, starts: Ints) -> Hashes:
    """Return one 64-bit hash per row, of its values and their order (collisions are negligible at any real size)."""
    within = np.arange(len(values)) - np.repeat(starts[:-1], np.diff(starts))
    mixed = finalized(values + finalized(within + STEP) + STEP)
    running = np.concatenate([np.zeros(1, np.int64), np.cumsum(mixed)])
    return np.asarray(running[starts[1:]] - running[starts[:-1]]).view(np.uint64)


def _spelt(corpus: Corpus, template: Ints) -> str:
    return " ".join(corpus.vocabulary[token - 1] if token else MASK for token in template.tolist())


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
    members = shapes(corpus, at_least=1).members
    columns = np.repeat(np.arange(len(members)), members.totals)
    size = (len(corpus), max(1, len(members)))
    return csr_matrix((np.ones(len(columns)), (members.members, columns)), shape=size)


def template(corpus: Corpus) -> Any:
    """Return the query's template."""
    return one_hot(template_of(corpus))


def image(corpus: Corpus, measured: Measured) -> Any:
    """Return the measurements of the query's picture, standardized; 0 without a picture."""
    return _of_pictures(corpus, np.hstack([standardised(measured.values, measured.read), trait_matrix(measured)]))


def embedding(corpus: Corpus, vectors: Floats, known: Bools) -> Any:
    """Return an encoder's embedding (pictures, size) of the query's picture, standardized; 0 if it is not known."""
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
