"""Compute ASR and RR for each category of the dataset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from unmirage.evaluate.outcomes import BeforeAfter, Outcome, asr, rr


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRates:
    """The rates of one category. A rate without samples is not estimable."""

    asr: BeforeAfter
    rr: BeforeAfter


def by_category(outcomes: Iterable[Outcome]) -> dict[str, CategoryRates]:
    """Return the rates of each category, sorted by name. Samples without a category are excluded."""
    found: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        if one.category is not None:
            found[one.category].append(one)
    return {name: CategoryRates(asr=asr(found[name]), rr=rr(found[name])) for name in sorted(found)}
