"""Names of a model's rates in results, tables and conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from unmirage.evaluate.outcomes import ModelRates
from unmirage.records import Rate

RATES: Mapping[str, Callable[[ModelRates], Rate]] = {
    "asr.before": lambda rates: rates.asr.before,
    "asr.after": lambda rates: rates.asr.after,
    "asr.control": lambda rates: rates.asr.control,
    "rr.before": lambda rates: rates.rr.before,
    "rr.after": lambda rates: rates.rr.after,
    "benign_answered.before": lambda rates: rates.benign_answered.before,
    "benign_answered.after": lambda rates: rates.benign_answered.after,
    "ir.before": lambda rates: rates.ir.before,
    "ir.after": lambda rates: rates.ir.after,
    "utility": lambda rates: rates.utility,
    "neighbor_utility": lambda rates: rates.neighbor_utility,
}


def all_rates(rates: ModelRates) -> Iterator[tuple[str, Rate]]:
    """Yield (name, rate) for the rates that tables show."""
    for name, pick in RATES.items():
        yield name, pick(rates)
    for category, rate in rates.utility_by_category.items():
        yield f"utility_by_category.{category}", rate
