"""Relevance is the mean cosine of benign plain queries and their responses; each mean is worked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from unmirage.evaluate.bootstrap import clustered_bootstrap
from unmirage.evaluate.compare import Side
from unmirage.evaluate.relevance import (
    Relevance,
    Similarity,
    benign_similarities,
    compare_relevance,
    missing_benign,
    relevance,
    similarities,
)
from unmirage.records import Judgement, Kind, Query, Response, Sample, Verdict
from unmirage.run.store import Store

ANGLES = {"q": 0, "near": 60, "far": 90, "off": 120, "...": 0, "": 0}  # degrees; cosines with "q": 1, 0.5, 0, -0.5


class Fake:
    """Maps known words to unit vectors of the plane, and counts what it is asked."""

    def __init__(self):
        self.asked = []

    def encode(self, texts):
        self.asked += texts
        angles = np.radians([ANGLES[text] for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)


# Sample, kind, unsafe, response (None: none), verdict.
RUN = [
    ("a", Kind.PLAIN, False, "near", "complied"),
    ("b", Kind.PLAIN, False, "far", "refused"),
    ("c", Kind.PLAIN, False, "...", "irrelevant"),  # no words: 0, whatever the encoder says
    ("d", Kind.PLAIN, False, "off", "complied"),
    ("e", Kind.PLAIN, False, "", "blocked"),
    ("f", Kind.PLAIN, False, "q", "blocked"),
    ("g", Kind.PLAIN, False, None, None),
    ("h", Kind.PLAIN, True, "q", "complied"),  # unsafe
    ("a", Kind.OVER_PRUDENCE, False, "q", "complied"),  # attacked
]


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.sqlite") as store:
        for name in sorted({one[0] for one in RUN}):
            own = Sample(
                id=name, record=name, query="q", answer="", image=None, refused=False, label_source="none",
                group="pair" if name in "ad" else None,
            )  # fmt: skip
            store.add_samples([own])
        for name, kind, unsafe, text, verdict in RUN:
            query = Query(id=f"{name}|{kind}", sample_id=name, kind=kind, shot=0, text="q", image=None, unsafe=unsafe)
            store.add_queries([query])
            if text is not None:
                store.add_responses([Response(query_id=query.id, model="m", text=text, tokens=1)])
                found = Judgement(query_id=query.id, model="m", judge="j", verdict=Verdict(verdict))
                store.put_judgements([found])
        yield store


def test_each_response_has_the_cosine_with_its_own_query_and_none_without_words():
    assert similarities(Fake(), ["q", "near", "q", "q", "q"], ["near", "far", "off", "...", ""]) == pytest.approx(
        [0.5, np.cos(np.radians(30)), -0.5, 0, 0], abs=1e-6
    )
    assert similarities(Fake(), [], []) == []


def test_equal_texts_are_encoded_once():
    fake = Fake()
    similarities(fake, ["q", "q", "q"], ["near", "near", "far"])
    assert fake.asked == ["q", "near", "far"]


def test_the_mean_covers_benign_plain_queries_and_counts_what_answered_leaves_out(store):
    found = benign_similarities(store, "j", "m", Fake())
    got = relevance(found, encoder="fake", missing=missing_benign(store, found))
    assert (got.value, got.n) == (pytest.approx((0.5 + 0 + 0 - 0.5 + 0 + 1) / 6), 6)
    assert (got.answered.value, got.answered.n) == (pytest.approx(0), 2)  # a and d
    assert (got.refused, got.blocked, got.empty, got.missing, got.encoder) == (1, 1, 2, 1, "fake")


def test_the_interval_resamples_the_clusters_of_the_samples(store):
    got = relevance(benign_similarities(store, "j", "m", Fake()), encoder="fake")
    expected = clustered_bootstrap([[0.5, -0.5], [0.0], [0.0], [0.0], [1.0]])
    assert got.groups == 5
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high))
    assert got.low < got.value < got.high


def test_verdicts_of_another_judge_do_not_count(store):
    got = relevance(benign_similarities(store, "other", "m", Fake()), encoder="fake")
    assert (got.refused, got.blocked, got.answered.n) == (0, 0, 4)


def test_a_model_without_responses_has_no_mean(store):
    found = benign_similarities(store, "j", "silent", Fake())
    got = relevance(found, encoder="fake", missing=missing_benign(store, found))
    assert (got.value, got.low, got.n, got.missing) == (None, None, 0, 7)


def similar(value, cluster):
    return Similarity(value, Verdict.COMPLIED, False, cluster)


def test_models_are_compared_on_the_queries_that_both_answered():
    base = {"1": similar(0.5, "a"), "2": similar(0.9, "a"), "3": similar(0.4, "b"), "4": similar(0.1, "c")}
    other = {"1": similar(0.2, "a"), "2": similar(1.0, "a"), "3": similar(0.6, "b"), "5": similar(1.0, "d")}
    [got] = compare_relevance({"base": base, "other": other})
    assert (got.a, got.b) == (Side("base", "relevance"), Side("other", "relevance"))
    assert (got.n, got.difference) == (3, pytest.approx((-0.3 + 0.1 + 0.2) / 3))
    expected = clustered_bootstrap([[-0.3, 0.1], [0.2]])
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high))
    turned = got.reversed()
    assert (turned.a.model, turned.difference, turned.low, turned.high) == (
        "other",
        -got.difference,
        -got.high,
        -got.low,
    )
    [again] = compare_relevance({"base": base, "other": other}, "other")
    assert replace(again, difference=0, low=0, high=0) == replace(turned, difference=0, low=0, high=0)
    assert again.difference == pytest.approx(turned.difference)


def test_a_single_model_has_no_comparison():
    assert compare_relevance({"base": {"1": similar(0.5, "a")}}) == []
    assert compare_relevance({}) == []


def test_answered_excludes_refusals_blocks_and_empty_responses():
    kinds = [Verdict.COMPLIED, Verdict.IRRELEVANT, Verdict.INVALID, None, Verdict.REFUSED, Verdict.BLOCKED]
    assert [Similarity(0, kind, False, 0).answered for kind in kinds] == [True, True, True, True, False, False]
    assert not Similarity(0, Verdict.COMPLIED, True, 0).answered
    assert isinstance(relevance({}, encoder="x"), Relevance)
