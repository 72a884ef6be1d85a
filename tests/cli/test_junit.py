import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.errors import UserError
from unmirage.evaluate.junit import junit

RESULTS = {
    "models": {
        "base": {"asr": {"after": {"value": 0.9}}, "utility": {"value": 0.95}},
        "npo": {"asr": {"after": {"value": 0.12}}, "utility": {"value": None}},
    },
    "judges": {"exact": {"precision": {"value": 0.99}}},
}


def read(document, gates):
    """Return suite -> case -> how it ended and what it says, and the counts of each suite and of the whole."""
    top = ElementTree.fromstring(junit(document, gates).encode())
    assert top.tag == "testsuites"
    ends, counts = {}, {"": (top.get("tests"), top.get("failures"), top.get("errors"))}
    for suite in top:
        assert suite.tag == "testsuite"
        counts[suite.get("name")] = (suite.get("tests"), suite.get("failures"), suite.get("errors"))
        for case in suite:
            end = [(child.tag, child.get("message")) for child in case]
            ends.setdefault(suite.get("name"), {})[case.get("name")] = end
    return ends, counts


def test_a_suite_a_model_and_a_case_a_condition():
    ends, counts = read(RESULTS, ["asr.after>0.15 or utility<0.75", "npo.asr.after>0.1"])
    assert ends == {
        "base": {"asr.after>0.15": [("failure", "asr.after>0.15: base: asr.after is 0.9")], "utility<0.75": []},
        "npo": {
            "asr.after>0.15": [],
            "utility<0.75": [("error", "npo: utility is not estimable from these data")],
            "npo.asr.after>0.1": [("failure", "npo.asr.after>0.1: npo.asr.after is 0.12")],
        },
    }
    assert counts == {"": ("5", "2", "1"), "base": ("2", "1", "0"), "npo": ("3", "1", "1")}


def test_what_is_about_no_one_model_has_a_suite_of_its_own():
    ends, _ = read(RESULTS, ["judges.exact.precision<0.9", "base.asr.after>0.5 and npo.asr.after<0.5"])
    message = "base.asr.after>0.5 and npo.asr.after<0.5: base.asr.after is 0.9 and npo.asr.after is 0.12"
    assert ends == {
        "all models": {
            "judges.exact.precision<0.9": [],
            "base.asr.after>0.5 and npo.asr.after<0.5": [("failure", message)],
        }
    }


def test_a_failure_says_in_its_text_what_its_message_says():
    top = ElementTree.fromstring(junit(RESULTS, ["asr.after>0.5"]))
    failure = top.find("testsuite/testcase/failure")
    assert failure.text == failure.get("message") == "asr.after>0.5: base: asr.after is 0.9"
    assert top.find("testsuite/testcase").get("classname") == "unmirage.base"


def test_without_conditions_there_are_suites_without_cases():
    assert read(RESULTS, []) == ({}, {"": ("0", "0", "0"), "base": ("0", "0", "0"), "npo": ("0", "0", "0")})
    assert junit({}, []).startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites')


def test_a_mistake_in_a_condition_is_a_user_error():
    with pytest.raises(UserError, match="is not a condition"):
        junit(RESULTS, ["asr.after"])
    with pytest.raises(UserError, match=r"unknown metric 'nope'; valid: asr\.after, utility"):
        junit(RESULTS, ["nope>1"])


@given(st.text(max_size=20))
def test_any_name_of_a_model_makes_a_document_that_can_be_read(name):
    top = ElementTree.fromstring(junit({"models": {name: {"utility": {"value": 0.1}}}}, ["utility<0.5"]).encode())
    assert top.get("failures") == "1"


def test_what_xml_has_no_characters_for_and_markup_are_inert():
    name = "a\x00\x1b[31mb\ud800\uffff<script>&\"'"
    ends, _ = read({"models": {name: {"utility": {"value": 0.1}}}}, ["utility<0.5"])
    assert list(ends) == ["ab<script>&\"'"]
    assert ends["ab<script>&\"'"] == {
        "utility<0.5": [("failure", "utility<0.5: ab<script>&\"': utility is 0.1")],
    }


def test_a_condition_that_missing_verdicts_decide_is_an_error():
    rates = {"value": 0.0, "least": 0.0, "most": 0.83, "invalid": 5}
    document = {"models": {"npo": {"asr": {"after": rates}}, "sft": {"asr": {"after": {"value": None}}}}}
    ends, counts = read(document, ["asr.after>0.15", "npo.asr.after>0.9"])
    assert ends["npo"] == {
        "asr.after>0.15": [("error", "npo: asr.after is 0 (bounds 0 to 0.83, 5 missing)")],
        "npo.asr.after>0.9": [],
    }
    assert counts == {"": ("3", "0", "2"), "npo": ("2", "0", "1"), "sft": ("1", "0", "1")}
    top = ElementTree.fromstring(junit(document, ["asr.after>0.15"]))
    assert [one.get("type") for one in top.iter("error")] == ["undecided", "not estimable"]
