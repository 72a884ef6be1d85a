"""Draw a subset of samples stratified by category and label."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

from unmirage.records import Sample


def drawn(samples: Sequence[Sample], limit: int | None, seed: int) -> list[int]:
    """Return sorted indices of at most `limit` samples, drawn with the proportions of the whole.

    The strata are the pairs of category and label. Each stratum keeps at least one sample if `limit` allows.
    """
    if limit is None or limit >= len(samples):
        return list(range(len(samples)))
    rng = random.Random(seed)
    strata: dict[Hashable, list[int]] = defaultdict(list)
    for place, sample in enumerate(samples):
        strata[sample.category, sample.refused].append(place)
    quota = _quotas({name: len(places) for name, places in strata.items()}, limit, rng)
    return sorted(place for name, places in strata.items() for place in rng.sample(places, quota[name]))


def _quotas(sizes: Mapping[Hashable, int], limit: int, rng: random.Random) -> dict[Hashable, int]:
    """Return the number of samples to draw per stratum, by largest remainders with ties in random order."""
    total = sum(sizes.values())
    quota = {name: limit * size // total for name, size in sizes.items()}
    order = rng.sample(list(sizes), len(sizes))
    order.sort(key=lambda name: limit * sizes[name] % total, reverse=True)
    for name in order[: limit - sum(quota.values())]:
        quota[name] += 1
    for name in order:
        largest = max(quota, key=lambda one: quota[one])
        if not quota[name] and quota[largest] > 1:
            quota[largest] -= 1
            quota[name] = 1
    return quota
