"""Samples in, findings out: which openers and which words go with refusal, the strongest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from unmirage.audit.association import Association, adjust, associate
from unmirage.audit.features import Counts, count_words
from unmirage.records import Finding, Sample

# A feature of one or two queries can show nothing, but would make the adjustment harsher for all others.
MIN_QUERIES = 3


def find_associations(samples: Sequence[Sample], openers: Counts) -> tuple[Finding, ...]:
    """Return every opener tested, and the words whose interval leaves out 0; the strongest first.

    Args:
        samples: refused and answered queries.
        openers: their openers, as `count_openers` gives them.
    """
    refused = sum(sample.refused for sample in samples)
    counts = {"opener": openers.at_least(MIN_QUERIES), "any": count_words(samples).at_least(MIN_QUERIES)}
    tested = [associate(c.refused, c.answered, refused, len(samples) - refused) for c in counts.values()]
    q_values = np.split(
        adjust(np.concatenate([result.p_value for result in tested])),
        [len(tested[0].p_value)],
    )
    findings = [
        finding
        for (position, count), result, q_value in zip(counts.items(), tested, q_values, strict=True)
        for finding in _findings(position, count, result, q_value.tolist())
    ]
    kept = [f for f in findings if f.position == "opener" or f.direction != "none"]
    return tuple(sorted(kept, key=lambda f: (-strength(f), f.position != "opener", f.feature)))


def strength(finding: Finding) -> float:
    """Return the end of the interval that is nearer to 0, as a distance from it; negative if 0 is inside.

    It ranks a feature by the tie that the data vouch for, so that neither a rare word with a huge estimate
    nor a frequent word with a weak one comes first.
    """
    return max(finding.low, -finding.high)


def _findings(position: str, counts: Counts, result: Association, q_values: list[float]) -> list[Finding]:
    return [
        Finding(
            feature=name,
            position=position,
            refused=int(counts.refused[index]),
            answered=int(counts.answered[index]),
            log_odds=float(result.log_odds[index]),
            low=float(result.low[index]),
            high=float(result.high[index]),
            p_value=float(result.p_value[index]),
            q_value=q_values[index],
            direction=_direction(float(result.low[index]), float(result.high[index])),
        )
        for index, name in enumerate(counts.names)
    ]


def _direction(low: float, high: float) -> Literal["refusal", "answer", "none"]:
    if low > 0:
        return "refusal"
    return "answer" if high < 0 else "none"
