from dataclasses import replace

import numpy as np
import pytest

from unmirage.audit import matrices
from unmirage.audit.corpus import Reader
from unmirage.audit.counterfactual import Swaps, decided_by_opener
from unmirage.audit.pictures import measure
from unmirage.audit.probes import Unseen, climb, gather
from unmirage.audit.rules import Linear
from unmirage.intervals import wilson


def evidence_of(corpus, splits=None):
    evidence = gather(corpus, None, measure(corpus.pictures, None, 0), 0)
    return evidence if splits is None else replace(evidence, splits=splits)


@pytest.fixture(scope="session")
def by_hand(make_corpus):
    """Return five queries, and a probe's verdict on their words but the first."""
    corpus = make_corpus(
        ("Share the kite", True),  # the rest says answered: the opener decides
        ("Share the bomb", True),  # the rest agrees
        ("Share the boat", False),  # the rest is right, the opener wrong
        ("What is the bomb", False),  # the rest says refused: the opener decides
        ("Can it", True),  # not a strong opener
    )
    rest = Unseen(rows=np.arange(5), score=np.array([0.2, 0.9, 0.3, 0.7, 0.1]), seen=1.0, baseline=0.6)
    return evidence_of(corpus, []), rest


def test_the_opener_decides_where_it_is_right_and_the_other_words_are_wrong(by_hand):
    decided = decided_by_opener(*by_hand, {"share": "refusal", "what": "answer", "never": "answer"})
    assert (decided.k, decided.n, decided.value) == (2, 5, 0.4)
    assert (decided.low, decided.high) == pytest.approx(wilson(2, 5))
    share, what = decided.openers
    assert (share.opener, share.verdict, share.n) == ("share", "refusal", 3)
    assert (share.rest_disagrees, share.opener_right) == (2, 1)
    assert share.rest_score == pytest.approx((0.2 + 0.9 + 0.3) / 3)
    assert (what.opener, what.n, what.rest_disagrees, what.opener_right) == ("what", 1, 1, 1)


def test_examples_are_the_queries_whose_other_words_mislead_most(by_hand):
    decided = decided_by_opener(*by_hand, {"share": "refusal", "what": "answer"})
    assert [(one.query, one.opener, one.refused, one.rest_score) for one in decided.examples] == [
        ("Share the kite", "share", True, 0.2),
        ("What is the bomb", "what", False, 0.7),
    ]


def test_without_a_strong_opener_nothing_is_decided(by_hand):
    decided = decided_by_opener(*by_hand, {})
    assert (decided.k, decided.openers, decided.examples) == (0, (), ())


def test_unseen_queries_are_found_whatever_their_order(by_hand):
    evidence, rest = by_hand
    turned = Unseen(rows=rest.rows[::-1], score=rest.score[::-1], seen=1.0, baseline=0.6)
    strong = {"share": "refusal", "what": "answer"}
    one, other = decided_by_opener(evidence, turned, strong), decided_by_opener(evidence, rest, strong)
    assert (one.value, one.k, one.n, one.examples) == (other.value, other.k, other.n, other.examples)


@pytest.fixture(scope="session")
def misleading(make_corpus):
    """Return queries whose opener is always right, and whose other words are right in eight of ten."""
    rows = [(f"Share the {'bomb' if n % 10 < 8 else 'kite'}", True) for n in range(60)]
    rows += [(f"What the {'kite' if n % 10 < 8 else 'bomb'}", False) for n in range(60)]
    return make_corpus(*rows)


def test_the_opener_decides_the_queries_that_the_other_words_get_wrong(misleading):
    evidence = evidence_of(misleading)
    rest = climb(evidence)["words_without_opener"]
    decided = decided_by_opener(evidence, rest, {"share": "refusal", "what": "answer"})
    assert decided.value == pytest.approx(0.2)
    assert {one.query for one in decided.examples} == {"Share the kite", "What the bomb"}


class Stub:
    """A probe with known weights, by place of the word among those of the corpus: share, it, that, what, can."""

    def fit(self, features, labels):
        del labels
        opener = [0.0, 2.0, 0.0, 0.0, -2.0, 0.5]  # without words, then one a word
        rest = [0.0, 1.0, -3.0, 0.0, 0.0]
        self.weights = np.array(opener + rest)
        self.intercept = 0.1
        assert features.shape[1] == len(self.weights)

    logit = Linear.logit


def test_flips_by_hand(make_corpus, monkeypatch):
    monkeypatch.setattr("unmirage.audit.counterfactual.Linear", Stub)
    corpus = make_corpus(
        ("Share it", True),  # 2 + 1 + 0.1 = 3.1; with what: -0.9, turned
        ("Share that", True),  # 2 - 3 + 0.1 = -0.9: not held for refused, so there is nothing to turn
        ("What it", True),  # opens with what already: left out
        ("What it", False),  # -0.9; with share 3.1, turned
        ("Can that", False),  # -2.4; with share -0.9
        ("Can it", True),  # 1.6; with what: -0.9, turned
        ("", True),  # 0.1; with what: -1.9, turned
    )
    assert list(corpus.vocabulary) == ["share", "it", "that", "what", "can"]
    rows = np.arange(7)
    swaps = Swaps(evidence_of(corpus, [(rows[:0], rows[:4]), (rows[:0], rows[4:])]))
    what, share, can = (
        swaps.flips("what", refused=True), swaps.flips("share", refused=False), swaps.flips("can", refused=True)
    )  # fmt: skip
    assert (what.k, what.n, what.value) == (3, 4, 0.75)
    assert (share.k, share.n) == (1, 2)
    # Queries that open with "what": -0.9 is no refusal. "Share it" stays at 1.6, the empty one at 0.6.
    assert (can.k, can.n) == (0, 4)


def test_flips_equal_scoring_the_reworded_queries_with_the_same_probes(tied, make_dataset):
    reader = Reader()
    corpus = reader.read(tied)
    evidence = evidence_of(corpus)
    swaps = Swaps(evidence)
    for word, refused in (("what", True), ("share", False), ("can", True)):
        rows = [(word + sample.query[sample.query.index(" ") :], sample.refused) for sample in tied]
        changed = reader.read(make_dataset(*rows))
        assert changed.vocabulary is corpus.vocabulary
        turned = asked = 0
        for train, test in evidence.splits:
            one, other = (
                np.hstack([matrices.opener(c).toarray(), matrices.words_without_opener(c).toarray()])
                for c in (corpus, changed)
            )
            probe = Linear()
            probe.fit(one[train], corpus.refused[train])
            for row in test:
                if corpus.refused[row] == refused and not corpus.queries[row].lower().startswith(word):
                    asked += 1
                    before, after = (probe.logit(matrix[[row]])[0] > 0 for matrix in (one, other))
                    turned += before == refused and after != refused
        found = swaps.flips(word, refused=refused)
        assert (found.k, found.n) == (turned, asked)
