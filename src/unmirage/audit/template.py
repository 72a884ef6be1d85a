"""Extract the sentence templates of queries, such as "what is the … of the …".

A template is the query with each run of content words masked. English function words stay. In a corpus with few of
them, its own most frequent words stay.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unmirage.audit.corpus import Bools, Corpus, Ints
from unmirage.audit.features import Family
from unmirage.audit.membership import from_groups
from unmirage.data.splitmix import STEP, finalized
from unmirage.text.function_words import FUNCTION_WORDS

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
    names = []
    for place in range(len(members)):
        row = members.of(place)[0]
        names.append(_spelt(corpus, masked[starts[row] : starts[row + 1]]))
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
