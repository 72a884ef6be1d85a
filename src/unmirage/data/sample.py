"""Draw samples by seed: stratified, dealt into sets, and by SplitMix64."""

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


# The generator's counter grows by this much for each number.
STEP = _signed(0x9E3779B97F4A7C15)
_MIX = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)))
_LAST_SHIFT = 31


def finalized(counter: Bits) -> Bits:
    """Return one scrambled number for each counter, int64 of the same shape."""
    bits = counter
    for shift, factor in _MIX:
        bits = (bits ^ shifted(bits, shift)) * factor
    return bits ^ shifted(bits, _LAST_SHIFT)


def shifted(bits: Bits, places: int) -> Bits:
    """Return int64 bits shifted right and filled with zeros; `>>` fills with copies of the sign."""
    return (bits >> places) & ((1 << (64 - places)) - 1)


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


Card = TypeVar("Card")


def deal(weights: Mapping[Card, float], count: int, rng: random.Random) -> list[Card]:
    """Return `count` cards in random order, each as often as its weight asks for (largest remainders).

    Dealt, not drawn: every deck has the wanted shares, not merely every deck on average.
    """
    total = sum(weights.values())
    dealt = largest_remainders({card: weight * count / total for card, weight in weights.items()}, count)
    deck = [card for card, times in dealt.items() for _ in range(times)]
    rng.shuffle(deck)
    return deck


def largest_remainders(exact: Mapping[Card, float | Fraction], count: int) -> dict[Card, int]:
    """Return each exact share rounded up or down so that they sum to `count`; of equal remainders the first rises.

    Args:
        exact: shares that sum to `count`, up to rounding.
        count: the sum.
    """
    rounded = {card: int(share) for card, share in exact.items()}
    by_remainder = sorted(exact, key=lambda card: rounded[card] - exact[card])
    for card in by_remainder[: count - sum(rounded.values())]:
        rounded[card] += 1
    return rounded
