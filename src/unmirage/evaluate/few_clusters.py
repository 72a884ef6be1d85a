"""Warn where rates rest on few independent clusters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from unmirage.evaluate.named_rates import all_rates
from unmirage.evaluate.outcomes import ModelRates

FEW = 12  # the fewest for which docs/statistics.md has measured how often the intervals hold the truth


def few_clusters(models: Iterable[ModelRates]) -> str | None:
    """Return a line that names the rates with fewer than `FEW` clusters, each with the least number; None without any.

    Rates that were not measured do not count.
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
        f"fewer than {FEW} independent clusters ({' or '.join(sorted(kinds))}): {each}; intervals of so few are wide "
        "and approximate"
    )
