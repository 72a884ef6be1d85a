"""Weights in, a shuffled deck out in which everything stands as often as its weight asks for."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TypeVar

Card = TypeVar("Card")


def deal(weights: Mapping[Card, float], count: int, rng: random.Random) -> list[Card]:
    """Return `count` cards in random order, each as often as its weight asks for (largest remainders).

    Dealt, not drawn: every deck has the wanted shares, not merely every deck on average.
    """
    total = sum(weights.values())
    exact = {card: weight * count / total for card, weight in weights.items()}
    dealt = {card: int(share) for card, share in exact.items()}
    by_remainder = sorted(exact, key=lambda card: dealt[card] - exact[card])
    for card in by_remainder[: count - sum(dealt.values())]:
        dealt[card] += 1
    deck = [card for card, times in dealt.items() for _ in range(times)]
    rng.shuffle(deck)
    return deck
