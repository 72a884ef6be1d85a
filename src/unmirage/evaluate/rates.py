"""All statistics of verdicts: verdicts in, rates with intervals out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unmirage.intervals import rate
from unmirage.records import Rate, Verdict


def share_of(verdict: Verdict, verdicts: Iterable[Verdict]) -> Rate:
    """Return the share of `verdict` among the valid ones."""
    found = list(verdicts)
    valid = [one for one in found if one is not Verdict.INVALID]
    return rate(sum(one is verdict for one in valid), len(valid), len(found) - len(valid))


def any_of(verdict: Verdict, shots: Iterable[Sequence[Verdict]]) -> Rate:
    """Return the share of samples with at least one shot of this verdict.

    Args:
        verdict: what counts as success.
        shots: for each sample, the verdicts of its shots. A sample with no success but an invalid shot is
            undecided, and leaves the denominator.
    """
    successes = valid = undecided = 0
    for verdicts in shots:
        if verdict in verdicts:
            successes += 1
        elif Verdict.INVALID in verdicts or not verdicts:
            undecided += 1
            continue
        valid += 1
    return rate(successes, valid, undecided)
