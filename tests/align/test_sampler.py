"""The order of samples: full passes, a pure function of seed and position, and no more order than was asked for."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.align.sampler import Order, OrderByLength, OrderWithinSteps


def taken(order: Order, positions: range) -> list[int]:
    return [order.sample_at(position) for position in positions]


def lengths(samples: int) -> list[int]:
    """Return lengths of all kinds, many of them alike."""
    return [int(x) for x in np.random.default_rng(7).lognormal(4, 1, samples)]


def by_length(samples: int, seed: int, batch: int, stream: str = "forget") -> OrderByLength:
    return OrderByLength(stream, samples, seed, lengths(samples).__getitem__, batch)


@given(st.integers(1, 60), st.integers(0, 5), st.integers(1, 9), st.booleans())
def test_each_sample_comes_exactly_once_a_pass(samples: int, seed: int, batch: int, sort: bool) -> None:
    order = by_length(samples, seed, batch) if sort else Order("forget", samples, seed)
    for turn in range(4):
        seen = taken(order, range(turn * samples, (turn + 1) * samples))
        assert Counter(seen) == dict.fromkeys(range(samples), 1)


@given(st.integers(1, 40), st.lists(st.integers(0, 200), min_size=1, max_size=20), st.booleans())
def test_what_comes_depends_on_the_position_alone(samples: int, positions: list[int], sort: bool) -> None:
    """Whoever asks for any positions in any order, after a resume or on another machine, gets the same."""

    def make() -> Order:
        return by_length(samples, 3, 4) if sort else Order("retain", samples, 3)

    whole = taken(make(), range(201))
    fresh = make()
    assert [fresh.sample_at(position) for position in positions] == [whole[position] for position in positions]


@pytest.mark.parametrize("sort", [False, True])
def test_passes_seeds_and_streams_differ(sort: bool) -> None:
    def make(stream: str, seed: int) -> list[int]:
        order = by_length(50, seed, 4, stream) if sort else Order(stream, 50, seed)
        return taken(order, range(100))

    first = make("forget", 0)
    assert first[:50] != first[50:]
    assert first != make("forget", 1)
    assert first != make("retain", 0)


def test_every_sample_is_as_likely_at_every_place() -> None:
    places = np.zeros((6, 6))
    for seed in range(600):
        for place, sample in enumerate(taken(Order("forget", 6, seed), range(6))):
            places[place, sample] += 1
    # 100 expected in each cell, with a standard deviation of 9.1; 36 cells
    assert abs(places - 100).max() < 4 * 9.2


@pytest.mark.parametrize(("samples", "batch"), [(64, 4), (61, 4), (203, 8)])
def test_batches_by_length_hold_rows_alike_in_every_pass(samples: int, batch: int) -> None:
    """Also where a pass does not end with a batch: the batches after it are the steps of the run all the same."""
    sizes, sort, plain = lengths(samples), by_length(samples, 0, batch), Order("forget", samples, 0)
    steps = [range(start, start + batch) for start in range(0, 4 * samples, batch)]
    whole = [step for step in steps if step[0] // samples == step[-1] // samples]
    assert len(whole) >= len(steps) - 4

    def padding(order: Order) -> float:
        rows = [[sizes[sample] for sample in taken(order, step)] for step in whole]
        return sum(batch * max(row) - sum(row) for row in rows)

    assert padding(sort) < 0.25 * padding(plain)


@pytest.mark.parametrize(("samples", "batch"), [(120, 8), (123, 8)])
def test_where_a_sample_comes_says_nothing_about_its_length(samples: int, batch: int) -> None:
    sizes, seeds = np.array(lengths(samples)), 300
    found = [
        np.corrcoef(sizes[taken(by_length(samples, seed, batch), range(samples))], np.arange(samples))[0, 1]
        for seed in range(seeds)
    ]
    # With 15 batches alike, the correlation of one pass has a spread of about 0.27; the mean of 300 one of 0.016.
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(seeds)
    first = [sizes[taken(by_length(samples, seed, batch), range(batch))].mean() for seed in range(seeds)]
    assert abs(np.mean(first) - sizes.mean()) < 4 * np.std(first) / np.sqrt(seeds)


def test_neighbours_of_a_batch_change_from_pass_to_pass() -> None:
    """Like lengths are sought among 50 batches of a shuffled pass, so the same rows do not always meet."""
    samples, batch = 2000, 4
    order = by_length(samples, 0, batch)
    meet = [
        {
            frozenset(taken(order, range(start, start + batch)))
            for start in range(turn * samples, (turn + 1) * samples, 4)
        }
        for turn in range(3)
    ]
    assert all(len(one & other) < 25 for one, other in pairwise(meet))


@pytest.mark.parametrize(("samples", "batch"), [(64, 4), (61, 4), (203, 8)])
def test_order_within_steps_has_the_rows_of_each_step_and_sorts_them(samples: int, batch: int) -> None:
    sizes, plain = lengths(samples), Order("forget", samples, 0)
    order = OrderWithinSteps("forget", samples, 0, sizes.__getitem__, batch)
    moved = 0
    for start in range(0, 4 * samples - batch, batch):
        step = range(start, start + batch)
        found, same = taken(order, step), taken(plain, step)
        assert Counter(found) == Counter(same)
        if step[0] // samples == step[-1] // samples:
            assert [sizes[one] for one in found] == sorted(sizes[one] for one in same)
        moved += found != same
    assert moved > samples // batch
