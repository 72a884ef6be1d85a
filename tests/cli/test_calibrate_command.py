"""`unmirage calibrate`, and `evaluate` with what it wrote."""

import json

import pytest

from unmirage.records import Kind, Query, Response
from unmirage.run import open_run

NO, YES = "I cannot share that.", "It is made of amber and ash."
ATTACK = {"shots": 1, "jailbreak_word": "what", "over_prudence_word": "share"}


@pytest.fixture
def labeled(tmp_path):
    """Write 10 right refusals, 2 that phrases miss, and 8 compliances, of which one sounds like a refusal."""
    rows = [(NO, "refused")] * 10 + [("Nope!", "refused")] * 2 + [(YES, "complied")] * 7 + [(NO, "complied")]
    path = tmp_path / "labeled.jsonl"
    path.write_text(
        "".join(json.dumps({"query": "?", "response": text, "verdict": verdict}) + "\n" for text, verdict in rows)
    )
    return path


@pytest.fixture
def run(tmp_path):
    queries = [
        Query(id=f"u{n}|plain|0", sample_id=f"u{n}", kind=Kind.PLAIN, shot=0, text="?", image=None, unsafe=True)
        for n in range(40)
    ]
    with open_run(tmp_path / "run", {"seed": 0, "attack": ATTACK}) as run, run.store() as store:
        store.add_queries(queries)
        store.add_responses(
            Response(query_id=one.id, model="m", text=YES if n % 2 else NO, tokens=1) for n, one in enumerate(queries)
        )
    return tmp_path / "run"


def test_a_judge_is_measured_against_labels(unmirage, labeled):
    code, out, err = unmirage("calibrate", "phrases", labeled, "--json")
    assert code == 0, err
    document = json.loads(out)
    assert (document["judge"], document["n"]) == ("phrases", 20)
    refused = document["verdicts"]["refused"]
    assert (refused["sensitivity"]["k"], refused["sensitivity"]["n"]) == (10, 12)
    assert (refused["specificity"]["k"], refused["specificity"]["n"]) == (7, 8)
    assert document["confusion"]["refused"] == {
        "complied": 2,
        "refused": 10,
        "irrelevant": 0,
        "blocked": 0,
        "invalid": 0,
    }
    code, out, _ = unmirage("calibrate", "phrases", labeled)
    assert code == 0
    assert "83.3 [55–95] 10/12" in out


def test_rates_are_corrected_by_a_calibration_of_the_same_judge(unmirage, labeled, run, tmp_path):
    file = tmp_path / "calibration.json"
    assert unmirage("calibrate", "phrases", labeled, "--out", file)[0] == 0
    code, out, err = unmirage("evaluate", run, "--calibration", file, "--json")
    assert code == 0, err
    document = json.loads(out)
    asr = document["models"]["m"]["corrected"]["asr"]["before"]
    specificity, sensitivity = 10 / 12, 7 / 8
    assert asr["value"] == pytest.approx((0.5 + specificity - 1) / (sensitivity + specificity - 1))
    assert asr["low"] < asr["value"] < asr["high"]
    assert not document["models"]["m"]["corrected"]["asr"]["after"]["identifiable"]
    assert document["judges"]["phrases"]["calibration"]["specificity"]["k"] == 10
    code, out, _ = unmirage("evaluate", run, "--calibration", file)
    assert "corrected for the judge's errors: asr.before 47.1 [" in out
    file.write_text(json.dumps(json.loads(file.read_text()) | {"judge": "other"}))
    code, _, err = unmirage("evaluate", run, "--calibration", file)
    assert code == 2
    assert "field 'judge' is 'other'; valid: 'phrases'" in err


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"query": "?", "response": NO, "verdict": ""}, "line 1: field 'verdict' is empty; add the label"),
        ({"query": "?", "response": NO, "verdict": "safe"}, "field 'verdict' is 'safe'; valid: complied, refused, irr"),
        ({"query": None, "response": NO, "verdict": "refused"}, "field 'query' is null; the record has 'query', "),
        ({"query": "?", "response": 3, "verdict": "refused"}, "field 'response' must be text"),
    ],
)
def test_a_wrong_label_is_named(unmirage, tmp_path, record, message):
    path = tmp_path / "labeled.jsonl"
    path.write_text(json.dumps(record) + "\n")
    code, _, err = unmirage("calibrate", "phrases", path)
    assert code == 2
    assert "labeled.jsonl: line 1: " in err
    assert message in err


def test_labels_are_not_overwritten_and_a_missing_calibration_is_named(unmirage, labeled, run):
    code, _, err = unmirage("calibrate", "phrases", labeled, "--out", labeled)
    assert code == 2
    assert "--out" in err
    code, _, err = unmirage("evaluate", run, "--calibration", "gone.json")
    assert code == 2
    assert "--calibration gone.json: no such file; create one with `unmirage calibrate`" in err


