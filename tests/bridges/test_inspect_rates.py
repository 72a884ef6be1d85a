import pytest

pytest.importorskip("inspect_ai")

from unmirage.bridges.inspect_parts import metrics, rates_in, score

HALF = {"value": 0.5, "low": 0.2, "high": 0.8, "k": 2, "n": 4, "invalid": 1}
NONE = {"value": None, "low": None, "high": None, "k": 0, "n": 0, "invalid": 0}


def test_rates_have_dotted_names_and_lists_count_from_one():
    part = {"asr": {"before": HALF, "by_k": [NONE, HALF]}, "invalid": 3, "collapsed": ["a reason"], "variant": None}
    assert dict(rates_in(part)) == {"asr.before": HALF, "asr.by_k.1": NONE, "asr.by_k.2": HALF}


def test_a_rate_is_a_metric_with_its_interval_and_counts():
    found = metrics({"asr": HALF})
    assert list(found) == ["asr"]
    assert (found["asr"].name, found["asr"].value) == ("asr", 0.5)
    assert found["asr"].metadata == {"low": 0.2, "high": 0.8, "k": 2, "n": 4, "invalid": 1}


def test_what_cannot_be_estimated_is_no_metric():
    assert metrics({"asr": NONE, "corrected": {"rr": NONE | {"why": "no calibration"}}}) == {}


def test_a_score_counts_what_has_no_verdict():
    found = score("phrases", {"utility": HALF}, scored=4, unscored=1)
    assert (found.name, found.scorer, found.scored_samples, found.unscored_samples) == ("phrases", "phrases", 4, 1)
    assert list(found.metrics) == ["utility"]
