from itertools import pairwise, product
from math import isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, multinomial, norm

from unmirage.evaluate.compare import Paired, _score, difference_interval, holm, paired, sign_flip_test

COUNTS = st.tuples(*[st.integers(0, 60)] * 3).filter(any)
P_VALUES = st.lists(st.none() | st.floats(0, 1), max_size=8)


def outcomes(only_a, only_b, neither):
    """Return two outcomes of the same samples that differ in so many."""
    a = [True] * only_a + [False] * only_b + [False] * neither
    b = [False] * only_a + [True] * only_b + [False] * neither
    return dict(enumerate(a)), dict(enumerate(b))


def test_only_samples_that_both_have_are_compared():
    a = {"x": True, "y": True, "z": False, "only here": True}
    b = {"x": True, "y": False, "z": False, "and there": False}
    found = paired(a, b)
    assert (found.n, found.only_a, found.only_b) == (3, 1, 0)
    assert found.difference == pytest.approx(-1 / 3)


def test_nothing_in_common_is_not_estimable():
    found = paired({"x": True}, {"y": True})
    assert found == Paired(n=0, only_a=0, only_b=0, difference=None, low=None, high=None, p_value=None)


# By hand: 7 against 1 of 8 coins: 2 (1 + 8) / 2^8; 5 of 5: 2 / 2^5; 3 against 3: everything is as extreme.
@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"), [(1, 7, 18 / 256), (5, 0, 2 / 32), (3, 3, 1.0), (0, 0, 1.0), (0, 1, 1.0)]
)
def test_mcnemar_worked_by_hand(only_a, only_b, p_value):
    assert paired(*outcomes(only_a, only_b, 4)).p_value == pytest.approx(p_value)


@given(COUNTS)
def test_the_test_is_the_binomial_test_of_the_samples_that_differ(counts):
    only_a, only_b, _ = counts
    expected = binomtest(only_b, only_a + only_b, 0.5).pvalue if only_a + only_b else 1.0
    assert paired(*outcomes(*counts)).p_value == pytest.approx(expected, abs=1e-12)


# The first two are the examples of Fagerland, Lydersen and Laake (Stat. Med. 33, 2014), whose R package
# contingencytables gives the second as -0.1240 to -0.0054; with no discordant pair it is +-z^2 / (n + z^2).
@pytest.mark.parametrize(
    ("only_a", "only_b", "n", "low", "high"),
    [
        (7, 1, 21, -0.5172, -0.0260),
        (16, 6, 161, -0.1240, -0.0054),
        (0, 0, 21, -0.1546, 0.1546),
        (10, 0, 10, -1.0, -0.4449),
    ],
)
def test_intervals_of_published_examples(only_a, only_b, n, low, high):
    assert difference_interval(only_a, only_b, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("only_a", "only_b", "n"), [(7, 1, 21), (2, 12, 50), (5, 9, 14), (0, 4, 30), (30, 33, 442)])
def test_at_its_limits_the_score_is_just_significant(only_a, only_b, n):
    """The statistic is built anew: its variance at the likeliest shares is found by maximising the likelihood."""
    z = norm.ppf(0.975)
    for limit, sign in zip(difference_interval(only_a, only_b, n), (1, -1), strict=True):

        def unlikely(q, limit=limit):
            shares = (q, q + limit, 1 - 2 * q - limit)
            return -multinomial.logpmf((only_a, only_b, n - only_a - only_b), n, shares)

        bounds = (max(0.0, -limit), (1 - limit) / 2)
        q = minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        error = np.sqrt(n * (2 * q + limit - limit**2))
        assert (only_b - only_a - n * limit) / error == pytest.approx(sign * z, abs=1e-3)


# By hand: at delta = -0.5 with 3 only in a of 4: linear = 11 * -0.5 - 3 = -8.5, under the root 72.25 - 72 = 0.25, so
# q = (0.5 + 8.5) / 16 = 0.5625, variance 4 (1.125 - 0.75) = 1.5, and the statistic (-3 + 2) / sqrt(1.5).
# With 1 only in a and 1 only in b: linear = -6, under the root 36 - 24 = 12, q = (sqrt(12) + 6) / 16.
@pytest.mark.parametrize(
    ("counts", "score"), [((3, 0, 4), -1 / 1.5**0.5), ((1, 1, 4), 2 / (4 * (2 * (12**0.5 + 6) / 16 - 0.75)) ** 0.5)]
)
def test_the_score_worked_by_hand(counts, score):
    assert _score(-0.5, *counts) == pytest.approx(score)


