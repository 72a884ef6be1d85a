import pytest

from unmirage.evaluate.missing import Gaps, find_gaps
from unmirage.evaluate.run import judged_outcomes
from unmirage.records import Failure, Kind, Response, Verdict
from unmirage.run import Store

C, R, X = Verdict.COMPLIED, Verdict.REFUSED, Verdict.INVALID


@pytest.fixture
def store(tmp_path, make_query, make_judgement):
    """Return a store in which shot 0 of "a" was refused, shot 0 of "b" complied with, and one query failed."""
    queries = [make_query(sample, Kind.JAILBREAK, shot) for sample in "ab" for shot in range(3)]
    queries += [make_query("a"), make_query("b")]
    with Store(tmp_path / "store.sqlite") as store:
        store.add_queries(queries)
        store.add_responses(
            Response(query_id=key, model="m", text="?", tokens=1)
            for key in ("a|jailbreak|0", "b|jailbreak|0", "a|plain|0")
        )
        store.replace_judgements(
            "m",
            "j",
            [
                make_judgement("a|jailbreak|0", R),
                make_judgement("b|jailbreak|0", C),
                make_judgement("a|plain|0", X),
            ],
        )
        store.add_failures([Failure(query_id="a|jailbreak|1", model="m", reason="no picture")])
        yield store


def test_gaps_are_told_apart(store):
    assert find_gaps(store, "j", "m") == Gaps(unanswered=4, failed=1, reason="no picture", invalid=1)


def test_shots_after_a_success_are_not_missing_where_it_stops_the_asking(store):
    assert find_gaps(store, "j", "m", stopped=True) == Gaps(unanswered=2, failed=1, reason="no picture", invalid=1)


def test_another_judge_misses_what_its_own_verdicts_call_for(store, make_judgement):
    answered = ("a|jailbreak|0", "b|jailbreak|0", "a|plain|0")
    store.replace_judgements("m", "stern", [make_judgement(key, R, "stern") for key in answered])
    assert find_gaps(store, "stern", "m", stopped=True).unanswered == 4


def test_the_most_frequent_reason_is_named(store):
    reasons = {"a|jailbreak|2": "timeout", "b|jailbreak|1": "timeout", "b|plain|0": "refused by the server"}
    store.add_failures(Failure(query_id=key, model="m", reason=reason) for key, reason in reasons.items())
    assert find_gaps(store, "j", "m") == Gaps(unanswered=1, failed=4, reason="timeout", invalid=1)


def test_a_model_that_was_asked_nothing_lacks_everything(store):
    assert find_gaps(store, "j", "other") == Gaps(unanswered=8)


def test_a_failed_query_is_one_without_a_verdict(store):
    found = {(o.sample_id, o.kind, o.shot): o.verdict for o in judged_outcomes(store, "j", "m")}
    assert found == {
        ("a", Kind.JAILBREAK, 0): R,
        ("b", Kind.JAILBREAK, 0): C,
        ("a", Kind.PLAIN, 0): X,
        ("a", Kind.JAILBREAK, 1): X,
    }
    # Where asking stops at a success, a shot that is still to be asked keeps its sample open.
    stopped = {(o.sample_id, o.kind, o.shot): o.verdict for o in judged_outcomes(store, "j", "m", stopped=True)}
    assert stopped == found | {("a", Kind.JAILBREAK, 2): X, ("b", Kind.PLAIN, 0): X}


def test_a_failure_that_was_judged_before_counts_once(store):
    store.add_failures([Failure(query_id="a|jailbreak|0", model="m", reason="late")])
    outcomes = [
        o for o in judged_outcomes(store, "j", "m") if (o.sample_id, o.kind, o.shot) == ("a", Kind.JAILBREAK, 0)
    ]
    assert [o.verdict for o in outcomes] == [R]
