"""Compute shares of verdicts with confidence intervals that account for clusters of samples."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from unmirage.intervals import clustered_rate
from unmirage.records import Rate, Verdict

Clusters = Iterable[Hashable] | None  # cluster of each sample; None: each sample is its own cluster
# Whether the shots at a sample are a success; None if missing verdicts could change the decision.
Decide = Callable[[Verdict, Sequence[Verdict]], bool | None]


def share_of(verdict: Verdict, verdicts: Iterable[Verdict], clusters: Clusters = None) -> Rate:
    """Return the share of `verdict` among the valid verdicts."""
    return any_of(verdict, ([one] for one in verdicts), clusters)


def any_of(verdict: Verdict, shots: Iterable[Sequence[Verdict]], clusters: Clusters = None) -> Rate:
    """Return the share of samples with at least one shot of this verdict.

    Args:
        verdict: verdict that counts as success.
        shots: verdicts on the shots of each sample. A sample without a success but with an invalid shot is undecided
            and excluded from the denominator.
        clusters: cluster of each sample.
    """
    return _share(any_is, verdict, shots, clusters)


def all_of(verdict: Verdict, shots: Iterable[Sequence[Verdict]], clusters: Clusters = None) -> Rate:
    """Return the share of samples for which all shots have this verdict; arguments as in `any_of`.

    A sample with an invalid shot and no shot of another verdict is undecided.
    """
    return _share(all_are, verdict, shots, clusters)


def any_is(verdict: Verdict, verdicts: Sequence[Verdict]) -> bool | None:
    """Return whether any verdict equals `verdict`; None if a missing verdict could change the result."""
    if verdict in verdicts:
        return True
    return None if Verdict.INVALID in verdicts or not verdicts else False


def all_are(verdict: Verdict, verdicts: Sequence[Verdict]) -> bool | None:
    """Return whether all verdicts equal `verdict`; None if a missing verdict could change the result."""
    if any(one not in (verdict, Verdict.INVALID) for one in verdicts):
        return False
    return None if Verdict.INVALID in verdicts or not verdicts else True


def _share(decide: Decide, verdict: Verdict, shots: Iterable[Sequence[Verdict]], clusters: Clusters) -> Rate:
    found = [decide(verdict, verdicts) for verdicts in shots]
    own = range(len(found)) if clusters is None else clusters
    valid = [(float(one), cluster) for one, cluster in zip(found, own, strict=True) if one is not None]
    return clustered_rate([one for one, _ in valid], [cluster for _, cluster in valid], invalid=len(found) - len(valid))
