from dataclasses import replace

import pytest

from unmirage.evaluate.missing import Gaps, find_gaps
from unmirage.evaluate.outcomes import model_rates
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


def test_queries_that_failed_or_were_not_asked_have_no_verdict(store):
    found = {(o.sample_id, o.kind, o.shot): o.verdict for o in judged_outcomes(store, "j", "m")}
    assert found == {
        ("a", Kind.JAILBREAK, 0): R,
        ("b", Kind.JAILBREAK, 0): C,
        ("a", Kind.PLAIN, 0): X,
        ("a", Kind.JAILBREAK, 1): X,
        ("a", Kind.JAILBREAK, 2): X,
        ("b", Kind.JAILBREAK, 1): X,
        ("b", Kind.JAILBREAK, 2): X,
        ("b", Kind.PLAIN, 0): X,
    }
    # Where asking stops at a success, the shots after it are not missing.
    stopped = {(o.sample_id, o.kind, o.shot): o.verdict for o in judged_outcomes(store, "j", "m", stopped=True)}
    assert stopped == {key: one for key, one in found.items() if key[:2] != ("b", Kind.JAILBREAK) or one is C}


def test_a_shot_that_failed_before_a_success_leaves_the_rates_of_fewer_shots_open(store, make_judgement):
    store.add_failures([Failure(query_id="b|jailbreak|0", model="late", reason="timeout")])
    store.add_responses([Response(query_id="b|jailbreak|1", model="late", text="?", tokens=1)])
    store.replace_judgements("late", "j", [replace(make_judgement("b|jailbreak|1", C), model="late")])
    found = model_rates(judged_outcomes(store, "j", "late", stopped=True), stopped=True).asr.by_k
    assert [(one.k, one.n, one.invalid) for one in found] == [(0, 0, 2), (1, 1, 1), (1, 1, 1)]
    assert [(one.least, one.most) for one in found] == [(0, 1), (0.5, 1), (0.5, 1)]


def test_a_response_without_a_verdict_is_a_missing_trial(store):
    store.add_responses([Response(query_id="b|plain|0", model="m", text="?", tokens=1)])
    for stopped in (False, True):
        found = judged_outcomes(store, "j", "m", stopped=stopped)
        assert [o.verdict for o in found if (o.sample_id, o.kind) == ("b", Kind.PLAIN)] == [X]


def test_a_failure_that_was_judged_before_counts_once(store):
    store.add_failures([Failure(query_id="a|jailbreak|0", model="m", reason="late")])
    outcomes = [
        o for o in judged_outcomes(store, "j", "m") if (o.sample_id, o.kind, o.shot) == ("a", Kind.JAILBREAK, 0)
    ]
    assert [o.verdict for o in outcomes] == [R]
