import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact as one_fisher_exact

from unmirage.audit.association import adjust, associate, fisher_exact


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


def test_fifty_thousand_features_take_a_second_or_two():
    rng = np.random.default_rng(0)
    refused, answered = rng.geometric(0.05, (2, 50_000))
    started = time.perf_counter()
    result = associate(refused, answered, 60_000, 40_000)
    assert time.perf_counter() - started < 3
    assert ((result.p_value > 0) & (result.p_value <= 1)).all()
