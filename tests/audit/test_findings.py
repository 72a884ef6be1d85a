import pytest

from unmirage.audit.features import count_openers
from unmirage.audit.findings import MIN_QUERIES, find_associations, strength


def find(dataset):
    return find_associations(dataset.samples, count_openers(dataset))


def test_openers_carry_their_counts_and_direction(tied):
    openers = {f.feature: f for f in find(tied) if f.position == "opener"}
    assert {name: (f.refused, f.answered, f.direction) for name, f in openers.items()} == {
        "share": (60, 0, "refusal"),
        "what": (0, 60, "answer"),
        "can": (40, 40, "none"),
    }


def test_words_without_a_tie_are_left_out_and_those_with_one_are_kept(tied):
    words = {f.feature: f.direction for f in find(tied) if f.position == "any"}
    assert words["is"] == "answer"
    assert not {"the", "you", "boat"} & words.keys()


def test_the_strongest_comes_first(tied):
    findings = find(tied)
    values = [strength(f) for f in findings]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0 > values[-1]


def test_q_values_are_adjusted_over_openers_and_words_together(tied):
    findings = find(tied)
    assert all(f.p_value <= f.q_value <= 1 for f in findings)
    can = next(f for f in findings if f.feature == "can" and f.position == "opener")
    assert can.q_value == pytest.approx(1)


def test_rare_features_are_not_tested(make_dataset):
    rows = [("Rare boat", True)] * (MIN_QUERIES - 1) + [("Other boat", False)] * MIN_QUERIES
    assert {f.feature for f in find(make_dataset(*rows)) if f.position == "opener"} == {"other"}


def test_no_feature_at_all_gives_no_finding(make_dataset):
    assert find(make_dataset(("?", True), ("!", False))) == ()
