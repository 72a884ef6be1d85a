from itertools import permutations
from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, t

from unmirage.intervals import clustered_rate, effective_trials, rate, ratio_spread, wilson
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
    assert rate(0, 0, 3) == Rate(value=None, low=None, high=None, k=0, n=0, invalid=3, clusters=0, least=0, most=1)
    assert (rate(0, 0).least, rate(0, 0).most) == (None, None)


def test_a_rate_carries_its_interval_and_counts():
    found = rate(5, 10, 2)
    assert (found.value, found.k, found.n, found.invalid) == (0.5, 5, 10, 2)
    assert (found.low, found.high) == wilson(5, 10)
    assert (found.clusters, found.design_effect) == (10, 1.0)
    assert (found.least, found.most) == (5 / 12, 7 / 12)
    assert (rate(5, 10).least, rate(5, 10).most) == (0.5, 0.5)


def jackknife(successes, trials):
    """Return the variance of the share by leaving out each cluster in turn, as it is defined."""
    share = sum(successes) / sum(trials)
    without = [(sum(successes) - k) / (sum(trials) - n) for k, n in zip(successes, trials, strict=True)]
    return (len(trials) - 1) / len(trials) * sum((one - share) ** 2 for one in without)


# By hand: twelve clusters of 10, six with 8 successes and six with 2. Residuals of 3, moved by 3 / 110: variance
# 11 * 9 / 110^2 = 9 / 1100, of independent trials 0.25 / 120; design effect 43.2 / 11. Kurtosis 1 and equal sizes: 11
# degrees of freedom, t = 2.200985.
# One with 2 and eleven without any: moved as 11 and 11 times -1: kurtosis 12 * 14652 / 132^2 = 10.0909, so
# 24 / 9.0909 = 2.64 degrees of freedom, t = 3.442611. Variance 11 / 12 * (11^2 + 11) * (1/6)^2 / 110^2 = 1 / 3600, of
# independent trials 59 / 3600 / 120; design effect 120 / 59.
@pytest.mark.parametrize(
    ("successes", "effect", "freedom", "quantile"),
    [([8] * 6 + [2] * 6, 43.2 / 11, 11, 2.200985), ([2] + [0] * 11, 120 / 59, 2.64, 3.442611)],
)
def test_clusters_are_worth_fewer_trials_than_they_have(successes, effect, freedom, quantile):
    assert t.ppf(0.975, freedom) == pytest.approx(quantile, abs=1e-6)
    found = clustered_rate(successes, range(12), trials=[10] * 12, invalid=3)
    worth = 120 / effect / (quantile / 1.959964) ** 2
    assert worth > 12
    assert effective_trials(successes, range(12), trials=[10] * 12) == pytest.approx(worth, rel=1e-5)
    assert (found.low, found.high) == pytest.approx(wilson(found.value * worth, worth), rel=1e-5)
    assert (found.k, found.n, found.clusters, found.invalid) == (sum(successes), 120, 12, 3)
    assert found.design_effect == pytest.approx(effect)


def test_clusters_are_worth_no_fewer_trials_than_there_are_clusters():
    """Where all trials of a cluster agree, they are one trial, and the interval is Wilson's of the clusters."""
    for right in (1, 5, 6, 11):
        found = clustered_rate([10] * right + [0] * (12 - right), range(12), trials=[10] * 12)
        assert (found.low, found.high) == pytest.approx((rate(right, 12).low, rate(right, 12).high))
        assert found.design_effect == pytest.approx(120 / 11)
    # Of unequal sizes, as many as equal ones that tell as much: 60^2 / (40^2 + 2 * 10^2) = 2.
    found = clustered_rate([40, 10, 0], range(3), trials=[40, 10, 10])
    assert (found.low, found.high) == pytest.approx(wilson(2 * 5 / 6, 2))
    # But no more than there are trials.
    assert effective_trials([0.0, 1.0, 0.5, 0.0], "abcd", most=2) == 2


# Sizes 5, 20, 45, 50: 120^2 / 4950 - 1 = 1.909 degrees of freedom, fewer than 2 * 4 / (kurtosis - 1).
@pytest.mark.parametrize("successes", [(3, 15, 20, 10), (1, 19, 30, 31), (4, 0, 45, 20)])
def test_the_variance_leaves_out_each_cluster_and_unequal_sizes_count_as_fewer(successes):
    trials = (5, 20, 45, 50)
    share = sum(successes) / 120
    found = clustered_rate(successes, range(4), trials=trials)
    assert found.design_effect == pytest.approx(jackknife(successes, trials) / (share * (1 - share) / 120))
    residuals = np.array(successes) - share * np.array(trials)
    spread = ratio_spread(residuals, np.array(trials, dtype=float))
    assert spread.freedom == pytest.approx(120**2 / 4950 - 1)
    assert spread.widening == pytest.approx((t.ppf(0.975, 120**2 / 4950 - 1) / norm.ppf(0.975)) ** 2)


