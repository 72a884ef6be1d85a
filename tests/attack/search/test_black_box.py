"""Successive halving: the planted word is found, and the budget is kept to the query."""

from itertools import pairwise

import numpy as np
import pytest

from unmirage.attack.search.config import SearchConfig
from unmirage.attack.search.measure import Meter
from unmirage.attack.search.strategies import Round, drawn, plan_rounds, successive_halving
from unmirage.records import Sample

WORDS = [f"w{number}x" for number in range(300)]


def samples(count: int) -> list[Sample]:
    return [
        Sample(id=f"s{n}", record=f"r{n}", query=f"Describe thing {n}.", refused=True, label_source="field")
        for n in range(count)
    ]


class Planted:
    """Refuses with 0.9, less for the planted words, with noise by query and word; counts what it is asked."""

    def __init__(self, planted: dict[str, float], noise: float = 0.05) -> None:
        self.planted, self.noise = planted, noise
        self.asked: list[tuple[str, str]] = []

    def __call__(self, queries):
        self.asked += [(query.word, query.sample_id) for query in queries]
        draw = np.random.default_rng(len(self.asked))
        level = np.array([self.planted.get(query.word, 0.9) for query in queries])
        return np.clip(level + draw.normal(0, self.noise, len(queries)), 0, 1)


def found(planted: Planted, count: int, **settings):
    config = SearchConfig(**settings)
    meter = Meter(planted, config.budget, "finding")
    ranked = successive_halving(WORDS, samples(count), config, meter)
    return ranked, meter


@pytest.mark.parametrize("budget", [700, 1500, 4000, 100_000])
def test_the_planted_words_are_found_within_the_budget(budget):
    planted = Planted({"w17x": 0.2, "w230x": 0.4})
    ranked, meter = found(planted, 40, budget=budget, top=5)
    assert [word for word, _ in ranked[:2]] == ["w17x", "w230x"] or budget < 1500
    assert ranked[0][0] == "w17x" or "w17x" not in drawn(WORDS, 40, SearchConfig(budget=budget, top=5))
    assert meter.used == len(planted.asked) <= budget
    assert len(set(planted.asked)) == len(planted.asked)  # nothing is asked twice
    assert len(ranked) == 5


def test_over_prudence_looks_for_more_refusal():
    ranked, _ = found(Planted({"w3x": 0.99, "w4x": 0.1}, 0.0), 20, budget=3000, top=3, kind="over-prudence")
    assert ranked[0][0] == "w3x"


@pytest.mark.parametrize("words", [1, 5, 17, 300, 1000])
@pytest.mark.parametrize("queries", [1, 7, 64])
@pytest.mark.parametrize("budget", [1, 50, 999, 20_000])
@pytest.mark.parametrize("top", [1, 10])
def test_a_plan_never_exceeds_its_budget(words, queries, budget, top):
    rounds = plan_rounds(words, queries, budget, top)
    cost = sum(
        now.words * (now.queries - before)
        for now, before in zip(rounds, [0, *(one.queries for one in rounds)], strict=False)
    )
    assert cost <= budget
    if not rounds:
        assert budget < words * 12  # too small even for one query first
        return
    assert rounds[0].words == words
    assert rounds[-1].words == min(words, top)
    assert all(now.words >= after.words for now, after in pairwise(rounds))
    assert all(now.queries <= after.queries <= queries for now, after in pairwise(rounds))
    # What is left pays for not even one more query of the last words, or there is none left to ask.
    assert rounds[-1].queries == queries or budget - cost < rounds[-1].words


def test_rounds_halve_the_words_and_double_the_queries():
    rounds = plan_rounds(80, 100, 2000, 10)
    assert [(one.words, one.queries) for one in rounds] == [(80, 10), (40, 20), (20, 40), (10, 80)]
    assert plan_rounds(80, 100, 2150, 10)[-2:] == [Round(10, 80), Round(10, 95)]


def test_a_budget_too_small_for_all_words_draws_some():
    config = SearchConfig(budget=100, top=3, seed=1)
    some = drawn(WORDS, 10, config)
    assert 3 <= len(some) < 100
    assert set(some) < set(WORDS)
    assert some == drawn(WORDS, 10, config)
    assert some != drawn(WORDS, 10, SearchConfig(budget=100, top=3, seed=2))
    planted = Planted({})
    ranked, _ = found(planted, 10, budget=100, top=3)
    assert len(ranked) == 3
    assert len(planted.asked) <= 100


def test_the_smallest_budget_asks_one_word_once():
    ranked, meter = found(Planted({}), 5, budget=1, top=3)
    assert (len(ranked), meter.used) == (1, 1)
