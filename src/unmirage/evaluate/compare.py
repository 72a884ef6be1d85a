"""Compare rates on the same samples: each model before and after the attack, and each model with a reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf, sqrt
from typing import TypeVar

import numpy as np
from scipy.optimize import brentq
from scipy.signal import convolve
from scipy.stats import binom, norm

from unmirage.evaluate.per_sample_outcomes import RATES, Decided
from unmirage.intervals import LEVEL, Floats, equal_clusters, numbered, ratio_spread
from unmirage.records import Amount, Count, Difference, Share
from unmirage.text.printable import clean

Key = TypeVar("Key", bound=Hashable)
_NOTHING = 1e-9  # residuals up to this size are rounding errors


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: a rate of a model."""

    model: str
    rate: str


@dataclass(frozen=True, kw_only=True)
class _Sides:
    a: Side
    b: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two shares on the same samples. Without common samples, difference, interval and p-value are None.

    Attributes:
        n: number of common samples.
        only_a, only_b: numbers of samples with a yes on one side only.
        difference: share of b minus share of a.
        low, high: 95 % confidence interval of the difference; see `paired`.
        p_value: exact two-sided p-value; see `sign_flip_test`.
        p_holm: the same, corrected for all comparisons of a table (Holm 1979).
        clusters: number of clusters.
        design_effect: variance of the difference divided by that for n independent samples; None if the clusters do
            not determine it.
        left_out: common samples that a missing verdict excludes. The fields above assume that verdicts are missing at
            random.
        least, most: worst-case bounds, the minimum and maximum of the difference over all verdicts that the missing
            ones could be. None if no sample is left out.
        p_least, p_most: the same for `p_value`.
    """

    n: Count
    only_a: Count
    only_b: Count
    difference: Difference | None
    low: Difference | None
    high: Difference | None
    p_value: Share | None
    p_holm: Share | None = None
    clusters: Count = 0
    design_effect: Amount | None = None
    left_out: Count = 0
    least: Difference | None = None
    most: Difference | None = None
    p_least: Share | None = None
    p_most: Share | None = None

    def between(self, a: Side, b: Side, p_holm: float | None) -> Comparison:
        """Return the comparison of two sides that has these numbers."""
        return Comparison(a=a, b=b, **asdict(replace(self, p_holm=p_holm)))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison(Paired, _Sides):
    """Two rates on the same samples. The difference is b minus a."""

    def reversed(self) -> Comparison:
        """Return the same comparison with the sides exchanged."""
        exchanged = replace(self, a=self.b, b=self.a, only_a=self.only_b, only_b=self.only_a)
        turned = self.difference, self.high, self.low, self.most, self.least
        difference, low, high, least, most = (None if one is None else -one for one in turned)
        return replace(exchanged, difference=difference, low=low, high=high, least=least, most=most)

    def __repr__(self) -> str:
        sides = " - ".join(f"{clean(side.model, 60)!r} {clean(side.rate, 40)}" for side in (self.b, self.a))
        if self.difference is None:
            return f"{sides}: n/a (n={self.n})"
        p = "" if self.p_holm is None else f", p_holm={self.p_holm:.2g}"
        return f"{sides}: {self.difference:+.3f} [{self.low:+.3f}, {self.high:+.3f}]{p}, n={self.n}"


def paired(a: Mapping[Key, bool], b: Mapping[Key, bool], clusters: Mapping[Key, Hashable] | None = None) -> Paired:
    """Compare two outcomes on their common samples.

    The interval is Tango's score interval (`difference_interval`) with the effective number of samples, computed as
    for a share (`intervals.effective_trials`). It has a positive width even if no sample differs, and stays within -1
    and 1. It is never narrower than the interval for independent samples, and equals it if each cluster is one sample.

    Args:
        a, b: sample -> outcome.
        clusters: sample -> cluster; None makes each sample its own cluster.
    """
    both = sorted((key for key in a if key in b), key=repr)
    n = len(both)
    if not n:
        return Paired(n=0, only_a=0, only_b=0, difference=None, low=None, high=None, p_value=None)
    only_a = sum(a[key] and not b[key] for key in both)
    only_b = sum(b[key] and not a[key] for key in both)
    number = numbered(both if clusters is None else [clusters[key] for key in both])
    sizes = np.bincount(number).astype(np.float64)
    gained = np.bincount(number, weights=[b[key] - a[key] for key in both]).astype(np.float64)
    effect, inflation = _inflation(gained, sizes, only_a, only_b)
    fewer_a, fewer_b = only_a / inflation, only_b / inflation
    low, high = difference_interval(fewer_a, fewer_b, max(n / inflation, fewer_a + fewer_b))  # rounding may exceed n
    return Paired(
        n=n,
        only_a=only_a,
        only_b=only_b,
        difference=(only_b - only_a) / n,
        low=low,
        high=high,
        p_value=sign_flip_test(gained.astype(int).tolist()),
        clusters=len(sizes),
        design_effect=effect,
    )


def _inflation(gained: Floats, sizes: Floats, only_a: int, only_b: int) -> tuple[float | None, float]:
    """Return the design effect, and the ratio of the number of samples to the effective number."""
    n = float(sizes.sum())
    if len(sizes) == n:
        return 1.0, 1.0
    difference = (only_b - only_a) / n
    independent = ((only_a + only_b) / n - difference**2) / n
    residuals = gained - difference * sizes
    most = n / equal_clusters(sizes)
    if independent <= 0 or not np.any(np.abs(residuals) > _NOTHING):
        return None, most
    spread = ratio_spread(residuals, sizes)
    effect = spread.variance / independent
    return effect, min(most, max(1.0, effect * spread.widening))


def sign_flip_test(gained: Sequence[int]) -> float:
    """Return the exact two-sided p-value of a sum of differences under random sign flips.

    A convolution enumerates all sign flips, without random draws. With one sample per cluster (differences of -1, 0
    and 1) this is the exact McNemar test (McNemar 1947). The null hypothesis is that the difference of each cluster is
    symmetric about 0. The p-value is 1 if all differences are 0.

    Args:
        gained: difference of each cluster.
    """
    chances = np.ones(1)  # probability of each sum, from -reach to reach in steps of 1
    for size, times in sorted(Counter(abs(one) for one in gained if one).items()):
        steps = np.zeros(2 * size * times + 1)
        steps[:: 2 * size] = binom.pmf(np.arange(times + 1), times, 0.5)
        chances = np.clip(convolve(chances, steps), 0.0, None)
    reach, found = len(chances) // 2, abs(sum(gained))
    tail = float(chances[reach + found :].sum() + chances[: reach - found + 1].sum())
    return min(1.0, tail)


def difference_interval(only_a: float, only_b: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of the difference b - a of two paired shares (Tango 1998, Stat. Med. 17, 891-908).

    The interval contains the differences that a score test does not reject; at a difference of 0 that is McNemar's
    test. Unlike Wald's interval, it has a positive width if no sample differs. The counts may be fractional, because
    clustering reduces the effective number of samples.
    """
    if not 0 <= only_a + only_b <= n or min(only_a, only_b) < 0 or n == 0:
        raise ValueError(f"only_a + only_b <= n and n > 0 are required, got only_a={only_a}, only_b={only_b}, n={n}")
    z = float(norm.ppf(0.5 + level / 2))

    def score(delta: float, limit: float) -> float:
        return _score(delta, only_a, only_b, n) - limit

    # The score decreases from +inf to -inf between -1 and 1, so each limit is the unique root of score = z or -z.
    low = -1.0 if only_a == n else brentq(score, -1.0, 1.0, args=(z,), xtol=1e-12)
    high = 1.0 if only_b == n else brentq(score, -1.0, 1.0, args=(-z,), xtol=1e-12)
    return float(low), float(high)


