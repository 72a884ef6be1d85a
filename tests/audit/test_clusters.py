import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.audit.association import Clustered, associate, clustered
from unmirage.audit.membership import from_masks


def found(labels, has, clusters, told=None):
    """Return what clusters do to one feature."""
    has = np.array(has, dtype=bool)
    everyone = np.ones(len(has), dtype=bool) if told is None else np.array(told)
    return clustered(from_masks([has], len(has)), np.array(labels, dtype=bool), np.array(clusters), everyone)


def effect(labels, has, clusters):
    result = found(labels, has, clusters)
    return 1.0 if result is None else result.design_effect[0]


@pytest.mark.parametrize("refused", [2, 10, 15])
def test_queries_that_stand_alone_have_no_design_effect_however_strong_the_tie(refused):
    labels = np.arange(20) < refused
    assert effect(labels, np.arange(20) % 2 == 0, range(20)) == pytest.approx(1)
    assert effect(labels, labels, range(20)) == pytest.approx(1)
    assert effect(labels, np.arange(20) < 3, range(20)) == pytest.approx(1)


@pytest.mark.parametrize("size", [2, 5])
def test_clusters_of_identical_labels_count_as_one_query_each(size):
    # Every sum of residuals is `size` times that of one query: its square is size^2, that of `size` queries size.
    labels = np.repeat([True, True, False, True, False, False, True, True], size)
    has = np.repeat([True, False, True, True, False, False, False, True], size)
    assert effect(labels, has, np.repeat(range(8), size)) == pytest.approx(size)


def test_a_mixed_cluster_by_hand():
    # Half of 8 queries are refused, half have the feature. With it: clusters {1, 1}, {1, 0}; without: {0, 0}, {1, 0}.
    # Sums of residuals 1, 0, -1, 0: robust 0.25 * 1 + 0.25 * 1 = 0.5; alone 0.25 * (4 * 0.25) * 2 = 0.5.
    labels, clusters = [1, 1, 1, 0, 0, 0, 1, 0], [0, 0, 1, 1, 2, 2, 3, 3]
    assert effect(labels, np.arange(8) < 4, clusters) == pytest.approx(1)
    # Clusters {1, 1, 1, 0} and {0, 0, 1, 0}: sums 1 and -1, again 0.5 by 0.5.
    assert effect(labels, np.arange(8) < 4, np.repeat([0, 1], 4)) == pytest.approx(1)
    # Clusters {1, 1, 1} and {0}, {0, 0, 1, 0}: sums 1.5, -0.5, -1: 0.25 * (2.25 + 0.25 + 1) = 0.875 by 0.5.
    assert effect(labels, np.arange(8) < 4, [0, 0, 0, 1, 2, 2, 2, 2]) == pytest.approx(1.75)


def test_clusters_that_hold_both_labels_evenly_never_make_the_evidence_stronger():
    assert effect([1, 0] * 8, np.arange(16) < 8, np.repeat(range(8), 2)) == 1


def test_a_feature_that_all_or_none_have_has_no_design_effect():
    assert effect([1, 0, 1, 1], [True] * 4, [0, 0, 1, 1]) == 1
    assert effect([1, 1, 1, 1], [True, True, False, False], [0, 0, 1, 1]) == 1


def test_a_feature_that_differs_within_a_cluster_by_hand():
    # Half of 8 queries are refused, half have the feature: every term is 0.25 or -0.25, their squares add up to 0.5.
    # Signs of the terms by query: + + - - | + + + -. Clusters of the first and of the last four: sums 0 and 0.5.
    labels, has = [1, 0, 0, 1, 1, 0, 1, 0], [1, 0, 1, 0, 1, 0, 1, 1]
    assert effect(labels, [1, 0, 1, 0, 1, 0, 1, 1][:8], range(8)) == pytest.approx(1)
    terms = (np.array(has) - np.mean(has)) * (np.array(labels) - np.mean(labels))
    for clusters in (np.repeat([0, 1], 4), np.array([0, 1] * 4), np.array([0, 0, 0, 1, 1, 2, 2, 2])):
        robust = (np.bincount(clusters, weights=terms) ** 2).sum()
        assert effect(labels, has, clusters) == pytest.approx(max(1, robust / (terms**2).sum()))


