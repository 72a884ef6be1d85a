"""Propose words for the search: by effect on random samples (black box) or by gradient (white box)."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmirage.attack.search.config import SearchConfig, opening_with
from unmirage.attack.search.measure import Meter
from unmirage.errors import UserError
from unmirage.records import Query, Sample

Ranked = list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Round:
    """Number of words in a round, and number of queries that each has been tried on at its end."""

    words: int
    queries: int


def plan_rounds(words: int, queries: int, budget: int, top: int) -> list[Round]:
    """Return the rounds that use as much of the budget as possible; [] if it does not cover all words.

    Args:
        budget: maximum evaluations of one word on one query.
        top: number of words at the end.
    """
    sizes = _sizes(words, top)
    fitting = bisect_right(range(1, queries + 1), budget, key=lambda first: _cost(_rounds(sizes, first, queries)))
    if not fitting:
        return []
    rounds = _rounds(sizes, fitting, queries)
    # Spend the remaining budget on the last words.
    more = min(queries - rounds[-1].queries, (budget - _cost(rounds)) // sizes[-1])
    return [*rounds, Round(sizes[-1], rounds[-1].queries + more)] if more else rounds


def successive_halving(words: Sequence[str], samples: Sequence[Sample], config: SearchConfig, meter: Meter) -> Ranked:
    """Return the best words with their mean probability of refusal, best first.

    Args:
        words: candidates; if the budget is too small to halve them, a random subset is used.
        samples: in random order; the first ones are used first.
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
    """Return the words, or a random subset if the budget cannot cover all of them."""
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
    before = [0, *(one.queries for one in rounds)]
    return sum(one.words * (one.queries - asked) for one, asked in zip(rounds, before, strict=False))


# Returns (vocabulary,): change of refusal if a token replaced the queries' opener.
Gradient = Callable[[Sequence[Query]], NDArray[np.float64]]


def first_order(
    tokens: Mapping[str, int],
    start: str,
    samples: Sequence[Sample],
    config: SearchConfig,
    gradient: Gradient,
    meter: Meter,
) -> Ranked:
    """Return the best of the exactly evaluated words with their mean probability of refusal, best first.

    Args:
        tokens: the single token for each word; see `word_tokens`.
        start: word of the first gradient.
        samples: in random order; the budget limits how many are used.
        meter: measures and counts queries; a gradient counts as one query per query.
    """
    candidates = min(config.candidates, len(tokens))
    steps = min(config.steps, candidates)
    each = steps + candidates
    used = samples[: config.budget // each]
    if not used:
        raise UserError(
            f"budget: {config.budget} is too small for {candidates} candidates and {steps} gradients on one query; "
            f"valid: {each} or more"
        )
    best, tried = start, dict[str, float]()
    for step in range(steps):
        scores = gradient([opening_with(sample, best, config.form, config.kind) for sample in used])
        meter.count(len(used))
        share = candidates * (step + 1) // steps - len(tried)
        untried = [word for word in tokens if word not in tried]
        words = sorted(untried, key=lambda word: -config.sign * scores[tokens[word]])[:share]
        found = meter.words(words, used, config.form, config.kind).mean(axis=1)
        tried |= dict(zip(words, found.tolist(), strict=True))
        best = min(tried, key=lambda word: -config.sign * tried[word])
    return sorted(tried.items(), key=lambda item: -config.sign * item[1])[: config.top]
