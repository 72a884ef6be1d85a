"""Format numbers and text of saved files for pages and terminals, without HTML."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

LONGEST_TEXT = 2000
NOT_ESTIMABLE = "n/a"
_MOST_CATEGORIES = 3
_TOLD = 1.05  # smaller ones are 1.0 as they are shown

_SECRET_KEY = re.compile(r"(?:^|[_.-])(?:token|api_?key|key|secret|password|authorization)$", re.IGNORECASE)

_NAMES = {
    "base": "Base",
    "sft-posthoc": "SFT post-hoc",
    "sft-mixed": "SFT mixed",
    "sft-balanced": "SFT balanced",
    "sft-balanced-mixed": "SFT balanced, mixed",
    "sft-diversified": "SFT diversified",
    "sft-diversified-mixed": "SFT diversified, mixed",
    "npo": "NPO",
    "npo-mixed": "NPO, mixed",
    "rmu": "RMU",
    "rmu-mixed": "RMU, mixed",
}


def is_secret(key: str) -> bool:
    """Say whether a setting of this name is not for showing."""
    return bool(_SECRET_KEY.search(key))


def model_name(name: str) -> str:
    """Return how a page calls a model: the demo's, and what was made from them, by their usual names."""
    own, plus, variant = name.partition(" + ")
    return f"{_NAMES.get(own, own)}{plus}{variant}"


def count(number: float) -> str:
    """Return a number of things with its thousands apart; an expected number has one decimal."""
    whole = round(number)
    return f"{whole:,}" if abs(number - whole) < 1e-9 * max(1.0, abs(number)) else f"{number:,.1f}"


def successes(number: float) -> str:
    """Return a number of successes beside its trials, without thousands apart: it must stay short."""
    return count(number).replace(",", "")


def points(share: float | None) -> str:
    """Return a share in per cent with one decimal and no sign, for a table."""
    return NOT_ESTIMABLE if share is None else _minus(f"{_tenths(share):.1f}")


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """Return a share in per cent with its interval, as "12.3 [10–15]"; without one where there is none."""
    if value is None or low is None or high is None:
        return points(value)
    return f"{points(value)} [{100 * low:.0f}–{100 * high:.0f}]"


def clustering(kinds: Collection[str], clusters: Iterable[int | None]) -> str:
    """Return by what intervals are clustered, as "clustered by group: 12 to 40 groups".

    Args:
        kinds: of clusters, such as "group".
        clusters: of the rates; None where that is not known. Without any kind or cluster nothing is returned.
    """
    counts = [one for one in clusters if one]
    if not counts or not kinds:
        return ""
    least, most = min(counts), max(counts)
    number = f"{least}" if least == most else f"{least} to {most}"
    (own,) = kinds if len(kinds) == 1 else ("cluster",)
    return f"clustered by {' or '.join(sorted(kinds))}: {number} {own}{'s' if most != 1 else ''}"


def largest_effect(effects: Iterable[float | None]) -> str:
    """Return "design effect up to 12.8"; nothing where no rate has one above 1."""
    largest = max((one for one in effects if one is not None), default=1.0)
    return f"design effect up to {largest:.1f}" if largest >= _TOLD else ""


def utility_columns(categories: Collection[str]) -> tuple[str, ...]:
    """Return the categories of utility that get a column each: two or three; with another number none does."""
    return tuple(categories) if 2 <= len(categories) <= _MOST_CATEGORIES else ()


def sees_only_refusals(judge: str) -> bool:
    """Return whether a judge of this name counts all but refused (or empty) responses to benign queries as complied."""
    return judge == "phrases" or judge.startswith("official rule")


def signed_points(difference: float | None) -> str:
    """Return a difference of two shares in points with its sign, or nothing where there is none."""
    return "" if difference is None else _minus(f"{_tenths(difference):+.1f}")


def percent(share: float | None) -> str:
    """Return a share in per cent for a sentence; a decimal only where a whole number would say 0 or 100."""
    if share is None:
        return NOT_ESTIMABLE
    rounded = f"{100 * share:.0f}"
    wrong = (rounded == "0" and share > 0) or (rounded == "100" and share < 1)
    return f"{100 * share:.1f}\u00a0%" if wrong else f"{rounded}\u00a0%"


def small_number(value: float) -> str:
    """Return a q-value as far as it means anything."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def signed(value: float) -> str:
    """Return a log odds ratio with its sign; the minus is as wide as the plus."""
    return _minus(f"{value:+.2f}")


def _tenths(share: float) -> float:
    """Return a share in per cent; adding 0 turns a rounded \u22120.0 into 0.0."""
    return round(100 * share, 1) + 0.0


def _minus(number: str) -> str:
    return number.replace("-", "\u2212")


def duration(seconds: float) -> str:
    """Return seconds as a person says them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def listed(parts: Iterable[str]) -> str:
    """Return "a, b and c"."""
    *first, last = [*parts] or [""]
    return f"{', '.join(first)} and {last}" if first else last
