import numpy as np
import pytest

from unmirage.audit.association import Openers
from unmirage.records import LogOdds, OtherFeature


@pytest.fixture(scope="session")
def corpus(make_corpus):
    """Return 40 queries of two openers, three of four of "can" refused and one of four of "what"."""
    rows = [("Can it", n % 4 > 0) for n in range(20)] + [("What is", n % 4 == 0) for n in range(20)]
    return make_corpus(*rows)


def rows(*numbers):
    return np.array(numbers, dtype=np.int32)


def test_the_tie_given_the_opener_pools_the_openers(corpus):
    # In each opener's 20 queries, 10 have the feature: "can" 8 of 15 refused, "what" 2 of 5.
    refused, answered = np.flatnonzero(corpus.refused), np.flatnonzero(~corpus.refused)
    members = np.sort(np.concatenate([refused[:8], answered[:2], refused[15:17], answered[5:13]])).astype(np.int32)
    given = Openers(corpus).given(members)
    r = (8 * 3 + 2 * 7) / 20
    s = (2 * 7 + 8 * 3) / 20
    assert given.log_odds == pytest.approx(np.log(r / s))


def test_only_queries_that_can_be_told_are_compared(corpus):
    members = rows(0, 1, 2, 3)
    everywhere, among = Openers(corpus).given(members), Openers(corpus).given(members, np.arange(40) < 4)
    assert everywhere is not None
    assert among is None  # all that can be told have it


def test_an_opener_that_most_queries_of_a_feature_share_is_what_it_echoes(corpus):
    openers = Openers(corpus)
    assert openers.redundant_with(rows(*range(18), 20, 21), None) == OtherFeature(
        feature="can", position="opener"
    )  # 18 of 20
    assert openers.redundant_with(rows(*range(17), 20, 21), None) is None  # 17 of 19


def test_what_tells_something_given_the_opener_is_no_echo(corpus):
    openers = Openers(corpus)
    assert openers.redundant_with(rows(0, 1, 2), LogOdds(log_odds=2, low=1, high=3)) is None
    assert openers.redundant_with(rows(0, 1, 2), LogOdds(log_odds=2, low=-1, high=5)) is not None


def test_queries_without_words_share_no_opener(make_corpus):
    openers = Openers(make_corpus(("?", True), ("!", False)))
    assert openers.redundant_with(rows(0, 1), None) is None