def test_rounding_leaves_the_score_a_number():
    # The root of 0 exactly: here rounding leaves -4.5e-13.
    assert isfinite(_score(-0.68, 17, 0, 21))


@given(COUNTS, st.floats(-1, 1))
def test_the_likeliest_share_needs_no_bounds(counts, delta):
    """Shares of samples with a yes on one side only are never negative, which `_score` does not check."""
    a, b, _ = counts
    n = sum(counts)
    linear = (2 * n - b + a) * delta - a - b
    q = (max(0.0, linear**2 + 8 * n * a * delta * (1 - delta)) ** 0.5 - linear) / (4 * n)
    assert q >= max(0.0, -delta) - 1e-7


@given(COUNTS)
def test_the_interval_lies_around_the_difference_and_turns_with_it(counts):
    found, turned = paired(*outcomes(*counts)), paired(*reversed(outcomes(*counts)))
    assert -1 <= found.low <= found.difference <= found.high <= 1
    assert found.low < found.high
    assert (turned.difference, turned.p_value) == (-found.difference, pytest.approx(found.p_value))
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low), abs=1e-9)


@pytest.mark.parametrize(("only_a", "only_b", "n"), [(0, 0, 0), (-1, 2, 5), (3, 3, 5)])
def test_counts_that_cannot_be_are_refused(only_a, only_b, n):
    with pytest.raises(ValueError, match=f"only_a={only_a}, only_b={only_b}, n={n}"):
        difference_interval(only_a, only_b, n)


@pytest.mark.parametrize("n", [50, 200])
def test_size_and_coverage_in_simulated_runs(n):
    random = np.random.default_rng(n)
    false_alarms = covered = 0
    for a, b, rest in random.multinomial(n, (0.15, 0.15, 0.7), size=400).tolist():
        found = paired(*outcomes(a, b, rest))
        false_alarms += found.p_value < 0.05
    for a, b, _ in random.multinomial(n, (0.05, 0.25, 0.7), size=400).tolist():
        low, high = difference_interval(a, b, n)
        covered += low <= 0.2 <= high
    assert false_alarms <= 0.05 * 400 + 10  # exact, so at most 5 %; 10 is over two standard errors
    assert covered / 400 == pytest.approx(0.95, abs=0.03)


def clustered(gained):
    """Return two outcomes and the clusters of samples, of which each cluster gains so much, among 6 samples each."""
    a, b, clusters = {}, {}, {}
    for cluster, (more, less) in enumerate(gained):
        for number in range(6):
            key = f"{cluster} {number}"
            a[key], b[key] = number >= 6 - less, number < more
            clusters[key] = cluster
    return a, b, clusters


@given(st.lists(st.integers(-6, 6), max_size=9))
def test_signs_of_clusters_are_flipped_in_all_ways(gained):
    sums = [
        abs(sum(sign * one for sign, one in zip(signs, gained, strict=True)))
        for signs in product((1, -1), repeat=len(gained))
    ]
    assert sign_flip_test(gained) == pytest.approx(np.mean([one >= abs(sum(gained)) for one in sums]))


# By hand: +-3 +-3 +-1 is 7, 5, 1 and 1 in size, each in two of eight ways; 3 + 3 - 1 = 5.
def test_the_flipped_sums_of_three_clusters():
    assert sign_flip_test([3, 3, -1]) == pytest.approx(4 / 8)
    assert sign_flip_test([3, 3, 1]) == pytest.approx(2 / 8)
    assert sign_flip_test([]) == sign_flip_test([0, 0]) == 1.0
    assert sign_flip_test([2] * 12) == pytest.approx(2 / 4096)


@given(COUNTS)
def test_single_samples_have_tangos_interval_and_mcnemars_test(counts):
    only_a, only_b, _ = counts
    alone = paired(*outcomes(*counts))
    assert (alone.low, alone.high) == difference_interval(only_a, only_b, sum(counts))
    assert (alone.clusters, alone.design_effect) == (sum(counts), 1.0)
    assert paired(*outcomes(*counts), {key: ("own", key) for key in range(sum(counts))}) == alone


