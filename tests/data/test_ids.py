from hypothesis import given
from hypothesis import strategies as st

from unmirage.data.rows import with_unique_ids
from unmirage.records import Sample


def samples(names):
    return [Sample(id=name, record=name, query="", refused=True, label_source="field") for name in names]


def test_the_second_of_an_id_gets_a_number():
    assert [s.id for s in with_unique_ids(samples(["a", "b", "a", "a"]))] == ["a", "b", "a#2", "a#3"]


@given(st.lists(st.sampled_from(["a", "a#2", "a#2#2", "a#3", "b"])))
def test_ids_differ_records_stay_and_unique_ones_are_left_alone(names):
    unique = with_unique_ids(samples(names))
    assert len({s.id for s in unique}) == len(names)
    assert [s.record for s in unique] == names
    assert with_unique_ids(unique) == unique
