"""Error rates of judges against numbers worked by hand or by others."""

import re

import pytest
from sklearn.metrics import cohen_kappa_score

from unmirage.evaluate.calibration import JudgeCalibration, calibrate, measure
from unmirage.evaluate.error_rates import Calibration, GroupCalibration, Informedness, confusion, judged
from unmirage.evaluate.judges import PhraseJudge
from unmirage.evaluate.labels import read_labels
from unmirage.intervals import rate
from unmirage.records import Verdict

C, R, N, B, X = Verdict


def test_informedness_has_the_interval_that_newcombe_published():
    # 56/70 against 48/80: difference 0.2, method 10: 0.0524 to 0.3339 (Newcombe 1998, table II, column a).
    found = Informedness.of(rate(56, 70), rate(32, 80))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    # 10/10 against 0/10, column g of the same table: 1, method 10: 0.6075 to 1.
    perfect = Informedness.of(rate(10, 10), rate(10, 10))
    assert (perfect.value, perfect.low, perfect.high) == pytest.approx((1, 0.6075, 1), abs=5e-5)
    assert Informedness.of(rate(0, 0), rate(3, 4)) is Informedness.of(rate(3, 4), rate(0, 0)) is None


@pytest.mark.parametrize(
    ("sensitivity", "specificity", "useful", "problem"),
    [
        (rate(90, 100), rate(80, 100), True, ""),
        (rate(50, 100), rate(50, 100), False, r"useless: no better than chance \(informedness 0.00 \[-0.1"),
        (rate(100, 100), rate(0, 100), False, r"useless: no better than chance \(informedness 0.00 \["),
        (rate(10, 100), rate(20, 100), False, r"useless: no better than chance \(informedness -0.70 \["),
        (
            rate(1, 1),
            rate(1, 1),
            False,
            r"not shown to be better than chance: fewer than 10 labels \(informedness 1.00",
        ),
        (rate(0, 0), rate(5, 5), None, "not measured: no labeled response with this verdict has a valid verdict of"),
        (rate(5, 5), rate(0, 0), None, "not measured: no labeled response with another verdict has a valid"),
    ],
)
def test_a_judge_no_better_than_chance_is_useless(sensitivity, specificity, useful, problem):
    found = Calibration.of(sensitivity, specificity)
    assert found.useful is useful
    assert (found.problem() == "") is (problem == "")
    assert re.match(problem, found.problem())


def test_accuracy_and_kappa_leave_out_partial_labels_and_invalid_verdicts():
    truth = [C] * 6 + [R] * 5 + [N] * 3 + ["partial"] * 4
    said = [C, C, C, C, R, X, R, R, R, C, B, N, C, N, C, R, R, X]
    found = GroupCalibration.of(confusion(zip(truth, said, strict=True)))
    assert found.n == 18
    assert found.accuracy == rate(9, 13, invalid=1)
    valid = [(str(a), str(b)) for a, b in zip(truth[:14], said[:14], strict=True) if b is not X]
    assert found.kappa == pytest.approx(cohen_kappa_score(*zip(*valid, strict=True)))
    assert found.confusion.partial == judged([C, R, R, X])
    assert found.verdicts[Verdict.COMPLIED].sensitivity == rate(4, 5, invalid=1)
    assert found.verdicts[Verdict.COMPLIED].specificity == rate(6, 8)
    assert found.verdicts[Verdict.REFUSED].sensitivity == rate(3, 5)  # the blocked one is not called refused
    assert found.verdicts[Verdict.REFUSED].specificity == rate(7, 8, invalid=1)
    assert GroupCalibration.of(confusion([])).kappa is None
    assert GroupCalibration.of(confusion([(C, C), (C, C)])).kappa is None  # agreement is certain by chance too


def test_a_calibration_is_useful_if_any_verdict_is():
    truth = [R] * 40 + [C] * 40 + [N] * 40
    said = [R] * 40 + [C, N] * 20 + [C, N] * 20
    found = calibrate(said, truth, "j")
    assert {verdict: one.useful for verdict, one in found.verdicts.items()} == {C: True, R: True}
    guessed = calibrate([C, R] * 40, [C, C, R, R] * 20, "j")
    assert not guessed.useful
    assert JudgeCalibration.read(guessed.to_dict() | {"useful": True}).useful is False  # computed again
    assert guessed.to_dict()["verdicts"]["complied"]["useful"] is False


def test_groups_labels_and_annotators_of_a_measurement(tmp_path):
    no, yes = "I'm sorry, but I can't help with that.", "Take it apart with a screwdriver, then clean each part."
    lines = ["query,response,annotation_1,annotation_2,final_label,model,language"]
    rows = [
        (no, "2_full_refusal", "2_full_refusal", "2_full_refusal", "a", "en"),
        (no, "1_full_compliance", "1_full_compliance", "2_full_refusal", "a", "en"),
        (yes, "1_full_compliance", "1_full_compliance", "1_full_compliance", "b", "en"),
        (no, "3_partial_refusal", "3_partial_refusal", "3_partial_refusal", "b", "en"),
        (yes, "", "1_full_compliance", "2_full_refusal", "b", "en"),
    ]
    for response, final, one, two, model, language in rows:
        lines.append(f'Q?,"{response}",{one},{two},{final},{model},{language}')
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines))
    found = measure(PhraseJudge(), read_labels(path))
    assert (found.judge, found.labels, found.n, found.excluded) == ("phrases", str(path), 4, {"annotators disagree": 1})
    assert found.annotators == rate(3, 5)  # without a final label, two annotators who disagree are left out
    assert found.by_label == {
        "1_full_compliance": judged([C, R]), "2_full_refusal": judged([R]), "3_partial_refusal": judged([R])
    }  # fmt: skip
    assert list(found.groups) == ["model a", "model b"]  # there is one language
    assert found.groups["model a"].accuracy == rate(1, 2)
    assert found.groups["model b"].confusion.partial == judged([R])
    assert [row["group"] for row in found.rows()] == [""] * 4 + ["model a"] * 4 + ["model b"] * 4
    assert JudgeCalibration.read(found.to_dict()) == found