def test_a_gate_ends_with_its_own_status_and_writes_junit(unmirage, run, tmp_path):
    junit = tmp_path / "gate.xml"
    code, _, err = unmirage("evaluate", run, "--fail-if", "asr.before>0.4 and utility<2", "--junit", junit)
    assert code == 2, err  # utility cannot be told
    code, _, err = unmirage("evaluate", run, "--fail-if", "asr.before>0.4", "--junit", junit)
    assert code == 3
    assert "gate 'asr.before>0.4' failed" in err
    assert "<failure" in junit.read_text()
    assert unmirage("evaluate", run, "--fail-if", "asr.before>0.6", "--junit", junit)[0] == 0
    assert "<failure" not in junit.read_text()
    code, _, err = unmirage("evaluate", run, "--junit", junit)
    assert code == 2
    assert "--junit: needs at least one --fail-if" in err


def test_a_calibration_with_other_rules_is_refused(unmirage, labeled, run, tmp_path):
    file = tmp_path / "calibration.json"
    unmirage("calibrate", "phrases", labeled, "--out", file)
    document = json.loads(file.read_text())
    assert document["fingerprint"].startswith("rules: ")
    file.write_text(json.dumps(document | {"fingerprint": "rules: 0123456789ab"}))
    code, _, err = unmirage("evaluate", run, "--calibration", file)
    assert code == 2
    assert "the judge or its rules have changed since (was: rules: 0123456789ab; now: rules: " in err
    assert "repeat `unmirage calibrate`" in err


def test_a_useless_judge_is_named_and_not_offered_for_correction(unmirage, run, tmp_path):
    path, file = tmp_path / "labeled.jsonl", tmp_path / "calibration.json"
    rows = [(YES, "refused"), (YES, "complied")] * 20
    path.write_text("".join(json.dumps({"query": "?", "response": a, "verdict": b}) + "\n" for a, b in rows))
    code, out, err = unmirage("calibrate", "phrases", path, "--out", file)
    assert code == 0
    assert "complied: useless: no better than chance (informedness 0.00 [-0.16, 0.16])" in out
    assert "Do not correct rates with this calibration" in err
    assert "Next: unmirage evaluate" not in err
    document = json.loads(file.read_text())
    assert document["useful"] is document["verdicts"]["complied"]["useful"] is False
    code, _, err = unmirage("evaluate", run, "--calibration", file)
    assert code == 2
    assert "'phrases' cannot be corrected, because it is not shown to be better than chance: complied: useless" in err
    assert err.count("\n") == 1


def test_labels_of_the_package(unmirage, tmp_path):
    code, out, err = unmirage("calibrate", "phrases", "--labels", "xstest:gpt4", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert (document["labels"], document["n"]) == ("xstest:gpt4", 450)
    assert sum(document["confusion"]["partial"].values()) == 9
    assert document["by_label"]["3_partial_refusal"] == document["confusion"]["partial"]
    assert document["accuracy"]["n"] == 441
    code, out, _ = unmirage("calibrate", "phrases", "--labels", "msts:french")
    assert code == 0
    for text in (
        "openbmb/Mini", "1.2 - refusal only", "38 responses with a partial label count in no rate",
        "the pictures do not ship: 400 queries contain a description of the picture",
    ):  # fmt: skip
        assert text in out
    code, out, _ = unmirage("calibrate", "--labels", "list")
    assert code == 0
    assert "CC-BY-4.0" in out
    assert "mistralinstruct" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["phrases"], "needs either a file of labeled responses or --labels NAME; neither is given"),
        (
            ["phrases", "LABELED", "--labels", "xstest"],
            "needs either a file of labeled responses or --labels NAME; both",
        ),
        (["--labels", "xstest"], "JUDGE is missing; valid: phrases, "),
        (["phrases", "--labels", "xtest"], "unknown labels 'xtest'; valid: msts, xstest. Did you mean 'xstest'?"),
        (["phrases", "--labels", "msts", "--judge-sees-pictures"], "--judge-sees-pictures: the pictures do not ship"),
        (["phrases", "--labels", "msts", "--images", "."], "--images: the pictures do not ship with the labels 'msts'"),
        (["phrases", "--labels", "msts", "--columns", "query=a"], "--columns: the columns of shipped labels are known"),
        (["phrases", "LABELED", "--label-map", "refused"], "--label-map: 'refused' is not LABEL=VERDICT"),
        (["phrases", "LABELED", "--label-map", "no=refused"], "has the label 'no'; its labels: 'complied', 'refused'"),
        (
            ["phrases", "LABELED", "--columns", "query=a"],
            "has no column 'a' for 'query' in its first 20 records; it has 'query', ",
        ),
    ],
)
def test_wrong_arguments_are_named(unmirage, labeled, arguments, message):
    code, _, err = unmirage("calibrate", *(labeled if one == "LABELED" else one for one in arguments))
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_labels_are_mapped_and_columns_named(unmirage, tmp_path):
    path = tmp_path / "labeled.csv"
    path.write_text(f'ask,said,rating\n?,"{NO}",refusal\n?,"{YES}",answer\n')
    options = ("--columns", "query=ask,response=said,verdict=rating", "--label-map", "refusal=refused,answer=complied")
    code, out, err = unmirage("calibrate", "phrases", path, *options, "--json")
    assert code == 0, err
    assert json.loads(out)["accuracy"]["k"] == 2
