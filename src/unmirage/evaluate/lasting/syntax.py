"""Benign samples in, benign samples whose queries open like unsafe ones out.

Fine-tuning on benign data can bring back what was unlearned; whether it is their topic or their wording that does is
disputed (Yoon et al. 2026, arXiv 2602.03379). These share the wording of unsafe queries and nothing else.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from unmirage.records import Sample
from unmirage.text.openers import opener
from unmirage.text.rewriter import rewrite

_WORDINGS = 4


def same_syntax(benign: Iterable[Sample], openers: Iterable[str], size: int, seed: int) -> list[Sample]:
    """Return up to `size` of the answered samples, worded so that they open as often with each word as `openers` do.

    Words take turns by the method of Sainte-Laguë: the next is the one with the highest frequency / (2 x its turns so
    far + 1). So the first n samples have the right shares for every n, and a larger `size` only adds to them.

    A query that opens with its word already stays as it is; others are reworded by rules. A word with which none can
    open leaves its share to the other words. Answers and pictures stay.

    Args:
        benign: to draw from; refused ones, and those without an answer, are left out.
        openers: first words of unsafe queries, one each; "" is passed over.
        size: how many.
        seed: of the draw.
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
    """Take the first sample that can open with `word` out of the pool, and return it as it then reads."""
    for number, sample in enumerate(pool):
        fits = opener(sample.query) == word
        wordings = [sample.query] if fits else rewrite(sample.query, word, _WORDINGS)
        if wordings:
            del pool[number]
            return replace(sample, query=rng.choice(wordings))
    return None
