from dataclasses import asdict
from itertools import count

import numpy as np
import pytest

from unmirage.audit.findings import Headline
from unmirage.records import Finding, LogOdds, OtherFeature

REFUSAL, ANSWER, NONE = (LogOdds(log_odds=at, low=at - 1, high=at + 1) for at in (3.0, -3.0, 0.0))
NUMBERS = count()


def finding(position="any", tie=REFUSAL, given=REFUSAL, echo=None):
    return Finding(
        feature=f"f{next(NUMBERS)}",
        position=position,
        kind="word",
        text="",
        refused=9,
        answered=0,
        **asdict(tie),
        direction=tie.direction,
        p_value=0.0,
        q_value=0.0,
        given_opener=None if position == "opener" else given,
        redundant_with=echo,
    )


def queries(first, size=10):
    return np.arange(first, first + size, dtype=np.int32)


def test_up_to_five_openers_and_five_others_are_taken():
    headline = Headline()
    openers = [headline.takes(finding("opener"), queries(100 * n)) for n in range(8)]
    others = [headline.takes(finding(), queries(100 * n + 50)) for n in range(8)]
    assert openers == others == [True] * 5 + [False] * 3


@pytest.mark.parametrize(
    "one",
    [
        finding(tie=NONE),
        finding("opener", tie=NONE),
        finding(given=NONE),
        finding(given=None),
        finding(echo=OtherFeature(feature="can", position="opener")),
    ],
    ids=["untied", "untied opener", "nothing given the opener", "not told given the opener", "echo"],
)
def test_what_says_nothing_of_its_own_is_passed_over(one):
    assert not Headline().takes(one, queries(0))


@pytest.mark.parametrize(("shift", "taken"), [(0, False), (3, False), (4, True)])
def test_findings_that_share_more_than_half_of_their_queries_are_one_story(shift, taken):
    # 10 queries each, shifted by 3: 7 of 13 in common; by 4: 6 of 14.
    headline = Headline()
    assert headline.takes(finding(), queries(0))
    assert headline.takes(finding(), queries(shift)) == taken


def test_the_same_queries_may_tell_the_other_label():
    headline = Headline()
    assert headline.takes(finding(), queries(0))
    assert headline.takes(finding(tie=ANSWER, given=ANSWER), queries(0))
