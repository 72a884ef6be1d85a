import pytest

from unmirage.errors import UserError
from unmirage.evaluate.scoring import mean_scores, score_run
from unmirage.intervals import mean
from unmirage.records import Gold, Kind, Query, Response, Sample
from unmirage.run.store import Store

RED = ("red",) * 6 + ("pink",) * 4


@pytest.fixture
def make(tmp_path):
    """Return a function that makes a store of (picture, response of "m", gold) triples; None was not answered."""
    stores = []

    def make(*rows):
        store = Store(tmp_path / f"store{len(stores)}.sqlite")
        stores.append(store.__enter__())
        for number, (picture, text, answers, choices) in enumerate(rows):
            sample = Sample(
                id=f"s{number}", record=f"r{number}", query="?", refused=False, label_source="field", image=picture
            )
            query = Query(
                id=f"q{number}", sample_id=sample.id, kind=Kind.UTILITY, shot=0, text="?", image=None, unsafe=False
            )
            store.add_samples([sample])
            store.add_queries([query])
            if answers:
                store.add_gold([Gold(query_id=query.id, answers=answers, choices=choices)])
            if text is not None:
                store.add_responses([Response(query_id=query.id, model="m", text=text, tokens=1)])
        return store

    yield make
    for store in stores:
        store.__exit__(None, None, None)


def test_each_response_with_gold_is_scored_by_the_rule_of_the_suite(make):
    store = make(("a", "Red.", RED, ()), ("a", "Blue", RED, ()), ("b", None, RED, ()), ("c", "Red", (), ()))
    score_run(store, "m", "vqav2")
    assert [(one.query_id, one.scorer, one.value) for one in store.scores("m")] == [
        ("q0", "VQA accuracy", 1.0),
        ("q1", "VQA accuracy", 0.0),
    ]
    assert store.scores("m")[0].why == "human answers: red (6), pink (4)"
    score_run(store, "m", "vqav2")
    assert len(store.scores("m")) == 2


def test_suites_differ_in_their_rule(make):
    for suite, value in (("vqav2", 0.0), ("vizwiz", 0.0), ("textvqa", 1.0), ("textvqa-ocr", 1.0)):
        store = make(("a", "Two", ("two",) * 10, ()))
        score_run(store, "m", suite)
        assert [one.value for one in store.scores("m")] == [value], suite


def test_letters(make):
    choices = ("a trout", "a whale")
    rows = [("a", text, ("B",), choices) for text in ("B", "A.", "a whale")]
    store = make(*rows)
    score_run(store, "m", "scienceqa")
    assert [(one.value, one.why) for one in store.scores("m")] == [
        (1.0, "names B; the correct answer is B"),
        (0.0, "names A; the correct answer is B"),
        (0.0, "names no option; the correct answer is B"),
    ]
    assert mean_scores(store, "m")["accuracy"].value == pytest.approx(1 / 3)


def test_means_are_clustered_by_picture(make):
    texts = [("a", "red"), ("a", "red"), ("b", "blue"), ("b", "blue"), ("c", "pink")]
    store = make(*((picture, text, RED, ()) for picture, text in texts))
    score_run(store, "m", "vqav2")
    found = mean_scores(store, "m")
    assert found == {"VQA accuracy": mean([1, 1, 0, 0, 1], ["a", "a", "b", "b", "c"])}
    assert (found["VQA accuracy"].n, found["VQA accuracy"].groups) == (5, 3)
    assert mean_scores(store, "nobody") == {}


def test_without_gold_nothing_is_scored_and_gold_needs_a_rule(make):
    store = make(("a", "Red", (), ()))
    score_run(store, "m", "xstest")
    assert store.scores("m") == []
    with pytest.raises(UserError, match="unknown suite with a scoring rule 'xstest'; valid: scienceqa, textvqa"):
        score_run(make(("a", "Red", RED, ())), "m", "xstest")
