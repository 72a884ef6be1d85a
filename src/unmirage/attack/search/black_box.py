"""Words in, the best of them out, by asking alone: successive halving.

All words are tried on a few queries, the better half of them on twice as many, and so on (Karnin et al., ICML
2013; Jamieson and Talwalkar, AISTATS 2016). All words of a round meet the same queries, and what was asked
before is not asked again.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unmirage.attack.search.config import SearchConfig
from unmirage.attack.search.measure import Meter
from unmirage.records import Sample

Ranked = list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Round:
    """How many words are in a round, and on how many queries each of them has been tried when it ends."""

    words: int
    queries: int


def plan_rounds(words: int, queries: int, budget: int, top: int) -> list[Round]:
    """Return the rounds that make most of the budget and never exceed it; [] if it does not suffice for all words.

    Args:
        words: how many there are.
        queries: how many there are to try them on.
        budget: how often one word may be tried on one query, in all.
        top: how many words to end with.
    """
    sizes = _sizes(words, top)
    fitting = bisect_right(range(1, queries + 1), budget, key=lambda first: _cost(_rounds(sizes, first, queries)))
    if not fitting:
        return []
    rounds = _rounds(sizes, fitting, queries)
    # What is left goes to the last words.
    more = min(queries - rounds[-1].queries, (budget - _cost(rounds)) // sizes[-1])
    return [*rounds, Round(sizes[-1], rounds[-1].queries + more)] if more else rounds


def successive_halving(words: Sequence[str], samples: Sequence[Sample], config: SearchConfig, meter: Meter) -> Ranked:
    """Return the best words with their mean probability of refusal, best first.

    Args:
        words: to choose from; where the budget does not suffice to halve them, fewer are drawn.
        samples: in random order: the first ones are tried first.
        config: budget, form, seed and what is better.
        meter: measures and counts.
    """
    chosen = drawn(words, len(samples), config)
    rounds = plan_rounds(len(chosen), len(samples), config.budget, config.top)
    values = np.empty((len(chosen), 0))
    for now, after in zip(rounds, [*rounds[1:], None], strict=True):
        more = meter.words(chosen, samples[values.shape[1] : now.queries], config.form, config.kind)
        values = np.concatenate([values, more], axis=1)
        best = np.argsort(-config.sign * values.mean(axis=1), kind="stable")
        kept = best[: len(best) if after is None else after.words]
        chosen, values = [chosen[row] for row in kept], values[kept]
    return list(zip(chosen, values.mean(axis=1).tolist(), strict=True))


def drawn(words: Sequence[str], queries: int, config: SearchConfig) -> list[str]:
    """Return the words, or as many of them as the budget can halve down, drawn at random."""
    enough = bisect_right(
        range(1, len(words) + 1),
        config.budget,
        key=lambda count: _cost(_rounds(_sizes(count, config.top), 1, queries)),
    )
    if enough == len(words):
        return list(words)
    return sorted(random.Random(f"words-{config.seed}").sample(list(words), enough))


def _sizes(words: int, top: int) -> list[int]:
    sizes = [words]
    while sizes[-1] > top:
        sizes.append(max(top, (sizes[-1] + 1) // 2))
    return sizes


def _rounds(sizes: Sequence[int], first: int, queries: int) -> list[Round]:
    return [Round(size, min(first * 2**number, queries)) for number, size in enumerate(sizes)]


def _cost(rounds: Sequence[Round]) -> int:
    before = 0
    total = 0
    for one in rounds:
        total += one.words * (one.queries - before)
        before = one.queries
    return total
