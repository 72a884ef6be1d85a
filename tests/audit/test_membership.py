import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unmirage.audit.membership import from_groups, from_masks, membership

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), max_size=30)


def as_dict(members):
    return {int(feature): members.of(place).tolist() for place, feature in enumerate(members.features)}


def built(pairs, at_least=1):
    features, queries = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return membership(features, queries.astype(np.int32), 7, at_least)


def naive(pairs, at_least=1):
    found = {}
    for feature, query in sorted(set(pairs)):
        found.setdefault(feature, []).append(query)
    return {feature: queries for feature, queries in found.items() if len(queries) >= at_least}


@given(PAIRS, st.integers(1, 4))
def test_features_hold_each_query_once_and_rare_ones_are_left_out(pairs, at_least):
    members, expected = built(pairs, at_least), naive(pairs, at_least)
    assert as_dict(members) == expected
    assert members.totals.tolist() == [len(queries) for queries in expected.values()]


@given(PAIRS, st.lists(st.booleans(), min_size=7, max_size=7))
def test_sums_run_over_each_features_queries(pairs, labels):
    members = built(pairs)
    assert members.refused(np.array(labels)).tolist() == [
        sum(labels[query] for query in queries) for queries in naive(pairs).values()
    ]
    assert members.sums(np.arange(7)).tolist() == [sum(queries) for queries in naive(pairs).values()]


@given(PAIRS, st.data())
def test_picked_features_keep_their_queries(pairs, data):
    members = built(pairs)
    places = data.draw(st.lists(st.integers(0, len(members) - 1), unique=True) if len(members) else st.just([]))
    picked = members.pick(np.array(places, dtype=np.int64))
    assert [picked.of(place).tolist() for place in range(len(picked))] == [members.of(p).tolist() for p in places]


def test_groups_and_masks_by_hand():
    assert as_dict(from_groups(np.array([2, -1, 0, 2]))) == {0: [2], 2: [0, 3]}
    assert as_dict(from_groups(np.array([2, -1, 0, 2]), at_least=2)) == {2: [0, 3]}
    masks = [np.array([True, False, True]), np.zeros(3, dtype=bool), np.ones(3, dtype=bool)]
    assert as_dict(from_masks(masks, 3)) == {0: [0, 2], 2: [0, 1, 2]}
    assert as_dict(from_masks([], 3)) == {}
