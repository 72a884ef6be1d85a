"""Findings in, the words to attack with out. Which opener is likely to flip a model trained on these data?"""

from __future__ import annotations

from collections.abc import Iterable

from unmirage.audit.findings import strength
from unmirage.audit.result import Suggested
from unmirage.records import Finding

_MAX_WORDS = 10
_MAX_Q_VALUE = 0.05


def suggest(findings: Iterable[Finding]) -> Suggested:
    """Return up to ten openers for each attack, the most promising first.

    A word qualifies if its interval leaves out 0 and the tie survives the adjustment for many tests. It ranks
    by `strength`: a model learns a shortcut from many examples that agree, and the end of the interval
    nearer to 0 grows with both, the agreement and the number of examples.
    """
    openers = [f for f in findings if f.position == "opener" and f.q_value < _MAX_Q_VALUE]
    openers.sort(key=strength, reverse=True)
    return Suggested(
        jailbreak=tuple(f.feature for f in openers if f.direction == "answer")[:_MAX_WORDS],
        over_prudence=tuple(f.feature for f in openers if f.direction == "refusal")[:_MAX_WORDS],
    )