def _score(delta: float, only_a: float, only_b: float, n: float) -> float:
    """Return Tango's statistic: the distance of the observed difference from `delta` in standard errors."""
    # q is the maximum-likelihood share of samples with a yes in a only, given the difference delta. It is the larger
    # root of 2n q^2 + linear q - only_a delta (1 - delta). The quadratic is -only_a delta (1 - delta) at q = 0 and
    # only_b delta (1 + delta) at q = -delta, so the root needs no clipping to stay above 0 and -delta. The max()
    # below guards against rounding errors when both values are 0.
    linear = (2 * n - only_b + only_a) * delta - only_a - only_b
    root = sqrt(max(0.0, linear * linear + 8 * n * only_a * delta * (1 - delta)))
    q = (root - linear) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    above = only_b - only_a - n * delta
    if variance <= 0:
        return 0.0 if above == 0 else inf * above
    return above / sqrt(variance)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values corrected for multiple tests, which controls the family-wise error rate (Holm 1979).

    None marks a test without a result. It stays None and does not count as a test.
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, index) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * p))
        adjusted[index] = least
    return adjusted


ByRate = Mapping[str, Decided]
_Change = tuple[int, Hashable]  # difference of a sample, and its cluster
ATTACKED = ("asr", "rr", "benign_answered")


