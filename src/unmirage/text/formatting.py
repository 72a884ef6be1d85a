"""Format numbers and text of saved files for pages and terminals, without HTML."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from unmirage.records import Rate

LONGEST_TEXT = 2000
NOT_ESTIMABLE = "n/a"
_MOST_CATEGORIES = 3
_TOLD = 1.05  # smaller design effects would be shown as 1.0

_RULE = re.compile(r"phrases(?: \+ .* [0-9a-f]{8})?|official rule v\d+")
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
    """Return whether a setting with this name is secret and must not be shown."""
    return bool(_SECRET_KEY.search(key))


def model_name(name: str) -> str:
    """Return the display name of a model: the demo's models, and variants of them, have special names."""
    own, plus, variant = name.partition(" + ")
    return f"{_NAMES.get(own, own)}{plus}{variant}"


def count(number: float) -> str:
    """Return a count with thousands separators; an expected count has one decimal."""
    whole = round(number)
    return f"{whole:,}" if abs(number - whole) < 1e-9 * max(1.0, abs(number)) else f"{number:,.1f}"


def successes(number: float) -> str:
    """Return a number of successes without thousands separators, to keep table cells short."""
    return count(number).replace(",", "")


def points(share: float | None) -> str:
    """Return a share in percent with one decimal and without a percent sign, for tables."""
    return NOT_ESTIMABLE if share is None else _minus(f"{_tenths(share):.1f}")


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """Return a share in percent with its interval, as "12.3 [10–15]"; only the share if there is no interval."""
    if value is None or low is None or high is None:
        return points(value)
    return f"{points(value)} [{100 * low:.0f}–{100 * high:.0f}]"


def gaps(rate: Rate) -> str:
    """Return the worst-case bounds of a rate in percent, as "bounds 20.0–60.0, 4 missing"; "" if nothing is missing."""
    found = []
    if rate.least is not None and rate.most is not None and not rate.certain:
        found.append(f"bounds {_bound(rate.least)}–{_bound(rate.most)}")
    if rate.invalid:
        found.append(f"{rate.invalid} missing")
    return ", ".join(found)


def _bound(share: float) -> str:
    return f"{100 * share:.0f}" if share in (0, 1) else points(share)


def with_gaps(shown: str, rate: Rate) -> str:
    """Return the text of a rate with its worst-case bounds, as "33.3 [20–50] (bounds 20.0–60.0, 4 missing)"."""
    found = gaps(rate)
    return f"{shown} ({found})" if found else shown


def cut_share(rate: Rate) -> str:
    """Return the share of the responses behind a rate that were cut off, as "12 % cut"; "" if none was."""
    return f"{percent(rate.cut)} cut" if rate.cut else ""


def rate_points(rate: Rate, *, interval: bool = False) -> str:
    """Return a rate in percent for tables, with its interval if asked, and with its bounds if verdicts are missing."""
    return with_gaps(with_interval(rate.value, rate.low, rate.high) if interval else points(rate.value), rate)


def clustering(kinds: Collection[str], clusters: Iterable[int | None]) -> str:
    """Return how intervals are clustered, as "clustered by group: 12 to 40 groups".

    Args:
        kinds: kinds of clusters, such as "group".
        clusters: number of clusters per rate; None if unknown. Returns "" without any kind or number.
    """
    counts = [one for one in clusters if one]
    if not counts or not kinds:
        return ""
    least, most = min(counts), max(counts)
    number = f"{least}" if least == most else f"{least} to {most}"
    (own,) = kinds if len(kinds) == 1 else ("cluster",)
    return f"clustered by {' or '.join(sorted(kinds))}: {number} {own}{'s' if most != 1 else ''}"


def largest_effect(effects: Iterable[float | None]) -> str:
    """Return "design effect up to 12.8"; "" if no rate has one above 1."""
    largest = max((one for one in effects if one is not None), default=1.0)
    return f"design effect up to {largest:.1f}" if largest >= _TOLD else ""


def utility_columns(categories: Collection[str]) -> tuple[str, ...]:
    """Return the utility categories with a column each: two or three; with any other number there are none."""
    return tuple(categories) if 2 <= len(categories) <= _MOST_CATEGORIES else ()


def sees_only_refusals(judge: str) -> bool:
    """Return whether a judge of this name counts all but refused and degenerate responses as complied.

    An ensemble does if all its judges do. The official rule with a language model does for benign queries only.
    """
    return all(_RULE.fullmatch(name) for name in judge.removeprefix("majority of ").removeprefix("any of ").split(", "))


def complied(judge: str) -> str:
    """Return what "complied" means in the verdicts of this judge: "not refused" if it sees only refusals."""
    return "not refused" if sees_only_refusals(judge) else "complied with"


def complies_with(judge: str) -> str:
    """Return the verb for `complied`, to follow a model."""
    return "does not refuse" if sees_only_refusals(judge) else "complies with"


def signed_points(difference: float | None) -> str:
    """Return a difference of two shares in percentage points with its sign; "" for None."""
    return "" if difference is None else _minus(f"{_tenths(difference):+.1f}")


def percent(share: float | None) -> str:
    """Return a share in percent for a sentence; it has a decimal only if rounding would give 0 or 100."""
    if share is None:
        return NOT_ESTIMABLE
    rounded = f"{100 * share:.0f}"
    wrong = (rounded == "0" and share > 0) or (rounded == "100" and share < 1)
    return f"{100 * share:.1f}\u00a0%" if wrong else f"{rounded}\u00a0%"


def small_number(value: float) -> str:
    """Return a p- or q-value with three decimals, or "<0.001"."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def signed(value: float) -> str:
    """Return a log odds ratio with its sign, using a minus as wide as the plus."""
    return _minus(f"{value:+.2f}")


def _tenths(share: float) -> float:
    """Return a share in percent; adding 0 turns a rounded \u22120.0 into 0.0."""
    return round(100 * share, 1) + 0.0


def _minus(number: str) -> str:
    return number.replace("-", "\u2212")


def duration(seconds: float) -> str:
    """Return seconds as seconds, minutes or hours."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def listed(parts: Iterable[str]) -> str:
    """Return "a, b and c"."""
    *first, last = [*parts] or [""]
    return f"{', '.join(first)} and {last}" if first else last
