from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.data.sample import draw_by_category
from unmirage.records import Sample


def samples(*strata):
    """Return samples for each (category, refused, count)."""
    return [
        Sample(id=f"{c}{r}{n}", record="r", query="?", refused=r, label_source="field", category=c)
        for c, r, count in strata
        for n in range(count)
    ]


def counts(found, places):
    return Counter((found[place].category, found[place].refused) for place in places)


def test_shares_are_kept_and_every_stratum_stays():
    found = samples(("a", True, 60), ("a", False, 30), ("b", True, 9), (None, False, 1))
    drawn = counts(found, draw_by_category(found, 10, 0))
    assert drawn == {("a", True): 5, ("a", False): 3, ("b", True): 1, (None, False): 1}
    assert counts(found, draw_by_category(found, 50, 0))[None, False] == 1


def test_a_seed_draws_the_same_and_another_one_something_else():
    found = samples(("a", True, 50), ("b", False, 50))
    assert draw_by_category(found, 20, 1) == draw_by_category(found, 20, 1)
    assert draw_by_category(found, 20, 1) != draw_by_category(found, 20, 2)
    assert draw_by_category(found, 20, 1) == sorted(draw_by_category(found, 20, 1))


@pytest.mark.parametrize("limit", [None, 6, 7])
def test_no_limit_is_everything(limit):
    assert draw_by_category(samples(("a", True, 6)), limit, 0) == [0, 1, 2, 3, 4, 5]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(1, 60), st.integers(0, 5))
def test_as_many_as_were_asked_for_and_none_left_out(sizes, limit, seed):
    found = samples(*((str(place), place % 2 == 0, size) for place, size in enumerate(sizes)))
    places = draw_by_category(found, limit, seed)
    assert len(places) == len(set(places)) == min(limit, len(found))
    assert len(counts(found, places)) == min(len(sizes), len(places))
    if limit >= len(sizes):
        for (category, _), count in counts(found, places).items():
            fair = sizes[int(category)] * min(limit, len(found)) / len(found)
            assert count <= fair + 1


def test_a_seed_draws_the_same_in_every_version():
    found = samples(("a", True, 6), ("a", False, 3), ("b", True, 5), ("b", False, 9), (None, False, 1))
    assert [draw_by_category(found, limit, seed) for limit, seed in ((1, 0), (2, 1), (7, 3), (12, 4))] == [
        [20],
        [3, 21],
        [0, 4, 7, 11, 17, 22, 23],
        [0, 1, 4, 6, 7, 9, 11, 13, 16, 17, 19, 23],
    ]
