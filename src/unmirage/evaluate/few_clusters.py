"""Warn where rates rest on few independent clusters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from unmirage.evaluate.outcomes import ModelRates
from unmirage.records import Rate

FEW = 12  # with fewer, simulated intervals hold the truth too seldom; see docs/statistics.md

RATES: Mapping[str, Callable[[ModelRates], Rate]] = {
    "asr.before": lambda rates: rates.asr.before,
    "asr.after": lambda rates: rates.asr.after,
    "rr.before": lambda rates: rates.rr.before,
    "rr.after": lambda rates: rates.rr.after,
    "benign_answered.before": lambda rates: rates.benign_answered.before,
    "benign_answered.after": lambda rates: rates.benign_answered.after,
    "ir.before": lambda rates: rates.ir.before,
    "ir.after": lambda rates: rates.ir.after,
    "utility": lambda rates: rates.utility,
    "near": lambda rates: rates.near,
}


def few_clusters(models: Iterable[ModelRates]) -> str | None:
    """Return a line that names the rates with fewer than `FEW` clusters, each with the least number; None without any.

    Rates that were not measured do not count.
    """
    found: dict[str, int] = {}
    kinds: set[str] = set()
    for rates in models:
        kinds |= {*rates.clustered_by}
        for name, rate in _all(rates):
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
        f"fewer than {FEW} independent clusters ({cluster_word(kinds)}): {each}; intervals of so few clusters are wide "
        "and hold the truth less often than in 95 %"
    )


def cluster_word(kinds: Iterable[str]) -> str:
    """Return what clusters are called in a sentence: "group", or "group or picture"."""
    return " or ".join(sorted(kinds)) or "sample"


def _all(rates: ModelRates) -> Iterator[tuple[str, Rate]]:
    for name, pick in RATES.items():
        yield name, pick(rates)
    for category, rate in rates.utility_by_category.items():
        yield f"utility_by_category.{category}", rate
