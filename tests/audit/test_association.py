import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from scipy.stats import fisher_exact as one_fisher_exact

from unmirage.audit.association import adjust, associate, fisher_exact, mantel_haenszel


@given(data=st.data(), all_refused=st.integers(0, 60), all_answered=st.integers(0, 60))
def test_p_values_equal_the_reference_one_table_at_a_time(data, all_refused, all_answered):
    refused = data.draw(st.lists(st.integers(0, all_refused), min_size=1, max_size=5))
    answered = [data.draw(st.integers(0, all_answered)) for _ in refused]
    expected = [
        one_fisher_exact([[a, b], [all_refused - a, all_answered - b]]).pvalue
        for a, b in zip(refused, answered, strict=True)
    ]
    got = fisher_exact(np.array(refused), np.array(answered), all_refused, all_answered)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9)


def test_p_values_of_large_counts_equal_the_reference():
    refused, answered = np.array([862, 61, 195, 3, 0]), np.array([103, 869, 0, 1, 977])
    expected = [one_fisher_exact([[a, b], [2000 - a, 977 - b]]).pvalue for a, b in zip(refused, answered, strict=True)]
    np.testing.assert_allclose(fisher_exact(refused, answered, 2000, 977), expected, rtol=1e-6, atol=1e-12)


def test_log_odds_and_interval_by_hand():
    # "can" in VLGuard: 862 of 2000 refused and 103 of 977 answered queries.
    result = associate(np.array([862]), np.array([103]), 2000, 977)
    log_odds = np.log(862.5 * 874.5 / (103.5 * 1138.5))
    margin = 1.959964 * np.sqrt(1 / 862.5 + 1 / 103.5 + 1 / 1138.5 + 1 / 874.5)
    assert result.log_odds[0] == pytest.approx(log_odds)
    assert (result.low[0], result.high[0]) == pytest.approx((log_odds - margin, log_odds + margin))


def test_empty_cells_stay_finite_and_the_sign_says_the_direction():
    result = associate(np.array([9, 0]), np.array([0, 9]), 20, 20)
    assert np.isfinite([result.log_odds, result.low, result.high]).all()
    assert result.log_odds[0] == pytest.approx(-result.log_odds[1])
    assert result.log_odds[0] > 0


def test_features_that_all_queries_have_show_nothing():
    result = associate(np.array([20]), np.array([30]), 20, 30)
    assert result.p_value[0] == pytest.approx(1)
    assert result.low[0] < 0 < result.high[0]


def test_benjamini_hochberg_by_hand():
    np.testing.assert_allclose(adjust(np.array([0.01, 0.04, 0.03, 0.5])), [0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert adjust(np.array([])).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_q_values_equal_the_reference(p_values):
    np.testing.assert_allclose(adjust(np.array(p_values)), false_discovery_control(p_values, method="bh"))


def pooled(*strata):
    """Pool strata of (refused with, answered with, refused without, answered without) queries."""
    a, b, c, d = np.array(strata, dtype=np.int64).T
    return mantel_haenszel(a, b, a + c, b + d)


def test_one_stratum_gives_the_plain_log_odds_and_woolfs_interval_without_a_correction():
    result = pooled((8, 3, 2, 7))
    margin = 1.959964 * np.sqrt(1 / 8 + 1 / 3 + 1 / 2 + 1 / 7)
    log_odds = np.log(8 * 7 / (3 * 2))
    assert (result.log_odds, result.low, result.high) == pytest.approx((log_odds, log_odds - margin, log_odds + margin))


def test_two_strata_by_hand():
    # Robins, Breslow and Greenland's terms, stratum by stratum, with n = 20 and n = 10:
    #   R = ad/n:     8*7/20 = 2.8   3*4/10 = 1.2   sum 4      -> common odds ratio 4 / 0.5 = 8
    #   S = bc/n:     3*2/20 = 0.3   2*1/10 = 0.2   sum 0.5
    #   P = (a+d)/n:   15/20 = 0.75    7/10 = 0.7
    #   Q = (b+c)/n:    5/20 = 0.25    3/10 = 0.3
    #   PR:  2.1 + 0.84 = 2.94
    #   PS + QR:  0.225 + 0.7 + 0.14 + 0.36 = 1.425
    #   QS:  0.075 + 0.06 = 0.135
    #   variance = 2.94 / (2 * 4^2) + 1.425 / (2 * 4 * 0.5) + 0.135 / (2 * 0.5^2)
    #            = 0.091875 + 0.35625 + 0.27 = 0.718125
    result = pooled((8, 3, 2, 7), (3, 2, 1, 4))
    margin = 1.959964 * np.sqrt(0.718125)
    assert result.log_odds == pytest.approx(np.log(8))
    assert (result.low, result.high) == pytest.approx((np.log(8) - margin, np.log(8) + margin))


def test_the_interval_covers_the_common_odds_ratio_as_often_as_it_says():
    rng = np.random.default_rng(0)
    base = np.array([0.1, 0.25, 0.4, 0.5, 0.7, 0.85])  # share refused without the feature
    odds = 3 * base / (1 - base)
    having, lacking = np.array([10, 60, 15, 30, 12, 40]), np.array([30, 20, 40, 10, 25, 50])
    covered = 0
    for _ in range(1000):
        a, c = rng.binomial(having, odds / (1 + odds)), rng.binomial(lacking, base)
        result = pooled(*np.stack([a, having - a, c, lacking - c]).T)
        covered += result.low <= np.log(3) <= result.high
    assert 935 <= covered <= 967


def test_a_tie_that_comes_from_the_strata_alone_is_none_within_them():
    # Simpson: the feature is frequent where most are refused, and tells nothing there or elsewhere.
    strata = ((72, 8, 18, 2), (2, 18, 8, 72))
    marginal = associate(np.array([74]), np.array([26]), 100, 100)
    assert marginal.low[0] > 1
    result = pooled(*strata)
    assert result.log_odds == pytest.approx(0)
    assert result.low < 0 < result.high


@pytest.mark.parametrize(
    "strata",
    [
        [(5, 0, 3, 0)],  # all refused
        [(0, 5, 0, 3)],  # all answered
        [(5, 2, 0, 0)],  # all have the feature
        [(0, 0, 4, 4)],  # none has it
        [(0, 0, 0, 0), (1, 0, 0, 0)],
    ],
)
def test_strata_that_tell_nothing_give_nothing_and_change_nothing(strata):
    assert pooled(*strata) is None
    assert pooled((8, 3, 2, 7), *strata) == pooled((8, 3, 2, 7))


@pytest.mark.parametrize("strata", [[(5, 0, 0, 5)], [(5, 0, 2, 3), (4, 0, 1, 9)], [(0, 5, 5, 0), (0, 2, 1, 1)]])
def test_strata_that_all_point_one_way_without_exception_stay_finite(strata):
    result = pooled(*strata)
    assert np.isfinite([result.log_odds, result.low, result.high]).all()
    assert (result.log_odds > 0) == (strata[0][0] > 0)
