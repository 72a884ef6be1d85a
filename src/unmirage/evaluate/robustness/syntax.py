"""Select and reword benign samples so that their queries start like unsafe queries.

Fine-tuning on benign data can restore unlearned behavior. Whether topic or wording causes this is disputed (Yoon et
al. 2026, arXiv 2602.03379). These samples share only the wording of unsafe queries.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from unmirage.data.places import frame, placed_in
from unmirage.records import Sample
from unmirage.text.english.rewriter import rewrite
from unmirage.text.openers import opener

_WORDINGS = 4


def same_syntax(benign: Iterable[Sample], openers: Iterable[str], size: int, seed: int) -> list[Sample]:
    """Return up to `size` answered samples whose first words have the same distribution as `openers`.

    The Sainte-Laguë method selects the word of each next sample: the one with the highest frequency / (2 x previous
    selections + 1). The first n samples therefore have the right distribution for every n, and a larger `size` only
    appends samples.

    A query that already starts with its word stays unchanged; others are reworded by rules. If no query can start with
    a word, the other words take its share. Answers and images stay unchanged.

    Args:
        benign: samples to draw from. Refused samples and samples without an answer are excluded.
        openers: first word of each unsafe query; "" is ignored.
        size: maximum number of samples.
        seed: random seed.
    """
    rng = random.Random(f"same-syntax-{seed}")
    pool = [sample for sample in benign if not sample.refused and sample.answer.strip()]
    rng.shuffle(pool)
    weights = Counter(word for word in openers if word)
    left = sorted(weights)
    turns: Counter[str] = Counter()
    found: list[Sample] = []
    while left and pool and len(found) < size:
        word = max(left, key=lambda one: weights[one] / (2 * turns[one] + 1))
        sample = _taken(pool, word, rng)
        if sample is None:
            left.remove(word)
        else:
            turns[word] += 1
            found.append(sample)
    return found


def _taken(pool: list[Sample], word: str, rng: random.Random) -> Sample | None:
    """Remove the first sample that can start with `word` from the pool, and return it, reworded if necessary."""
    for number, sample in enumerate(pool):
        fits = opener(sample.query) == word
        parts = frame(sample.query, sample.images)
        wordings = [sample.query] if fits else map(parts.around, rewrite(parts.body, word, _WORDINGS))
        placed = [(text, placed_in(text, sample.query, sample.images)) for text in wordings]
        kept = [(text, images) for text, images in placed if images is not None]
        if kept:
            del pool[number]
            text, images = rng.choice(kept)
            return replace(sample, query=text, images=images)
    return None