def test_several_features_at_once_are_each_as_if_alone():
    rng = np.random.default_rng(0)
    labels, clusters = rng.random(60) < 0.4, rng.integers(0, 12, 60)
    masks = [rng.random(60) < share for share in (0.1, 0.5, 0.9)]
    together = clustered(from_masks(masks, 60), labels, clusters, np.ones(60, dtype=bool))
    for place, mask in enumerate(masks):
        alone = found(labels, mask, clusters)
        assert together.design_effect[place] == pytest.approx(alone.design_effect[0])
        assert together.p_value[place] == pytest.approx(alone.p_value[0])


def test_queries_that_cannot_be_told_take_no_part():
    labels, has, clusters = [1, 1, 0, 0, 1, 1], [1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 2, 2]
    told = [True] * 4 + [False] * 2
    assert found(labels, has, clusters, told).design_effect == found(labels[:4], has[:4], clusters[:4]).design_effect


def test_without_clusters_there_is_nothing_to_say():
    assert found([1, 0, 1], [1, 1, 0], [4, 5, 6]) is None
    assert found([1, 0, 1], [0, 0, 0], [4, 4, 6], [False] * 3) is None


def test_the_score_test_by_hand():
    # Two refused of two with the feature, none of two without it, every query twice: score 4 * 0.25 * 2 = 2 terms
    # of 0.25 each, eight in all: score 2; variance by cluster 4 * 0.5^2 = 1; z = 2.
    labels, has = np.repeat([1, 1, 0, 0], 2), np.repeat([1, 1, 0, 0], 2)
    result = found(labels, has, np.repeat(range(4), 2))
    assert result.design_effect[0] == pytest.approx(2)
    assert result.p_value[0] == pytest.approx(0.0455003, abs=1e-6)


@given(st.integers(0, 30), st.integers(0, 20), st.floats(1, 50), st.floats(0, 1))
def test_clusters_never_make_a_p_value_smaller_nor_an_interval_narrower(refused, answered, inflation, p_value):
    table = np.array([refused]), np.array([answered]), 30, 20
    exact = associate(*table)
    inflated = associate(*table, Clustered(np.array([inflation]), np.array([p_value])))
    assert exact.p_value[0] <= inflated.p_value[0] <= 1
    assert inflated.low[0] <= exact.low[0] < exact.high[0] <= inflated.high[0]
    assert inflated.log_odds[0] == exact.log_odds[0]


@pytest.mark.parametrize("same_feature", [True, False])
@pytest.mark.parametrize("share", [0.5, 0.85])
def test_labels_that_pictures_decide_do_not_make_chance_look_like_a_tie(share, same_feature):
    """Eight queries a picture share their label, and the feature all of them or most; it has nothing to do with it."""
    rng = np.random.default_rng(0)
    pictures, queries, draws = 100, 8, 800
    clusters = np.repeat(range(pictures), queries)
    mended = naive = 0
    for _ in range(draws):
        labels = np.repeat(rng.random(pictures) < share, queries)
        has = np.repeat(rng.random(pictures) < 0.3, queries)
        if not same_feature:
            has = has & (rng.random(len(has)) < 0.8)
        counts = np.array([(labels & has).sum()]), np.array([(~labels & has).sum()])
        both = int(labels.sum()), int((~labels).sum())
        mended += associate(*counts, *both, found(labels, has, clusters)).p_value[0] < 0.05
        naive += associate(*counts, *both).p_value[0] < 0.05
    assert 0.02 <= mended / draws <= 0.075
    assert naive / draws > 0.3
