import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.data.sample import draw_stratified
from unmirage.records import Sample

# What is drawn of 11 refused and 13 answered samples, by limit and seed.
PINNED = {
    (1, 0): [17],
    (2, 1): [2, 20],
    (7, 3): [3, 8, 9, 13, 16, 18, 20],
    (12, 4): [1, 3, 4, 6, 8, 10, 11, 12, 15, 17, 19, 23],
}


def make(refused, answered):
    return [
        Sample(id=str(n), record=str(n), query="Where is it?", refused=n < refused, label_source="field")
        for n in range(refused + answered)
    ]


def labels(samples):
    refused = sum(sample.refused for sample in samples)
    return refused, len(samples) - refused


@pytest.mark.parametrize(
    ("sizes", "limit", "drawn"),
    [
        ((100, 300), 40, (10, 30)),
        ((300, 100), 40, (30, 10)),
        ((1, 999), 10, (1, 9)),  # a label that occurs is kept
        ((999, 1), 10, (9, 1)),
        ((500, 500), 1, (0, 1)),
        ((10, 0), 4, (4, 0)),
        ((0, 10), 4, (0, 4)),
        ((2, 2), 3, (2, 1)),
        ((5, 5), 0, (0, 0)),
        ((5, 5), 10, (5, 5)),
        ((5, 5), 99, (5, 5)),
        ((5, 5), None, (5, 5)),
        ((0, 0), 3, (0, 0)),
    ],
)
def test_labels_keep_their_shares(sizes, limit, drawn):
    assert labels(draw_stratified(make(*sizes), limit, seed=0)) == drawn


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 70), st.integers(0, 3))
def test_the_draw_is_of_the_asked_size_in_order_and_fair(refused, answered, limit, seed):
    samples = make(refused, answered)
    drawn = draw_stratified(samples, limit, seed)
    assert len(drawn) == min(limit, len(samples))
    places = [samples.index(sample) for sample in drawn]
    assert places == sorted(set(places))
    if refused and answered and limit > 1:
        assert min(labels(drawn)) >= 1
        assert abs(labels(drawn)[0] - len(drawn) * refused / (refused + answered)) <= 1


def test_the_seed_decides():
    samples = make(50, 50)
    draws = [[sample.id for sample in draw_stratified(samples, 10, seed)] for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_every_sample_can_be_drawn():
    samples = make(4, 4)
    drawn = {sample.id for seed in range(60) for sample in draw_stratified(samples, 2, seed)}
    assert drawn == {sample.id for sample in samples}


def test_a_seed_draws_the_same_in_every_version():
    samples = make(11, 13)
    draws = [[int(one.id) for one in draw_stratified(samples, limit, seed)] for limit, seed in PINNED]
    assert draws == list(PINNED.values())
