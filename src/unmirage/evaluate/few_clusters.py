"""Warn about rates that have few independent clusters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from unmirage.evaluate.named_rates import all_rates
from unmirage.evaluate.outcomes import ModelRates

FEW = 12  # smallest number for which docs/statistics.md reports the measured coverage of the intervals


def few_clusters(models: Iterable[ModelRates]) -> str | None:
    """Return a one-line warning that lists rates with fewer than `FEW` clusters; None if there are none.

    The warning gives the smallest number over all models. Unmeasured rates do not count.
    """
    found: dict[str, int] = {}
    kinds: set[str] = set()
    for rates in models:
        kinds |= {*rates.clustered_by}
        for name, rate in all_rates(rates):
            if rate.clusters:
                found[name] = min(rate.clusters, found.get(name, rate.clusters))
    few: dict[int, list[str]] = defaultdict(list)
    for name, clusters in found.items():
        if clusters < FEW:
            few[clusters].append(name)
    if not few:
        return None
    each = "; ".join(f"{clusters} for {', '.join(few[clusters])}" for clusters in sorted(few))
    return (
        f"fewer than {FEW} independent clusters ({' or '.join(sorted(kinds))}): {each}; their intervals are wide and "
        "approximate"
    )
