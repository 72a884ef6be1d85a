from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from unmirage.data.deal import deal


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
