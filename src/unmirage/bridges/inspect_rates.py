"""Convert the rates in results.json to Inspect metrics, without recomputing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inspect_ai.log import EvalMetric, EvalScore

Rate = Mapping[str, Any]  # as in results.json: `value`, interval and counts


def rates_in(part: object, name: str = "") -> Iterator[tuple[str, Rate]]:
    """Yield (dotted name, rate), such as "asr.after", for all rates in a part of results.json; lists count from 1."""
    if isinstance(part, Mapping):
        if "value" in part:
            yield name, part
            return
        items = [(str(key), item) for key, item in part.items()]
    elif isinstance(part, Sequence) and not isinstance(part, str):
        items = [(str(place), item) for place, item in enumerate(part, start=1)]
    else:
        return
    for key, item in items:
        yield from rates_in(item, f"{name}.{key}" if name else key)


def metrics(part: object) -> dict[str, EvalMetric]:
    """Return a metric for each estimable rate in `part`, with interval and counts as metadata."""
    return {
        name: EvalMetric(name=name, value=rate["value"], metadata={k: v for k, v in rate.items() if k != "value"})
        for name, rate in rates_in(part)
        if rate["value"] is not None
    }


def score(name: str, part: object, *, scored: int, unscored: int = 0) -> EvalScore:
    """Return the Inspect score of one judge or scoring rule.

    Args:
        name: name of the judge or rule.
        part: part of results.json with its rates.
        scored, unscored: numbers of responses with and without a verdict.
    """
    return EvalScore(name=name, scorer=name, scored_samples=scored, unscored_samples=unscored, metrics=metrics(part))
