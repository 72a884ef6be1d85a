"""A smaller set that keeps the share of refused samples."""

from __future__ import annotations

import random
from collections.abc import Sequence

from unmirage.records import Sample


def draw_stratified(samples: Sequence[Sample], limit: int | None, seed: int) -> list[Sample]:
    """Return at most `limit` samples, in their order, with the label shares of the whole.

    Each label that occurs keeps at least one sample, if `limit` allows.
    """
    if limit is None or limit >= len(samples):
        return list(samples)
    rng = random.Random(seed)
    refused = [index for index, sample in enumerate(samples) if sample.refused]
    answered = [index for index, sample in enumerate(samples) if not sample.refused]
    quota = round(limit * len(refused) / len(samples))
    if refused and answered and limit > 1:
        quota = min(max(quota, 1), limit - 1)
    quota = max(limit - len(answered), min(quota, len(refused)))
    chosen = {*rng.sample(refused, quota), *rng.sample(answered, limit - quota)}
    return [sample for index, sample in enumerate(samples) if index in chosen]
