"""Draw a smaller set of samples that keeps the shares of its strata: labels, or categories and labels."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction

from unmirage.data.deal import largest_remainders
from unmirage.records import Sample


def draw_stratified(samples: Sequence[Sample], limit: int | None, seed: int) -> list[Sample]:
    """Return at most `limit` samples, in their order, with the label shares of the whole.

    Each label that occurs keeps at least one sample, if `limit` allows.
    """
    if limit is None or limit >= len(samples):
        return list(samples)
    # Refused samples come first: the order decides what a seed draws.
    strata: dict[Hashable, list[int]] = {True: [], False: []}
    for place, sample in enumerate(samples):
        strata[sample.refused].append(place)
    refused = round(limit * len(strata[True]) / len(samples))
    quota: dict[Hashable, int] = {True: refused, False: limit - refused}
    _fill(quota, (label for label, places in strata.items() if places))
    return [samples[place] for place in _drawn(strata, quota, random.Random(seed))]


def draw_by_category(samples: Sequence[Sample], limit: int | None, seed: int) -> list[int]:
    """Return the places of at most `limit` samples, in order, with the shares that the whole has.

    Strata are category and label together. Each that occurs keeps at least one sample, if `limit` allows.
    """
    if limit is None or limit >= len(samples):
        return list(range(len(samples)))
    rng = random.Random(seed)
    strata: dict[Hashable, list[int]] = defaultdict(list)
    for place, sample in enumerate(samples):
        strata[sample.category, sample.refused].append(place)
    # Strata whose remainders are equal take their turn in random order.
    order = rng.sample(list(strata), len(strata))
    order.sort(key=lambda name: limit * len(strata[name]) % len(samples), reverse=True)
    rounded = largest_remainders({name: Fraction(limit * len(strata[name]), len(samples)) for name in order}, limit)
    # In the order of the file again: of the largest strata, the first gives to those that have none.
    quota = {name: rounded[name] for name in strata}
    _fill(quota, order)
    return _drawn(strata, quota, rng)


def _fill(quota: dict[Hashable, int], names: Iterable[Hashable]) -> None:
    """Give each of the strata that has none one of the largest's samples, as long as that has more than one."""
    for name in names:
        largest = max(quota, key=lambda one: quota[one])
        if not quota[name] and quota[largest] > 1:
            quota[largest] -= 1
            quota[name] = 1


def _drawn(strata: Mapping[Hashable, Sequence[int]], quota: Mapping[Hashable, int], rng: random.Random) -> list[int]:
    return sorted(place for name, places in strata.items() for place in rng.sample(places, quota[name]))
