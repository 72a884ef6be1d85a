import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, t

from unmirage.evaluate.bootstrap import clustered_bootstrap, mean_over_seeds
from unmirage.intervals import Mean

CLUSTERS = st.lists(st.lists(st.floats(0, 1), max_size=4), max_size=12)
UNEVEN = [[1, 1, 1], [0], [1, 0], [0, 0, 0], [1, 1], [0, 1, 0], [0.5], [1, 0, 0, 1]] * 5


def test_the_value_is_the_mean_of_all_values():
    found = clustered_bootstrap([[1.0, 0.0, 0.5], [], [1.0]], seed=0)
    assert (found.value, found.n, found.groups) == (pytest.approx(2.5 / 4), 4, 2)


def test_nothing_is_not_estimable_and_what_does_not_differ_has_no_interval():
    nothing = Mean(value=None, low=None, high=None, n=0, groups=0)
    assert clustered_bootstrap([]) == clustered_bootstrap([[], []]) == nothing
    assert clustered_bootstrap([[1.0, 1.0], [1.0]]) == Mean(value=1.0, low=None, high=None, n=3, groups=2)
    assert clustered_bootstrap([[1.0, 0.0]]).low is None


def test_a_seed_decides_the_interval():
    assert clustered_bootstrap(UNEVEN, seed=1) == clustered_bootstrap(UNEVEN, seed=1)
    assert clustered_bootstrap(UNEVEN, seed=1).low != clustered_bootstrap(UNEVEN, seed=2, draws=999).low


def test_without_clusters_it_is_scipys_bca():
    values = np.random.default_rng(3).beta(0.4, 2.0, 60)
    expected = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    found = clustered_bootstrap([[one] for one in values.tolist()], seed=0, draws=20_000)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.003)


def test_clusters_of_one_size_are_as_good_as_their_means():
    clusters = [[1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0]] * 10
    means = [[sum(own) / 3] for own in clusters]
    one, other = clustered_bootstrap(clusters, seed=5), clustered_bootstrap(means, seed=5)
    assert (one.low, one.high) == pytest.approx((other.low, other.high))


def test_shots_that_hang_together_widen_the_interval():
    alike, apart = [[1.0] * 10, [0.0] * 10] * 20, [[1.0, 0.0] * 5, [1.0, 0.0] * 5 + [1.0]] * 20
    wide, narrow = clustered_bootstrap(alike), clustered_bootstrap(apart)
    assert wide.high - wide.low > 0.25
    assert narrow.high - narrow.low < 0.05


@given(CLUSTERS)
def test_the_interval_lies_within_what_the_clusters_hold(clusters):
    found = clustered_bootstrap(clusters, draws=50)
    if found.low is not None:
        means = [np.mean(own) for own in clusters if own]
        assert min(means) - 1e-9 <= found.low <= found.high <= max(means) + 1e-9


@pytest.mark.parametrize(("shots", "share"), [(3, 0.2), (10, 0.5)])
def test_coverage_is_near_95_per_cent(shots, share):
    random = np.random.default_rng(shots)
    covered = 0
    for run in range(300):
        successes = random.binomial(shots, random.beta(share, 1 - share, 100)).tolist()
        found = clustered_bootstrap([[1] * one + [0] * (shots - one) for one in successes], run, 500)
        covered += found.low <= share <= found.high
    assert covered / 300 == pytest.approx(0.95, abs=0.035)


# By hand: mean 0.4, standard deviation 0.1, t(0.975; 2) = 4.302653: 0.4 +- 4.302653 * 0.1 / sqrt(3).
def test_the_mean_over_seeds_has_a_t_interval():
    found = mean_over_seeds([0.3, 0.4, 0.5])
    assert (found.value, found.low, found.high) == pytest.approx((0.4, 0.151586, 0.648414), abs=1e-6)
    rates = [0.61, 0.55, 0.7, 0.66, 0.58]
    low, high = t.interval(0.95, 4, np.mean(rates), np.std(rates, ddof=1) / np.sqrt(5))
    assert (mean_over_seeds(rates).low, mean_over_seeds(rates).high) == pytest.approx((low, high))


def test_one_seed_has_no_interval_and_limits_stay_shares():
    assert mean_over_seeds([0.7]) == Mean(value=0.7, low=None, high=None, n=1, groups=1)
    assert mean_over_seeds([]).value is None
    assert (mean_over_seeds([0.0, 1.0]).low, mean_over_seeds([0.0, 1.0]).high) == (0.0, 1.0)
