"""Classify irrelevant responses as empty, repeated, nonsense or off-topic.

The first matching rule applies:

1. empty: the response contains no word.
2. repeated: the response is degenerate by repetition (`degenerate`). As it is known to be irrelevant, less is enough:
   one n-gram of up to four words that occurs at least three times covers at least half of the words, or a longer
   sequence repeated three times in a row does. "YouYouYou" counts as three words.
3. nonsense: most characters are undecodable (`degenerate`), or fewer than half of the words are known (`known_words`).
   This includes text in a language that no other model in the run uses.
4. off-topic: all other responses. They read like answers to a different question.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from unmirage.evaluate.degenerate import degenerate
from unmirage.intervals import rate
from unmirage.records import Count, Rate
from unmirage.text.openers import words
from unmirage.text.printable import clean
from unmirage.text.vocabulary import FUNCTION_WORDS

KINDS = ("empty", "repeated", "nonsense", "off-topic")
_HALF = 0.5
_TIMES = 3  # minimum occurrences that count as repetition
_LONGEST_NGRAM = 4
_HEAD = 400  # only this many words of a response are examined, because loops appear early
_ALIKE = 0.5  # minimum Jaccard similarity of word sets within a cluster
_CLUSTERS, _EXAMPLES, _SHOWN = 10, 3, 300
_LONGEST_WORD = 200  # only this many characters of a word are examined
# A piece of at least two characters repeated three times or more, optionally followed by a partial repetition.
_GLUED = re.compile(r"(.{2,20}?)\1{2,}.{0,19}")
_BLOCK = 256  # texts per block of the pairwise comparison, which bounds memory use


@dataclass(frozen=True, slots=True)
class Cluster:
    """A group of similar responses: its size and up to three examples, most frequent first."""

    size: Count
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IrrelevantResponses:
    """Irrelevant responses of a model, by kind.

    Attributes:
        n: number of responses.
        shares: share of each kind, in the order of the rules.
        clusters: largest groups of similar responses, without empty responses.
    """

    n: Count
    shares: Mapping[str, Rate]
    clusters: Sequence[Cluster] = ()


def classify(texts: Sequence[str], known: Container[str]) -> IrrelevantResponses:
    """Classify and cluster irrelevant responses.

    Args:
        texts: responses with the verdict "irrelevant".
        known: known words; see `known_words`.
    """
    counts = Counter(kind_of(text, known) for text in texts)
    return IrrelevantResponses(
        n=len(texts),
        shares={kind: rate(counts[kind], len(texts)) for kind in KINDS},
        clusters=clusters(texts),
    )


def kind_of(text: str, known: Container[str]) -> str:
    """Return "empty", "repeated", "nonsense" or "off-topic"."""
    if kind := degenerate(text):
        return kind
    said = [part for word in words(text)[:_HEAD] for part in _parts(word)][:_HEAD]
    if not said:
        return "empty"
    if _covered(said) >= _HALF * len(said):
        return "repeated"
    if sum(word in known for word in said) < _HALF * len(said):
        return "nonsense"
    return "off-topic"


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """Return the set of words in the texts."""
    return frozenset(word for text in texts for word in words(text))


def known_words(queries: Iterable[str], others: Sequence[Set[str]]) -> frozenset[str]:
    """Return the words that count as known for one model's responses.

    These are the words of the run's queries, the closed-class words of English, and the words that at least half of
    the other models use. If there are two or more other models, at least two must use a word, so that a single
    collapsed model cannot make its words known.

    Args:
        queries: texts of the run's queries.
        others: words of each other model, without variants of the model in question.
    """
    voices = Counter(word for own in others for word in own)
    enough = max(min(2, len(others)), -(-len(others) // 2))
    return FUNCTION_WORDS | words_of(queries) | {word for word, count in voices.items() if count >= enough}


def clusters(texts: Iterable[str], most: int = _CLUSTERS) -> list[Cluster]:
    """Return the `most` largest groups of similar responses, largest first. Responses without words are excluded.

    Texts are processed by decreasing frequency, then alphabetically. Each joins the first group whose first text has a
    Jaccard similarity of at least 0.5 to it, or starts a new group. The result is deterministic and does not depend on
    the order of the texts.
    """
    counts = Counter(texts)
    sets = {text: own for text in counts if (own := frozenset(words(text)))}
    ordered = sorted(sets, key=lambda text: (-counts[text], text))
    groups = [[ordered[number] for number in own] for own in _grouped([sets[text] for text in ordered])]
    sized = sorted(((sum(counts[text] for text in own), own) for own in groups), key=lambda one: -one[0])
    return [Cluster(size, tuple(clean(text, _SHOWN) for text in own[:_EXAMPLES])) for size, own in sized[:most]]


def _parts(word: str) -> list[str]:
    """Split a word that repeats one piece into these pieces; return any other word unchanged."""
    found = _GLUED.fullmatch(word[:_LONGEST_WORD])
    if found is None:
        return [word]
    piece = found[1]
    return [piece] * (len(found[0]) // len(piece))


def _covered(said: Sequence[str]) -> int:
    """Return the maximum number of words that one repeated n-gram or one loop covers."""
    times = {size: _most_frequent(said, size) for size in range(1, _LONGEST_NGRAM + 2)}
    found = [size * count for size, count in times.items() if count >= _TIMES and size <= _LONGEST_NGRAM]
    # A longer sequence repeated three times contains an n-gram of length _LONGEST_NGRAM + 1 three times.
    looped = _by_loop(said) if times[_LONGEST_NGRAM + 1] >= _TIMES else 0
    return max([*found, looped])


def _most_frequent(said: Sequence[str], size: int) -> int:
    """Return the count of the most frequent n-gram of this size, without overlapping occurrences."""
    free: dict[tuple[str, ...], int] = defaultdict(int)  # first position after the last occurrence
    times: Counter[tuple[str, ...]] = Counter()
    for start in range(len(said) - size + 1):
        ngram = tuple(said[start : start + size])
        if start >= free[ngram]:
            free[ngram] = start + size
            times[ngram] += 1
    return max(times.values(), default=0)


def _by_loop(said: Sequence[str]) -> int:
    """Return the length of the longest sequence in which each word equals the word one period before it."""
    most = 0
    for period in range(_LONGEST_NGRAM + 1, len(said) // _TIMES + 1):
        run = 0
        for place in range(period, len(said)):
            run = run + 1 if said[place] == said[place - period] else 0
            if run >= (_TIMES - 1) * period:
                most = max(most, run + period)
    return most


def _grouped(sets: Sequence[frozenset[str]]) -> list[list[int]]:
    """Return the groups of similar sets as indices, each starting with the set that founded the group.

    One product of sparse matrices computes the intersections of a block of sets with all others.
    """
    columns = {word: number for number, word in enumerate(sorted({word for own in sets for word in own}))}
    sizes = np.array([len(own) for own in sets])
    places = np.array([columns[word] for own in sets for word in sorted(own)], dtype=np.int64)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    holds = csr_array((np.ones(len(places), dtype=np.int32), places, ends), shape=(len(sets), len(columns)))
    group_of: dict[int, int] = {}  # index of the founding set -> index of its group
    groups: list[list[int]] = []
    for start in range(0, len(sets), _BLOCK):
        shared = (holds[start : start + _BLOCK] @ holds.T).toarray()
        of_both = sizes[start : start + _BLOCK, None] + sizes[None, :] - shared
        for row, alike in enumerate(shared >= _ALIKE * of_both):
            own = start + row
            first = next((one for one in alike[:own].nonzero()[0].tolist() if one in group_of), None)
            if first is None:
                group_of[own] = len(groups)
                groups.append([own])
            else:
                groups[group_of[first]].append(own)
    return groups