def test_two_clusters_of_which_one_is_small_have_one_degree_of_freedom():
    assert ratio_spread(np.array([1.0, -1.0]), np.array([5.0, 95.0])).freedom == 1.0


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=12), st.randoms())
def test_rounding_does_not_depend_on_the_order_of_the_units(units, random):
    shuffled = random.sample(units, len(units))
    rates = [clustered_rate(*zip(*own, strict=True), most=99) for own in (units, shuffled)]
    assert rates[0] == rates[1]


def test_units_of_one_cluster_are_summed_whatever_their_order():
    units = [(2, 3, "a"), (0, 1, "b"), (1, 1, "a"), (4, 4, "c"), (0, 2, "b")]
    summed = clustered_rate([3, 0, 4], "abc", trials=[4, 3, 4])
    for order in permutations(units):
        successes, trials, clusters = zip(*order, strict=True)
        assert clustered_rate(successes, clusters, trials=trials) == summed
    assert (summed.k, summed.n, summed.clusters) == (7, 11, 3)


@pytest.mark.parametrize(
    ("successes", "trials", "worth"),
    [
        ([0, 0], [5, 5], 2),  # nothing succeeded
        ([5, 5, 5], [5, 5, 5], 3),
        ([1, 2, 3], [2, 4, 6], 12**2 / 56),  # the same share in all
        ([30], [100], 1),  # one cluster
    ],
)
def test_clusters_that_show_no_dependence_count_as_one_trial_each(successes, trials, worth):
    assert effective_trials(successes, range(len(trials)), trials=trials) == pytest.approx(worth)
    found = clustered_rate(successes, range(len(trials)), trials=trials)
    assert (found.low, found.high) == pytest.approx(wilson(found.value * worth, worth))
    assert found.design_effect is None


def test_what_rounding_leaves_is_no_difference_between_clusters():
    assert 0.1 - sum([0.1] * 3) / 3 != 0
    assert effective_trials([0.1] * 3, range(3), most=9) == 3


def test_pictures_that_are_all_right_promise_no_more_than_as_many_trials():
    found = clustered_rate(np.ones(2000, dtype=bool), np.repeat(range(4), 500))
    assert (found.low, found.high) == (pytest.approx(0.510109, abs=1e-6), 1.0)
    assert (found.k, found.n, found.clusters) == (2000, 2000, 4)


def test_an_interval_of_clusters_is_never_narrower_than_that_of_independent_trials():
    # Nine of ten in each of forty clusters but one: they differ less than chance would have it.
    found = clustered_rate([9] * 39 + [8], range(40), trials=[10] * 40)
    assert found.design_effect < 0.1
    assert (found.low, found.high) == (rate(359, 400).low, rate(359, 400).high)


def test_expectations_count_as_no_more_trials_than_were_made():
    chances = [0.5, 1.0, 0.5, 0.75, 0.5, 0.75] * 20
    assert effective_trials(chances, range(120), most=180) == 180
    found = clustered_rate(chances, range(120), most=180)
    assert (found.low, found.high) == pytest.approx(wilson(found.value * 180, 180))
    assert 180 < effective_trials(chances, range(120), most=10**6) < 10**6


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_clusters_of_one_are_plain_trials(successes):
    k, n = sum(successes), len(successes)
    assert clustered_rate(list(map(float, successes)), range(n), invalid=3) == rate(k, n, 3)
    assert clustered_rate(np.array(successes), np.arange(n) * 7) == rate(k, n)
    assert effective_trials(list(map(float, successes)), range(n)) == n


@example([0.0, 0.0, 0.0, 2.678053332869524e-176], 1, 3)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.integers(1, 5), st.integers(1, 4))
def test_a_clustered_rate_lies_in_its_interval(estimates, factor, size):
    clusters = [number // size for number in range(len(estimates))]
    found = clustered_rate(estimates, clusters, most=factor * len(estimates))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert (found.n, found.clusters) == (len(estimates), len(set(clusters)))


def test_no_clusters_are_not_estimable():
    assert clustered_rate([], [], invalid=2) == clustered_rate([0], "a", trials=[0], invalid=2) == rate(0, 0, 2)


@pytest.mark.parametrize("clusters", [12, 24])
@pytest.mark.parametrize("effect", [1, 4, 12])
def test_intervals_hold_the_truth_as_often_as_they_say(clusters, effect):
    """Clusters of 22 with chances from a beta distribution, whose spread gives the design effect."""
    random, size, held = np.random.default_rng(clusters), 22, []
    correlation = (effect - 1) / (size - 1)
    for share in (0.1, 0.3, 0.5, 0.8):
        chances = np.full((250, clusters), share)
        if correlation:
            both = (1 - correlation) / correlation
            chances = random.beta(share * both, (1 - share) * both, chances.shape)
        for run in random.binomial(size, chances).tolist():
            found = clustered_rate(run, range(clusters), trials=[size] * clusters)
            held.append(found.low <= share <= found.high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)