def compare(models: Mapping[str, ByRate], reference: str | None = None) -> list[Comparison]:
    """Compare each model before and after the attack, and each other model with the reference.

    Args:
        models: model name -> rate -> decision for each sample.
        reference: model that all others are compared with; None selects the first model.
    """
    both = sides(list(models), reference or next(iter(models), ""))
    tested = [(a, b, pair(models[a.model][a.rate], models[b.model][b.rate])) for a, b in both]
    tested = [one for one in tested if one[2].n]
    adjusted = holm([found.p_value for _, _, found in tested])
    return [found.between(a, b, p) for (a, b, found), p in zip(tested, adjusted, strict=True)]


def pair(a: Decided, b: Decided) -> Paired:
    """Compare the decisions on the samples that both sides have.

    If the two sides have different clusters, as with a run made before groups were recorded, the coarser ones apply.
    """
    common = a.keys() & b.keys()
    known = [{key: one.cluster for key, one in own.items() if key in common} for own in (a, b)]
    clusters = min(known, key=lambda own: len(set(own.values())))
    first, second = ({key: one.yes for key, one in own.items() if one.yes is not None} for own in (a, b))
    found = paired(first, second, clusters)
    if found.n == len(common):
        return found
    changes = [(_filled(a[key].yes), _filled(b[key].yes), clusters[key]) for key in common]
    lowest = [(min(two) - max(one), cluster) for one, two, cluster in changes]
    highest = [(max(two) - min(one), cluster) for one, two, cluster in changes]
    return _with_bounds(found, lowest, highest)


def _filled(yes: bool | None) -> tuple[int, ...]:
    """Return the possible values of a decision: both if it depends on a missing verdict."""
    return (0, 1) if yes is None else (int(yes),)


def _with_bounds(found: Paired, lowest: Sequence[_Change], highest: Sequence[_Change]) -> Paired:
    """Return a comparison with the bounds of its difference and p-value, from those of each sample's difference.

    For a positive sum of the clusters' differences, the p-value is twice the probability that the sum of a random
    subset of them is not positive, so it decreases in each difference. Hence its extremes over all fillings are at the
    bounds of the differences, and it is 1 if the sum can be 0.
    """
    ends = [_sums(lowest), _sums(highest)]
    least, most = map(sum, ends)
    p_values = [sign_flip_test(one) for one in ends]
    return replace(
        found,
        left_out=len(lowest) - found.n,
        least=least / len(lowest),
        most=most / len(lowest),
        p_least=min(p_values),
        p_most=1.0 if least <= 0 <= most else max(p_values),
    )


def _sums(changes: Sequence[_Change]) -> list[int]:
    """Return the sum of the differences in each cluster."""
    found: Counter[Hashable] = Counter()
    for change, cluster in changes:
        found[cluster] += change
    return list(found.values())


def sides(models: Sequence[str], reference: str) -> list[tuple[Side, Side]]:
    """Return the pairs to compare: each model before and after the attack, then the reference with each other model."""
    attacked = [(Side(model, f"{rate}.before"), Side(model, f"{rate}.after")) for model in models for rate in ATTACKED]
    others = [(Side(reference, rate), Side(model, rate)) for model in models if model != reference for rate in RATES]
    return attacked + others
