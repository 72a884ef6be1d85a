from math import comb, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from unmirage.intervals import clustered_rate, effective_trials, rate, wilson
from unmirage.records import Rate

COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


# Worked by hand with z = 1.959964 (z² = 3.841459):
# 5 of 10: centre 0.5, half = 1.959964 / 1.3841459 · √(0.025 + 0.00960365) = 0.263407.
# 0 of 10: low 0, high = z² / (n + z²) = 3.841459 / 13.841459.   1 of 1: low = 1 / (1 + z²).
@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (5, 10, 0.236593, 0.763407),
        (0, 10, 0.0, 0.277533),
        (10, 10, 0.722467, 1.0),
        (1, 1, 0.206549, 1.0),
        (0, 1, 0.0, 0.793451),
        (2, 3, 0.207660, 0.938508),
        (57, 442, 0.100882, 0.163430),  # the paper's n: RMU's 10.18 % and NPO's 12.92 % overlap
        (45, 442, 0.076962, 0.133519),
    ],
)
def test_wilson_worked_by_hand(k, n, low, high):
    assert wilson(k, n) == pytest.approx((low, high), abs=1e-6)


@given(COUNTS, st.sampled_from((0.8, 0.95, 0.99)))
def test_wilson_is_scipys(count, level):
    k, n = count
    found = binomtest(k, n).proportion_ci(confidence_level=level, method="wilson")
    assert wilson(k, n, level) == pytest.approx((found.low, found.high), abs=1e-9)


@given(COUNTS)
def test_the_interval_lies_in_0_to_1_around_the_share_and_is_symmetric(count):
    k, n = count
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert low < high
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def coverage(n, share):
    """Return the exact chance that the interval of a binomial draw holds the true share."""
    return sum(
        comb(n, k) * share**k * (1 - share) ** (n - k)
        for k in range(n + 1)
        if wilson(k, n)[0] <= share <= wilson(k, n)[1]
    )


@pytest.mark.parametrize("n", [10, 40, 200])
def test_coverage_is_near_95_per_cent(n):
    shares = [step / 50 for step in range(1, 50)]
    covered = [coverage(n, share) for share in shares]
    assert sum(covered) / len(covered) == pytest.approx(0.95, abs=0.012)
    assert min(covered) > 0.83


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_counts_that_cannot_be_are_refused(k, n):
    with pytest.raises(ValueError, match=f"k={k}, n={n}"):
        wilson(k, n)


def test_trials_that_hang_together_widen_the_interval():
    low, high = wilson(0.9 * 62.5, 62.5)
    for limit in (low, high):  # where the score test is just not significant
        assert abs(0.9 - limit) / sqrt(limit * (1 - limit) / 62.5) == pytest.approx(1.959964, abs=1e-6)
    assert low < wilson(90, 100)[0]
    assert high > wilson(90, 100)[1]


def test_a_rate_without_trials_is_not_estimable():
    assert rate(0, 0, 3) == Rate(value=None, low=None, high=None, k=0, n=0, invalid=3)


def test_a_rate_carries_its_interval_and_counts():
    found = rate(5, 10, 2)
    assert (found.value, found.k, found.n, found.invalid) == (0.5, 5, 10, 2)
    assert (found.low, found.high) == wilson(5, 10)


# By hand: shares 1/2 of 2 and 2 of 2: 3 of 4; residuals 1 - 1.5 and 2 - 1.5, so 0.1875 * 16 / 0.5 = 6, at most 4.
# 1 of 2 and 3 of 3 and 0 of 1: 4 of 6; residuals -1/3, 1, -2/3, squares 14/9, so 2/9 * 36 * 9/14 = 36/7.
@pytest.mark.parametrize(
    ("successes", "trials", "expected"),
    [
        ([1, 2], [2, 2], 4),
        ([1, 3, 0], [2, 3, 1], 36 / 7),
        ([1, 0, 0, 1], [1, 1, 1, 1], 4),
        ([0, 0], [5, 5], 2),
        ([5, 5, 5], [5, 5, 5], 3),
        ([1 / 3, 1 / 3, 1 / 3], [1, 1, 1], 3),
    ],
)
def test_effective_trials_worked_by_hand(successes, trials, expected):
    assert effective_trials(successes, trials, sum(trials)) == pytest.approx(expected)


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_clusters_of_one_are_plain_trials(successes):
    k, n = sum(successes), len(successes)
    assert clustered_rate(list(map(float, successes)), [1] * n, most=n, invalid=3) == rate(k, n, 3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.integers(1, 5))
def test_a_clustered_rate_lies_in_its_interval(estimates, factor):
    found = clustered_rate(estimates, [1] * len(estimates), most=factor * len(estimates))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.n == len(estimates)


def test_no_clusters_are_not_estimable():
    assert clustered_rate([], [], most=0, invalid=2) == rate(0, 0, 2)
