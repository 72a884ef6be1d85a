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


def test_each_feature_gets_its_majority_and_new_or_even_ones_that_of_all():
    rule = ByFeature()
    rule.fit(WORDS, LABELS)
    assert guesses(rule, EACH) == [False, True, False, False]
    rule.fit(WORDS, ~LABELS)
    assert guesses(rule, EACH) == [True, False, True, True]


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
