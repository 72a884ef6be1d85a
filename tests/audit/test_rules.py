import numpy as np
import pytest
from scipy.sparse import csr_matrix

from unmirage.audit.rules import ByFeature, Linear, Majority

# One column a word: "what", "share", "can", and "new", which nobody opens with before.
WORDS = csr_matrix(np.eye(4)[[0, 0, 1, 1, 1, 2, 2]])
LABELS = np.array([False, False, True, True, False, True, False])
EACH = csr_matrix(np.eye(4))


def guesses(rule, features):
    return (rule.score(features) > 0.5).tolist()


def test_the_majority_is_guessed_for_all_and_refusal_if_both_are_equally_many():
    rule = Majority()
    rule.fit(WORDS, LABELS)
    assert guesses(rule, EACH) == [False] * 4
    rule.fit(WORDS[:2], np.array([True, False]))
    assert guesses(rule, EACH) == [True] * 4


def columns(*counts):
    """Return (features, labels) of queries with one feature each: (refused, answered) by feature, a last one unseen."""
    rows = [
        (place, label)
        for place, pair in enumerate(counts)
        for label, n in zip((1, 0), pair, strict=True)
        for _ in range(n)
    ]
    features = np.zeros((len(rows), len(counts) + 1))
    features[np.arange(len(rows)), [place for place, _ in rows]] = 1
    return csr_matrix(features), np.array([label == 1 for _, label in rows])


def test_each_feature_gets_its_majority_and_new_or_undecided_ones_that_of_all():
    # 12 refused, 15 answered. The last pair, 5 against 3, is within one standard deviation of a coin (2 < sqrt(8)).
    features, labels = columns((4, 1), (0, 1), (3, 3), (0, 7), (5, 3))
    rule = ByFeature()
    rule.fit(features, labels)
    each = csr_matrix(np.eye(6))
    assert guesses(rule, each) == [True, False, False, False, False, False]
    rule.fit(features, ~labels)
    assert guesses(rule, each) == [False, True, True, True, True, True]


def test_in_exactly_balanced_data_the_rule_is_no_worse_than_a_guess():
    # Every fold has a little too much of what the others lack; a bare majority would follow the others.
    for missing in range(4):
        features, labels = columns(*[(50 - missing, 50)] * 3)
        rule = ByFeature()
        rule.fit(features, labels)
        assert len(set(guesses(rule, csr_matrix(np.eye(4))))) == 1


def test_a_linear_rule_learns_which_features_tell():
    # "tell" goes with refusal, "say" with an answer; the third and fourth words say nothing.
    features = csr_matrix([[1.0, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]])
    rule = Linear()
    rule.fit(features, np.array([True, True, False, False]))
    assert guesses(rule, csr_matrix([[1.0, 0, 0, 0], [0, 1, 0, 0]])) == [True, False]
    assert rule.weights[0] == pytest.approx(-rule.weights[1], abs=1e-3)
    assert rule.weights[2:] == pytest.approx([0, 0], abs=1e-3)


def test_a_score_is_the_probability_of_the_log_odds():
    rule = Linear()
    rule.fit(WORDS, LABELS)
    logit = rule.logit(EACH)
    assert logit == pytest.approx(rule.weights + rule.intercept)
    assert rule.score(EACH) == pytest.approx(1 / (1 + np.exp(-logit)))


@pytest.mark.parametrize("label", [True, False])
@pytest.mark.parametrize("rule", [Majority, ByFeature, Linear])
def test_every_rule_learns_from_one_label_too(rule, label):
    learned = rule()
    learned.fit(WORDS[:3], np.full(3, label))
    assert guesses(learned, EACH) == [label] * 4
    assert np.isfinite(learned.score(EACH)).all()
