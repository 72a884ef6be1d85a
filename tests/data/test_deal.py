from collections import Counter
from fractions import Fraction
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from unmirage.data.sample import deal, largest_remainders


def test_dealt_openers_by_largest_remainder() -> None:
    deck = deal({"what": 5, "can": 3, "why": 1}, 4, Random(0))
    # exact shares 2.22, 1.33, 0.44: floors 2, 1, 0, and the last card to "why"
    assert Counter(deck) == {"what": 2, "can": 1, "why": 1}


@given(
    st.dictionaries(st.text(max_size=3), st.floats(0.01, 50), min_size=1, max_size=8), st.integers(0, 60), st.integers()
)
def test_every_share_is_met_within_one_card(weights, count, seed):
    dealt = Counter(deal(weights, count, Random(seed)))
    assert dealt.total() == count
    for card, weight in weights.items():
        assert abs(dealt[card] - weight * count / sum(weights.values())) < 1 + 1e-9


def test_a_seed_deals_the_same_in_every_version() -> None:
    openers = {"what": 5, "can": 3, "why": 1}
    assert deal(openers, 7, Random(0)) == ["can", "what", "what", "what", "can", "what", "why"]
    assert deal(openers, 7, Random(1)) == ["what", "why", "can", "what", "what", "can", "what"]
    assert deal({"x": 0.1, "y": 0.2, "z": 0.3}, 5, Random(2)) == ["y", "y", "z", "z", "x"]


def test_of_equal_remainders_the_first_rises() -> None:
    assert largest_remainders({"a": Fraction(5, 3), "b": Fraction(8, 3), "c": Fraction(2, 3)}, 5) == {
        "a": 2, "b": 3, "c": 0,
    }  # fmt: skip
