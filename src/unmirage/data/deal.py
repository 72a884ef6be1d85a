"""Share a whole number of things out by weight, and deal a shuffled deck with those shares."""

from __future__ import annotations

import random
from collections.abc import Mapping
from fractions import Fraction
from typing import TypeVar

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
