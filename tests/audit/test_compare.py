from dataclasses import asdict

from unmirage.audit.compare import only_in
from unmirage.records import Finding, LogOdds, OtherFeature

UP, DOWN, NONE = (LogOdds(log_odds=at, low=at - 1, high=at + 1) for at in (3.0, -3.0, 0.0))


def finding(feature, tie=UP, position="any", q_value=0.0, echo=None):
    return Finding(
        feature=feature,
        position=position,
        kind="word",
        text="",
        refused=9,
        answered=0,
        **asdict(tie),
        direction=tie.direction,
        p_value=0.0,
        q_value=q_value,
        redundant_with=echo,
    )


def names(one, other):
    return [found.feature for found in only_in(tuple(one), tuple(other))]


def test_what_the_other_lacks_is_listed_in_order():
    assert names([finding("a"), finding("b"), finding("c")], [finding("b")]) == ["a", "c"]
    assert names([finding("a")], [finding("a", position=-1)]) == ["a"]
    assert names([finding("a")], [finding("a")]) == []


def test_what_turned_round_counts_as_gone_and_as_new():
    assert names([finding("a")], [finding("a", DOWN)]) == ["a"]
    assert names([finding("a", DOWN)], [finding("a")]) == ["a"]


def test_what_is_not_tied_is_not_there():
    assert names([finding("a", NONE), finding("b", q_value=0.2)], []) == []
    assert names([finding("a")], [finding("a", NONE)]) == ["a"]


def test_echoes_are_passed_over_but_known():
    echo = OtherFeature(feature="b", position="opener")
    assert names([finding("a", echo=echo)], []) == []
    assert names([finding("a")], [finding("a", echo=echo)]) == []
