import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from unmirage.audit.ranking import auc
from unmirage.intervals import wilson


def drawn(rng, refused, answered, true=0.8, step=0.5):
    """Return scores, with ties, and labels; the area is about `true`."""
    shift = norm.ppf(true) * np.sqrt(2)
    scores = np.concatenate([rng.normal(shift, 1, refused), rng.normal(0, 1, answered)])
    return np.round(scores / step) * step, np.arange(refused + answered) < refused


def test_the_value_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    for refused, answered, step in ((1, 1, 1.0), (3, 40, 0.1), (50, 60, 1.0), (200, 9, 0.5)):
        score, label = drawn(rng, refused, answered, step=step)
        assert auc(score, label, np.arange(len(score))).value == pytest.approx(roc_auc_score(label, score))


def test_only_pairs_of_one_stratum_are_compared():
    rng = np.random.default_rng(0)
    score, label = drawn(rng, 60, 80)
    strata = rng.integers(4, size=140)
    parts = [(strata == one) for one in range(4)]
    pairs = [label[one].sum() * (~label[one]).sum() for one in parts]
    expected = np.average([roc_auc_score(label[one], score[one]) for one in parts], weights=pairs)
    assert auc(score, label, np.arange(140), strata).value == pytest.approx(expected)
    # Strata that differ in level only would lower a value over all pairs.
    assert auc(score + 10 * strata, label, np.arange(140), strata).value == pytest.approx(expected)
    one_label = np.where(label, strata, 9)
    assert auc(score, label, np.arange(140), one_label).value is None


def test_repeated_queries_in_one_cluster_do_not_narrow_the_interval():
    score, label = drawn(np.random.default_rng(0), 40, 50)
    once = auc(score, label, np.arange(90))
    again = auc(*(np.repeat(one, 5) for one in (score, label, np.arange(90))))
    assert (again.value, again.low, again.high) == pytest.approx((once.value, once.low, once.high))
    apart = auc(*(np.repeat(one, 5) for one in (score, label)), np.arange(450))
    assert apart.high - apart.low < 0.5 * (once.high - once.low)


@pytest.mark.parametrize("flipped", [False, True])
def test_a_perfect_ranking_has_an_interval_of_some_width(flipped):
    label = np.arange(50) < 20
    found = auc(np.where(label != flipped, 1.0, 0.0), label, np.arange(50))
    low, high = wilson(0 if flipped else 20, 20)
    assert (found.value, found.low, found.high) == (0 if flipped else 1, pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize(
    ("refused", "answered", "true", "copies"),
    [(50, 50, 0.5, 1), (200, 20, 0.5, 1), (50, 50, 0.8, 1), (200, 20, 0.95, 1), (100, 100, 0.99, 1), (30, 90, 0.8, 3)],
)
def test_the_interval_covers_the_true_area(refused, answered, true, copies):
    rng = np.random.default_rng(0)
    score, label = drawn(rng, 200_000, 200_000, true)
    area = auc(score, label, np.arange(400_000)).value
    found = []
    for _ in range(500):
        score, label = drawn(rng, refused, answered, true)
        found.append(auc(*(np.repeat(one, copies) for one in (score, label, np.arange(len(score))))))
    covered = np.mean([one.low <= area <= one.high for one in found])
    print(f"\n{refused} against {answered}, area {area:.3f}: coverage {covered:.3f}")
    assert covered >= 0.93
