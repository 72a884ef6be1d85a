"""Means of values in groups: the interval is that of the groups."""

import numpy as np
import pytest
from scipy.stats import t

from unmirage.intervals import mean


def test_groups_of_one_give_the_usual_t_interval():
    values = [0.1, 0.4, 0.35, 0.8, 0.2]
    found = mean(values, range(5))
    half = t.ppf(0.975, 4) * np.std(values, ddof=1) / np.sqrt(5)
    assert (found.value, found.n, found.groups) == (pytest.approx(0.37), 5, 5)
    assert (found.low, found.high) == (pytest.approx(0.37 - half), pytest.approx(0.37 + half))


def test_a_value_repeated_within_its_group_adds_no_certainty():
    values = [0.1, 0.4, 0.35, 0.8]
    once, twice = mean(values, range(4)), mean(np.repeat(values, 2), np.repeat(range(4), 2).tolist())
    assert (twice.low, twice.high) == (pytest.approx(once.low), pytest.approx(once.high))
    assert (twice.n, twice.groups) == (8, 4)


def test_bounds_hold():
    assert mean([0.0, 1.0], "ab").low == 0
    assert mean([0.0, 1.0], "ab").high == 1
    assert mean([-1.0, 1.0], "ab", (-1.0, 1.0)).low == -1


def test_too_little_to_tell():
    assert mean([], []).value is None
    alone = mean([0.5, 0.7], "aa")
    assert (alone.value, alone.low, alone.high) == (pytest.approx(0.6), None, None)
