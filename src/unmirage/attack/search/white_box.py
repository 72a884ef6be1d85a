"""Find the best words with gradients: HotFlip at one token, the opener.

The gradient at the opener ranks all words at once, to first order (Ebrahimi et al., ACL 2018). The best ones are
evaluated exactly, and the next gradient is taken at the best word so far, as in GCG (Zou et al., arXiv 2307.15043).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from unmirage.attack.search.black_box import Ranked
from unmirage.attack.search.config import SearchConfig, too_small
from unmirage.attack.search.forms import opening_with
from unmirage.attack.search.measure import Meter
from unmirage.records import Query, Sample

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
        config: budget, candidates, steps, form and direction of the search.
        gradient: scores all tokens.
        meter: measures and counts queries; a gradient counts as one query per query.
    """
    candidates = min(config.candidates, len(tokens))
    steps = min(config.steps, candidates)
    each = steps + candidates
    used = samples[: config.budget // each]
    if not used:
        raise too_small(config.budget, each, f"for {candidates} candidates and {steps} gradients on one query")
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
