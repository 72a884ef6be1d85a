"""The rates of a run as Inspect's metrics. They are those of results.json: nothing is worked out anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inspect_ai.log import EvalMetric, EvalScore

Rate = Mapping[str, Any]  # as in results.json: `value`, and what goes with it


def rates_in(part: object, name: str = "") -> Iterator[tuple[str, Rate]]:
    """Yield all rates below a part of results.json by their dotted names, such as "asr.after"; lists count from 1."""
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
    """Return a metric for each rate below `part` that can be estimated; interval and counts are its metadata."""
    return {
        name: EvalMetric(name=name, value=rate["value"], metadata={k: v for k, v in rate.items() if k != "value"})
        for name, rate in rates_in(part)
        if rate["value"] is not None
    }


def score(name: str, part: object, *, scored: int, unscored: int = 0) -> EvalScore:
    """Return what Inspect shows for one judge or one benchmark's rule.

    Args:
        name: of the judge or rule.
        part: of results.json, with its rates.
        scored, unscored: responses with and without a verdict.
    """
    return EvalScore(name=name, scorer=name, scored_samples=scored, unscored_samples=unscored, metrics=metrics(part))
