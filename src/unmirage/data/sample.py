"""Draw samples reproducibly: stratified draws, exact shares, and the SplitMix64 generator."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

from unmirage.records import Sample

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

Bits = TypeVar("Bits", "npt.NDArray[np.int64]", "Tensor")


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


# Increment of the SplitMix64 counter.
STEP = _signed(0x9E3779B97F4A7C15)
_MIX = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)))
_LAST_SHIFT = 31


def finalized(counter: Bits) -> Bits:
    """Return the SplitMix64 output for each counter, int64 of the same shape."""
    bits = counter
    for shift, factor in _MIX:
        bits = (bits ^ shifted(bits, shift)) * factor
    return bits ^ shifted(bits, _LAST_SHIFT)


def shifted(bits: Bits, places: int) -> Bits:
    """Return a logical right shift of int64; `>>` is arithmetic."""
    return (bits >> places) & ((1 << (64 - places)) - 1)


def draw_stratified(samples: Sequence[Sample], limit: int | None, seed: int) -> list[Sample]:
    """Return at most `limit` samples in their order, stratified by label.

    Each label keeps at least one sample if `limit` allows.
    """
    if limit is None or limit >= len(samples):
        return list(samples)
    # The order of the strata determines what a seed draws.
    strata: dict[Hashable, list[int]] = {True: [], False: []}
    for place, sample in enumerate(samples):
        strata[sample.refused].append(place)
    refused = round(limit * len(strata[True]) / len(samples))
    quota: dict[Hashable, int] = {True: refused, False: limit - refused}
    _fill(quota, (label for label, places in strata.items() if places))
    return [samples[place] for place in _drawn(strata, quota, random.Random(seed))]


def draw_per_label(samples: Sequence[Sample], limit: int | None, seed: int) -> list[Sample]:
    """Return at most `limit` samples of each label in their order."""
    drawn = []
    for label in (True, False):
        places = [place for place, sample in enumerate(samples) if sample.refused is label]
        drawn += places if limit is None else random.Random(seed).sample(places, min(limit, len(places)))
    return [samples[place] for place in sorted(drawn)]


def draw_by_category(samples: Sequence[Sample], limit: int | None, seed: int) -> list[int]:
    """Return the sorted indices of at most `limit` samples, stratified by category and label.

    Each stratum keeps at least one sample if `limit` allows.
    """
    if limit is None or limit >= len(samples):
        return list(range(len(samples)))
    rng = random.Random(seed)
    strata: dict[Hashable, list[int]] = defaultdict(list)
    for place, sample in enumerate(samples):
        strata[sample.category, sample.refused].append(place)
    # Ties of equal remainders are broken at random.
    order = rng.sample(list(strata), len(strata))
    order.sort(key=lambda name: limit * len(strata[name]) % len(samples), reverse=True)
    rounded = largest_remainders({name: Fraction(limit * len(strata[name]), len(samples)) for name in order}, limit)
    # Back in file order, so that `_fill` takes from the first of equally large strata.
    quota = {name: rounded[name] for name in strata}
    _fill(quota, order)
    return _drawn(strata, quota, rng)


def _fill(quota: dict[Hashable, int], names: Iterable[Hashable]) -> None:
    """Move one sample of the largest stratum to each empty one, while the largest has more than one."""
    for name in names:
        largest = max(quota, key=lambda one: quota[one])
        if not quota[name] and quota[largest] > 1:
            quota[largest] -= 1
            quota[name] = 1


def _drawn(strata: Mapping[Hashable, Sequence[int]], quota: Mapping[Hashable, int], rng: random.Random) -> list[int]:
    return sorted(place for name, places in strata.items() for place in rng.sample(places, quota[name]))


Card = TypeVar("Card")


def deal(weights: Mapping[Card, float], count: int, rng: random.Random) -> list[Card]:
    """Return `count` cards in random order with frequencies proportional to the weights (largest remainders).

    Unlike independent draws, every result has the exact shares.
    """
    total = sum(weights.values())
    dealt = largest_remainders({card: weight * count / total for card, weight in weights.items()}, count)
    deck = [card for card, times in dealt.items() for _ in range(times)]
    rng.shuffle(deck)
    return deck


def largest_remainders(exact: Mapping[Card, float | Fraction], count: int) -> dict[Card, int]:
    """Round shares that sum to `count` (up to rounding) to integers with that sum; ties round the first up."""
    rounded = {card: int(share) for card, share in exact.items()}
    by_remainder = sorted(exact, key=lambda card: rounded[card] - exact[card])
    for card in by_remainder[: count - sum(rounded.values())]:
        rounded[card] += 1
    return rounded
