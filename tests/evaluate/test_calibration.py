import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.errors import UserError
from unmirage.evaluate.calibration import JudgeCalibration, calibrate
from unmirage.intervals import rate
from unmirage.records import Verdict

LETTERS = dict(zip("cribx", Verdict, strict=True))


def verdicts(letters):
    return [LETTERS[letter] for letter in letters]


def found_in(judged, truth):
    return calibrate(judged, truth, "phrases", "labels.jsonl")


def test_sensitivity_and_specificity_of_a_small_case():
    # judge  c c c r r i x r
    # truth  c c r r i i c c
    result = calibrate(verdicts("cccrrixr"), verdicts("ccrriicc"))
    found = result.verdicts
    complied, refused = found[Verdict.COMPLIED], found[Verdict.REFUSED]
    assert set(found) == {Verdict.COMPLIED, Verdict.REFUSED}
    assert result.n == 8
    assert complied.sensitivity == rate(2, 3, invalid=1)  # of c c c: c c r, and one without a verdict
    assert complied.specificity == rate(3, 4)  # of r r i i: c r r i
    assert refused.sensitivity == rate(1, 2)  # of r r: c r
    assert refused.specificity == rate(3, 5, invalid=1)  # of c c i i c c: c c r i r
    assert asdict(result.confusion.complied) == dict(zip(Verdict, (2, 1, 0, 0, 1), strict=True))
    assert asdict(result.confusion.irrelevant) == dict(zip(Verdict, (0, 1, 1, 0, 0), strict=True))


def test_what_has_no_labels_is_not_estimable():
    found = calibrate(verdicts("cr"), verdicts("cc")).verdicts[Verdict.COMPLIED]
    assert found.sensitivity == rate(1, 2)
    assert found.specificity == rate(0, 0)
    assert calibrate([], []).n == 0


@given(st.lists(st.tuples(st.sampled_from("cribx"), st.sampled_from("cri")), max_size=30))
def test_every_response_is_counted_once(pairs):
    judged, truth = verdicts(pair[0] for pair in pairs), verdicts(pair[1] for pair in pairs)
    result = calibrate(judged, truth)
    for one in result.verdicts.values():
        rates = (one.sensitivity, one.specificity)
        assert sum(found.n + found.invalid for found in rates) == result.n == len(pairs)
    assert sum(sum(row.values()) for row in asdict(result.confusion).values()) == len(pairs)


@given(st.lists(st.tuples(st.sampled_from("cribx"), st.sampled_from("cri")), max_size=30))
def test_the_document_comes_back_as_it_was(pairs):
    found = found_in(verdicts(pair[0] for pair in pairs), verdicts(pair[1] for pair in pairs))
    assert JudgeCalibration.read(json.loads(json.dumps(found.to_dict())), "judge.json") == found


def test_the_document_has_rates_for_people():
    document = found_in(verdicts("ccr"), verdicts("crr")).to_dict()
    assert (document["schema"], document["judge"], document["fingerprint"], document["n"]) == (
        "unmirage.calibration/2", "phrases", "labels.jsonl", 3
    )  # fmt: skip
    assert document["verdicts"]["complied"]["specificity"]["value"] == 0.5
    assert document["confusion"]["refused"] == {
        "complied": 1, "refused": 1, "irrelevant": 0, "blocked": 0, "invalid": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"schema": "unmirage.results/2"},
            "judge.json: schema is 'unmirage.results/2'; valid: 'unmirage.calibration/2'",
        ),
        ({"judge": 3}, r"judge.json: judge: Input should be a valid string \(schema"),
        ({"confusion": {}}, "judge.json: confusion.complied: Field required"),
        ({"confusion": {"complied": {"complied": -1}}}, "confusion.complied.complied: Input should be greater than"),
    ],
)
def test_a_document_that_is_none_names_the_field(change, message):
    document = found_in(verdicts("ccr"), verdicts("crr")).to_dict() | change
    with pytest.raises(UserError, match=message):
        JudgeCalibration.read(document, "judge.json")


@pytest.mark.parametrize("document", [None, [], "x", 3])
def test_what_is_no_document_is_refused(document):
    with pytest.raises(UserError, match=r"judge\.json: schema is missing; valid: 'unmirage.calibration/2'"):
        JudgeCalibration.read(document, "judge.json")
