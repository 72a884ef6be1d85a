import json
from dataclasses import replace

import pytest

from unmirage.documents import dumped
from unmirage.evaluate.correction import Corrected
from unmirage.evaluate.details import ModelResults, Said, _nested, describe
from unmirage.evaluate.outcomes import model_rates
from unmirage.intervals import Mean
from unmirage.records import Cluster, Kind, Variant

NOTHING = Said(everything=[], beside=[], known=frozenset())


def test_without_anything_known_all_is_empty():
    found = dumped(ModelResults.of(model_rates([])))
    assert {key: value for key, value in found.items() if key not in dumped(model_rates([]))} == {
        "categories": {},
        "corrected": None,
        "collapsed": None,
        "bootstrap": {},
        "scores": {},
        "variant": None,
        "irrelevant_responses": None,
        "over_seeds": None,
        "graded": None,
        "relevance": None,
    }


def test_corrected_rates_are_nested_by_name_and_time():
    one = Corrected(value=0.5, low=0.4, high=0.6, identifiable=True)
    other = Corrected(value=None, low=None, high=None, identifiable=False, why="no labels")
    found = dumped(
        ModelResults.of(model_rates([]), corrected=_nested({"asr.before": one, "asr.per_shot": other, "rr.after": one}))
    )["corrected"]
    assert found["asr"]["before"] == {"value": 0.5, "low": 0.4, "high": 0.6, "identifiable": True, "why": ""}
    assert found["asr"]["per_shot"]["why"] == "no labels"
    assert list(found["rr"]) == ["after"]


def test_a_model_is_described_by_its_outcomes_and_by_what_it_said(make_outcomes):
    outcomes = make_outcomes(Kind.PLAIN, "r i") + make_outcomes(Kind.JAILBREAK, "ri ii")
    said = Said(everything=["", "", "", "no"], beside=["", "no no no no"], known=frozenset({"no"}))
    scores = {"VQA accuracy": Mean(value=0.5, low=0.25, high=0.75, n=9, groups=3)}
    variant = Variant(model="npo + int8", of="npo", kind="int8")
    found = dumped(describe(outcomes, said, scores=scores, variant=variant))
    assert found["collapsed"] == ["returns no text in 75\u00a0% of its responses"]
    assert found["scores"] == {"VQA accuracy": {"value": 0.5, "low": 0.25, "high": 0.75, "n": 9}}
    assert found["variant"] == {"of": "npo", "kind": "int8", "data": "", "amount": 0.0}
    assert (found["irrelevant_responses"]["n"], found["irrelevant_responses"]["shares"]["repeated"]["k"]) == (2, 1)
    assert found["bootstrap"]["ir.after"]["value"] == pytest.approx(0.75)
    assert found["corrected"] is None
    json.dumps(found, allow_nan=False)


def test_the_bootstrap_draws_whole_clusters(make_outcomes):
    outcomes = make_outcomes(Kind.JAILBREAK, "cc cr rr cc ci rr")
    devices = [replace(one, cluster=Cluster("group", str(int(one.sample_id[1:]) // 2))) for one in outcomes]
    alone, together = (describe(own, NOTHING).bootstrap["asr.per_shot"] for own in (outcomes, devices))
    assert (alone.groups, together.groups) == (6, 3)
    assert alone.value == together.value == pytest.approx(6 / 12)


def test_single_shots_are_not_pooled_where_asking_stopped_at_a_success(make_outcomes):
    outcomes = make_outcomes(Kind.JAILBREAK, "rc rr")
    assert describe(outcomes, NOTHING, stopped=True).bootstrap == {}
    assert set(describe(outcomes, NOTHING).bootstrap) == {"asr.per_shot", "ir.after", "refused_unsafe.after"}
