"""Queries with equal texts share a fold, count once in tests, and are counted."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unmirage.audit import audit
from unmirage.audit.corpus import Copies, count_copies
from unmirage.audit.features import openers, text_features
from unmirage.audit.findings import find
from unmirage.audit.matrices import joint, linked
from unmirage.audit.pictures import measure
from unmirage.audit.probes import gather
from unmirage.data import load_samples

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"


def test_texts_that_differ_in_case_space_and_final_punctuation_are_copies(make_corpus):
    rows = [("Share it!", True), ("  share   IT. ", True), ("Share it", False), ("Share it now", True), ("What", False)]
    corpus = make_corpus(*rows, copies=True)
    assert count_copies(corpus) == Copies(queries=3, texts=3, both_labels=1)
    assert corpus.once().tolist() == [True, False, True, True, True]  # once with each label
    assert count_copies(make_corpus(copies=True)) == Copies()


def test_a_text_about_two_pictures_counts_once_for_words_and_twice_for_pictures(make_corpus):
    rows = [("See it", True, "a.png"), ("See it", True, "b.png"), ("See it", True, "a.png"), ("See it", True)]
    corpus = make_corpus(*rows, copies=True)
    assert corpus.once().tolist() == [True, False, False, False]
    assert corpus.once(of_picture=True).tolist() == [True, True, False, True]
    assert corpus.take(np.array([1, 3])).once().tolist() == [True, False]
    assert corpus.joined(corpus).once().tolist() == [True] + [False] * 7


def test_chains_of_keys_are_one_group():
    assert linked(np.array([1, 1, 2, 3, 4]), np.array([5, 6, 6, 7, 8])).tolist() == [0, 0, 0, 1, 2]
    assert linked(np.array([3, 1, 2])).tolist() == [0, 1, 2]
    assert linked(np.zeros(0, dtype=int)).tolist() == []


def test_long_chains_of_pictures_and_texts_are_grouped_in_two_ways():
    # Query n has picture n // 2 and text (n + 1) // 2, so that all 40 hang together.
    pictures, texts = np.arange(40) // 2, (np.arange(40) + 1) // 2
    assert [one.tolist() for one in joint(pictures, texts)] == [texts.tolist(), pictures.tolist()]
    (together,) = joint(pictures, np.arange(40))
    assert together.tolist() == pictures.tolist()
    (one_text,) = joint(pictures, np.zeros(40, dtype=int))  # no chain: all queries have the same text
    assert set(one_text) == {0}


def test_in_no_fold_a_copy_or_a_picture_stands_on_both_sides(make_dataset, make_corpus):
    rows = [(f"w{n // 2} it", n % 3 == 0, f"{(n + 1) // 2}.png") for n in range(200)]
    for of_rows in (rows, [(text, label) for text, label, _ in rows]):
        corpus = make_corpus(*of_rows, copies=True)
        evidence = gather(corpus, None, measure(corpus.pictures, None, 0), 0)
        assert len(evidence.splits) == 5
        for train, test in evidence.splits:
            assert not set(corpus.texts[train]) & set(corpus.texts[test])
            assert not set(corpus.picture[train][corpus.picture[train] >= 0]) & set(corpus.picture[test])


def test_copies_change_no_test_and_are_in_the_numbers_shown(make_corpus):
    rows = [(f"Share boat {n}", n < 18) for n in range(20)] + [(f"What boat {n}", n < 3) for n in range(20)]
    once, five = make_corpus(*rows, copies=True), make_corpus(*rows * 5, copies=True)
    alone, many = (find(corpus, [openers(corpus)]).findings for corpus in (once, five))
    for one, other in zip(alone, many, strict=True):
        assert (one.log_odds, one.low, one.p_value, one.q_value) == (
            other.log_odds, other.low, other.p_value, other.q_value,
        )  # fmt: skip
        assert (other.refused, other.answered) == (5 * one.refused, 5 * one.answered)
        assert (other.refused_once, other.answered_once) == (one.refused, one.answered)


def test_a_feature_needs_enough_different_texts(make_corpus):
    corpus = make_corpus(*[("Share it", True)] * 9, *((f"What is it {n}", False) for n in range(9)), copies=True)
    assert [one.feature for one in find(corpus, [openers(corpus)], None, 3).findings] == ["what"]


def test_given_opener_counts_copies_once(make_corpus):
    rows = [(f"Can you see boat {n}", n < 8) for n in range(10)] + [(f"Can he see boat {n}", n < 3) for n in range(10)]
    rows += [(f"What is boat {n}", n < 5) for n in range(10)]

    def you(corpus):
        found = find(corpus, list(text_features(corpus, 3))).findings
        return {one.feature: one.given_opener for one in found}.get("you")

    labelled = [*rows, *((text, label) for text, label in rows for _ in range(3))]
    assert you(make_corpus(*labelled, copies=True)) == you(make_corpus(*rows, copies=True))


@pytest.fixture(scope="module")
def shared():
    if not (SHARED / "faults" / "dup5.jsonl").exists():
        pytest.skip("the shared data are not here")
    return SHARED


def test_random_labels_with_copies_show_nothing(shared):
    one, five = (audit(load_samples(shared / "faults" / f"dup{copies}.jsonl")) for copies in (1, 5))
    assert five.copies == Copies(queries=200, texts=40, both_labels=0)
    assert one.copies == Copies(queries=0, texts=200, both_labels=0)
    found, again = one.informedness, five.informedness
    for each in (found, again):
        assert each.low <= 0 <= each.high
        assert each.verdict.said == "no shortcut found"
    assert abs(found.value - again.value) < min(found.high - found.low, again.high - again.low)
    told = [accuracy.test for accuracy in five.predictability.values() if accuracy.test is not None]
    assert max(told) <= 0.65
    assert not [one.feature for one in five.findings if one.q_value < 0.05]
    assert five.suggested.words == {}


def test_vlguard_has_510_copies(vlguard):
    assert audit(vlguard).copies == Copies(queries=510, texts=2596, both_labels=0)


def test_a_file_and_its_double_have_the_same_informedness(tied):
    twice = replace(tied, samples=tied.samples + tuple(replace(one, record=f"again {one.id}") for one in tied))
    once, double = audit(tied), audit(twice)
    assert double.copies == Copies(queries=400, texts=200, both_labels=0)
    assert double.informedness.value == pytest.approx(once.informedness.value)
    assert (double.informedness.low, double.informedness.high) == pytest.approx(
        (once.informedness.low, once.informedness.high)
    )
    assert double.auc.value == pytest.approx(once.auc.value)
    assert json.dumps(double.to_dict())
