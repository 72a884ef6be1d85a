import numpy as np
import pytest

from unmirage.audit.rules import BagOfWords, ByFeature, Majority, presence

QUERIES = [("what",), ("what",), ("share",), ("share",), ("share",), ("can",), ("can",)]
LABELS = np.array([False, False, True, True, False, True, False])


def matrix(*queries):
    return presence([*QUERIES, *queries])


def test_presence_is_0_or_1_however_often_a_feature_occurs():
    dense = presence([("a", "b", "a"), (), ("b",)]).toarray()
    assert dense.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert presence([(), ()]).shape == (2, 1)


def test_the_majority_is_guessed_for_all():
    rule = Majority()
    rule.fit(matrix(), LABELS)
    assert not rule.predict(matrix()).any()
    rule.fit(matrix()[:2], np.array([True, False]))
    assert rule.predict(matrix()).all()


def test_each_feature_gets_its_majority_and_new_or_even_ones_that_of_all():
    rule = ByFeature()
    features = matrix(("new",))
    rule.fit(features[:7], LABELS)
    assert rule.predict(features).tolist() == [False, False, True, True, True, False, False, False]


def test_a_bag_of_words_learns_which_words_tell():
    features = presence([("tell", "x"), ("tell", "y"), ("say", "x"), ("say", "y"), ("tell", "z"), ("say", "z")])
    labels = np.array([True, True, False, False])
    rule = BagOfWords()
    rule.fit(features[:4], labels)
    assert rule.predict(features).tolist() == [True, True, False, False, True, False]


@pytest.mark.parametrize("label", [True, False])
@pytest.mark.parametrize("rule", [Majority, ByFeature, BagOfWords])
def test_every_rule_learns_from_one_class_too(rule, label):
    learned = rule()
    learned.fit(matrix()[:3], np.full(3, label))
    assert (learned.predict(matrix()) == label).all()