# By hand: of twelve clusters of 6, six gain 5 samples and six gain 1: difference 0.5, residuals of 2, moved by 2 / 66:
# variance 11 * 4 / 66^2 = 1 / 99; of independent samples 0.25 / 72; design effect 288 / 99; 11 degrees of freedom.
def test_an_interval_of_clusters_worked_by_hand():
    found = paired(*clustered([(5, 0)] * 6 + [(1, 0)] * 6))
    assert (found.n, found.only_a, found.only_b, found.clusters) == (72, 0, 36, 12)
    assert found.design_effect == pytest.approx(288 / 99)
    worth = 72 * 99 / 288 / (2.200985 / 1.959964) ** 2
    assert (found.low, found.high) == pytest.approx(difference_interval(0, worth / 2, worth), rel=1e-5)
    assert found.p_value == pytest.approx(2 / 2**12)
    # Each sample alone would tell more.
    alone = paired(*clustered([(5, 0)] * 6 + [(1, 0)] * 6)[:2])
    assert (alone.low, alone.high) == difference_interval(0, 36, 72)
    assert alone.high - alone.low < 0.6 * (found.high - found.low)


def test_clusters_whose_samples_all_agree_count_as_one_sample_each():
    found = paired(*clustered([(6, 0)] * 6 + [(0, 6)] + [(0, 0)] * 5))
    assert (found.low, found.high) == pytest.approx(difference_interval(1, 6, 12))
    assert found.p_value == pytest.approx(binomtest(1, 7).pvalue)


def test_clusters_that_show_no_dependence_count_as_one_sample_each():
    for gained, difference in (([(0, 0)] * 5, 0.0), ([(2, 0)] * 5, 1 / 3), ([(3, 1)] * 5, 1 / 3), ([(3, 0)], 0.5)):
        found = paired(*clustered(gained))
        n, only_a, only_b = len(gained), found.only_a / 6, found.only_b / 6
        assert found.difference == pytest.approx(difference)
        assert (found.low, found.high) == pytest.approx(difference_interval(only_a, only_b, n))
        assert found.design_effect is None


def test_clusters_that_differ_less_than_chance_do_not_narrow_the_interval():
    found = paired(*clustered([(3, 0)] * 19 + [(2, 0)]))
    assert found.design_effect < 0.1
    assert (found.low, found.high) == difference_interval(0, 59, 120)


@pytest.mark.parametrize("count", [12, 30])
def test_size_and_coverage_of_clusters_in_simulated_runs(count):
    """Clusters of 6 whose samples nearly always gain, lose or stay together."""
    random = np.random.default_rng(count)
    alarms = naive = covered = 0
    for truth in (0.0, 0.3):
        for _ in range(300):
            kind = random.choice(3, size=count, p=(0.2 + truth, 0.2, 0.6 - truth))
            gained = [((5 if random.random() < 0.5 else 6) * (k == 0), 6 * (k == 1)) for k in kind.tolist()]
            a, b, clusters = clustered(gained)
            found = paired(a, b, clusters)
            expected = (0.2 + truth) * 5.5 / 6 - 0.2
            covered += found.low <= expected <= found.high
            if not truth:
                kept = [(6 * (k == 0), 6 * (k == 1)) for k in kind.tolist()]
                a, b, clusters = clustered(kept)
                alarms += paired(a, b, clusters).p_value < 0.05
                naive += paired(a, b).p_value < 0.05
    assert alarms <= 0.05 * 300 + 8
    assert naive > 0.3 * 300
    assert covered / 600 == pytest.approx(0.95, abs=0.035)


# p sorted: 0.01 0.02 0.03 0.04, times 4 3 2 1: 0.04 0.06 0.06 0.04, and none below the one before it.
def test_holm_worked_by_hand():
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.01, 0.005, 0.9]) == pytest.approx([0.02, 0.015, 0.9])
    assert holm([0.5, 0.6]) == [1.0, 1.0]


def test_a_test_that_could_not_be_made_does_not_count():
    assert holm([None, 0.02, None, 0.04]) == [None, 0.04, None, 0.04]
    assert holm([None]) == [None]
    assert holm([]) == []


@given(P_VALUES)
def test_holm_keeps_the_order_and_lies_between_no_correction_and_bonferronis(p_values):
    adjusted = holm(p_values)
    known = [(p, q) for p, q in zip(p_values, adjusted, strict=True) if p is not None]
    assert [q is None for q in adjusted] == [p is None for p in p_values]
    assert all(p <= q <= min(1.0, len(known) * p) for p, q in known)
    assert all(first[1] <= then[1] for first, then in pairwise(sorted(known)))


def test_holm_keeps_false_alarms_among_all_tests_at_5_per_cent():
    p_values = np.random.default_rng(0).random((2000, 6))
    assert np.mean([min(holm(row)) < 0.05 for row in p_values.tolist()]) == pytest.approx(0.05, abs=0.015)
