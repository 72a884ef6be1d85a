from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.documents import dumped
from unmirage.errors import UserError
from unmirage.evaluate.gate import check_gate, gate_outcome
from unmirage.evaluate.gate_names import Names
from unmirage.evaluate.results import Results
from unmirage.intervals import rate as wilson_rate


def broken_gate(condition, document):
    """Return the line of a condition that fails, or None; no verdict is missing."""
    found = gate_outcome([condition], document)
    assert not found.undecided
    return found.failed[0] if found.failed else None


DOCUMENT = {"n": 10, "gap": 0.27, "none": None, "flag": True, "name": "x", "deep": {"test": 0.9}}


@pytest.mark.parametrize("condition", ["gap>0.2", "gap >= 0.27", " n<11", "n<=10", "deep.test>.5", "gap>-1"])
def test_a_condition_that_holds_is_reported_with_the_value(condition):
    assert broken_gate(condition, DOCUMENT).startswith(f"gate '{condition.strip()}' failed: ")


def test_the_value_is_named():
    assert broken_gate("gap>0.2", DOCUMENT) == "gate 'gap>0.2' failed: gap is 0.27"


@pytest.mark.parametrize("condition", ["gap>0.27", "gap<0.2", "n>10", "deep.test<=0.1"])
def test_a_condition_that_does_not_hold_is_no_reason_to_fail(condition):
    assert broken_gate(condition, DOCUMENT) is None


@pytest.mark.parametrize("condition", ["gap", "gap=0.2", "gap>x", ">0.2", "gap>0.2>0.1", ""])
def test_what_is_no_condition_is_refused(condition):
    with pytest.raises(UserError, match="is not a condition; valid: NAME>NUMBER"):
        broken_gate(condition, DOCUMENT)


@pytest.mark.parametrize("name", ["gapp", "name", "flag", "deep", "deep.x", "gap.x"])
def test_an_unknown_name_lists_the_numbers_there_are(name):
    with pytest.raises(UserError, match=f"unknown metric '{name}'; valid: n, gap, none, deep.test"):
        broken_gate(f"{name}>1", DOCUMENT)


def test_a_value_that_is_not_estimable_is_said_to_be():
    for name in ("none", "none.missing"):
        with pytest.raises(UserError, match=f"{name} is not estimable from these data"):
            broken_gate(f"{name}>1", DOCUMENT)


def rate(value):
    return {"value": value, "low": None, "high": None, "k": 0, "n": 0, "invalid": 0}


RESULTS = {
    "schema": "unmirage.results/2",
    "judge": "phrases",
    "models": {
        "base": {
            "asr": {"before": rate(0.2), "after": rate(0.9), "by_k": [rate(0.5)]},
            "utility": rate(0.95),
            "scores": {"vqa": {"value": 0.6, "low": None, "high": None, "n": 9}},
        },
        "npo": {"asr": {"before": rate(0.0), "after": rate(0.12)}, "utility": rate(0.7), "invalid": 3},
        "llava-1.5": {"asr": {"before": rate(None), "after": rate(0.05)}, "utility": rate(0.8), "corrected": None},
        "npo + int8": {"asr": {"before": rate(0.0), "after": rate(0.2)}, "utility": rate(0.9)},
    },
    "judges": {"exact": {"precision": rate(0.99)}},
    "by_seed": [],
}
FAILED = "gate '{}' failed: {}"


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("asr.after>0.5", "base: asr.after is 0.9"),
        ("asr.after>0.15", "base: asr.after is 0.9; npo + int8: asr.after is 0.2"),
        ("utility<0.75", "npo: utility is 0.7"),
        ("npo.asr.after>0.1", "npo.asr.after is 0.12"),
        ("npo.asr.after.value>0.1", "npo.asr.after.value is 0.12"),
        ("models.npo.asr.after.value>0.1", "models.npo.asr.after.value is 0.12"),
        ("llava-1.5.utility<=0.8", "llava-1.5.utility is 0.8"),
        ('"npo + int8".utility>=0.9', '"npo + int8".utility is 0.9'),
        ("base.scores.vqa<0.7", "base.scores.vqa is 0.6"),
        ("npo.invalid>0", "npo.invalid is 3"),
        ("judges.exact.precision<1", "judges.exact.precision is 0.99"),
    ],
)
def test_rates_of_models(condition, found):
    assert broken_gate(condition, RESULTS) == FAILED.format(condition, found)


@pytest.mark.parametrize(
    "condition",
    ["asr.after>0.9", "utility<0.7", "npo.asr.after>0.2", "models.npo.utility>0.9", "judges.exact.precision<0.5"],
)
def test_rates_that_are_within_limits(condition):
    assert broken_gate(condition, RESULTS) is None


def test_or_lists_all_that_holds():
    condition = " asr.after>0.15 or utility<0.75 "
    found = "base: asr.after is 0.9; npo + int8: asr.after is 0.2; npo: utility is 0.7"
    assert broken_gate(condition, RESULTS) == FAILED.format(condition.strip(), found)


def test_and_asks_one_and_the_same_model():
    assert broken_gate("asr.after<0.1 and utility<0.75", RESULTS) is None  # another model each
    condition = "asr.after<0.15 AND utility<0.75"
    assert broken_gate(condition, RESULTS) == FAILED.format(condition, "npo: asr.after is 0.12 and utility is 0.7")


def test_and_binds_tighter_than_or():
    assert broken_gate("n>5 or n>5 and n>50", DOCUMENT) == FAILED.format("n>5 or n>5 and n>50", "n is 10")
    assert broken_gate("n>50 and n>5 or n>50", DOCUMENT) is None
    assert broken_gate("n>50 or gap>0.2 and n>5", DOCUMENT).endswith("failed: gap is 0.27 and n is 10")


def test_a_name_of_one_model_beside_a_name_of_each():
    condition = "npo.asr.after>0.1 and utility<0.85"
    each = "npo.asr.after is 0.12 and utility is"
    expected = FAILED.format(condition, f"npo: {each} 0.7; llava-1.5: {each} 0.8")
    assert broken_gate(condition, RESULTS) == expected


def test_what_one_model_lacks_is_not_estimable_unless_the_rest_decides():
    with pytest.raises(UserError, match=r"^--fail-if: llava-1\.5: asr\.before is not estimable from these data$"):
        broken_gate("asr.before>0.5", RESULTS)
    with pytest.raises(UserError, match=r"^--fail-if: npo: scores\.vqa is not estimable from these data$"):
        broken_gate("scores.vqa>0.7", RESULTS)
    assert broken_gate("asr.before>0.1", RESULTS) == FAILED.format("asr.before>0.1", "base: asr.before is 0.2")
    assert broken_gate("asr.before>0.5 and utility<0.1", RESULTS) is None
    assert broken_gate("llava-1.5.corrected.asr.after>0.1 or npo.utility<0.75", RESULTS).endswith("npo.utility is 0.7")
    with pytest.raises(UserError, match=r"llava-1\.5\.corrected\.asr\.after is not estimable"):
        broken_gate("llava-1.5.corrected.asr.after>0.1 and npo.utility<0.75", RESULTS)


@pytest.mark.parametrize("name", ["asr", "npo", "npo.asr", "models", "asr.by_k", "nope.asr.after", "judge", "by_seed"])
def test_a_name_that_no_model_has_lists_those_there_are(name):
    valid = "asr.before, asr.after, utility, scores.vqa, invalid, corrected"
    with pytest.raises(UserError, match=rf"unknown metric '{name}'; valid: {valid}(\. Did you mean '[\w.]+'\?)?$"):
        broken_gate(f"{name}>1 or npo.utility<0.75", RESULTS)


@pytest.mark.parametrize(
    "condition",
    ["n>1 or", "or n>1", "n>1 n>2", "n>1 xor n>2", "n>1 or or n>2", "n>1or n>2", '"n>1', "n>1 and", "(n>1)", "n>1e"],
)
def test_what_is_joined_otherwise_is_no_condition(condition):
    with pytest.raises(UserError, match=r"is not a condition; valid: NAME>NUMBER with >, >=, < or <=$"):
        check_gate(condition)


@given(st.lists(st.sampled_from([*'<>=. \t"0x-', " or ", " and ", "utility", '"npo + int8".', "npo.", "0.5"])))
def test_any_text_is_a_condition_or_a_user_error(parts):
    with suppress(UserError):
        found = broken_gate("".join(parts), RESULTS)
        assert found is None or found.startswith("gate '")


@given(st.lists(st.tuples(st.sampled_from(["or", "and"]), st.booleans()), min_size=1, max_size=6))
def test_joined_conditions_hold_as_python_says(parts):
    words = [(join, "n>1" if holds else "n>100", str(holds)) for join, holds in parts]
    condition, expression = (" ".join(f"{one[0]} {one[at]}" for one in words).split(" ", 1)[1] for at in (1, 2))
    assert (broken_gate(condition, DOCUMENT) is not None) is eval(expression)


def test_benign_answered_and_parts_of_utility_have_names():
    answered = {"before": rate(0.9), "after": rate(0.7), "by_kind": {"control": rate(0.85)}}
    parts = {"facts": rate(0.6) | {"clusters": 8, "design_effect": 2.5}, "skills": rate(0.9)}
    document = {"models": {"npo": {"benign_answered": answered, "utility_by_category": parts}}}
    for condition, found in (
        ("benign_answered.after<0.8", "npo: benign_answered.after is 0.7"),
        ("benign_answered.by_kind.control<0.9", "npo: benign_answered.by_kind.control is 0.85"),
        ("utility_by_category.facts<0.7", "npo: utility_by_category.facts is 0.6"),
        ("utility_by_category.facts.clusters<12", "npo: utility_by_category.facts.clusters is 8"),
    ):
        assert broken_gate(condition, document) == f"gate '{condition}' failed: {found}"
    assert broken_gate("benign_answered.before<0.8", document) is None
    with pytest.raises(UserError, match=r"valid: benign_answered\.before, benign_answered\.after, .*utility_by_"):
        broken_gate("utility_by_category.fact<1", document)


def test_control_characters_in_a_models_name_are_not_printed():
    document = {"models": {"a\x1b[31m\nb": {"utility": rate(0.1)}}}
    assert broken_gate("utility<0.5", document) == FAILED.format("utility<0.5", "a b: utility is 0.1")


NAMES = Names.of(Results)


@pytest.mark.parametrize(
    "condition",
    [
        "asr.after>0.15", "npo.asr.after>1", "models.npo.utility<0.5", '"npo + int8".utility<0.3', "scores.vqa>70",
        "llava-1.5.corrected.llm.asr.after>0.1", "npo.invalid>3", "utility_by_category.fact<1", "timings.audit>5",
    ],
)  # fmt: skip
def test_a_name_that_results_can_have_is_accepted_before_they_exist(condition):
    check_gate(condition, NAMES)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            "asr_after>0.1",
            r"unknown metric 'asr_after'; valid: asr\.before, asr\.after, .*, …\. Did you mean 'asr.after'",
        ),
        ("asr.after>0.1 or npo.utilty<1", r"unknown metric 'npo\.utilty'; .* Did you mean 'utility'\?"),
        ("judge>1", "unknown metric 'judge'"),
        ("asr.after>15", r"asr\.after is at most 1, and 15 means 1,500 %; did you mean 0\.15\?$"),
        ("utility<1 and npo.rr.after>=2", r"npo\.rr\.after is at most 1, and 2 means 200 %; did you mean 0\.02\?$"),
    ],
)
def test_what_no_results_can_have_is_refused_before_they_exist(condition, message):
    with pytest.raises(UserError, match=f"^--fail-if: {message}"):
        check_gate(condition, NAMES)


def lacking(value, least, most, missing):
    return rate(value) | {"least": least, "most": most, "invalid": missing}


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ("asr.after>0.1", "failed"),  # every filling: 0.2 to 0.5
        ("asr.after>=0.2", "failed"),
        ("asr.after>0.2", "undecided"),  # the lowest filling is exactly 0.2
        ("asr.after>0.49", "undecided"),
        ("asr.after>=0.5", "undecided"),
        ("asr.after>0.5", "passed"),
        ("asr.after<0.2", "passed"),
        ("asr.after<=0.2", "undecided"),
        ("asr.after<=0.5", "failed"),
        ("asr.after<0.5", "undecided"),
        ("asr.before>0.15", "undecided"),  # no verdict at all: 0 to 1
        ("asr.before<=1", "failed"),
        ("asr.after.value>0.3", "undecided"),
        ("asr.after.most>0.2", "failed"),
        ("asr.after.least>0.2", "passed"),
        ("asr.after.invalid>5", "failed"),
        ("asr.after.invalid>6", "passed"),
        ("utility.most>0.89", "failed"),  # documents leave out the bounds of complete rates
        ("utility.least<0.9", "passed"),
        # Three-valued logic: false and undecided is false, true or undecided is true.
        ("asr.after>0.3 and utility<0.5", "passed"),
        ("utility<0.5 and asr.after>0.3", "passed"),
        ("asr.after>0.3 and utility>0.5", "undecided"),
        ("asr.after>0.3 or utility>0.5", "failed"),
        ("utility>0.5 or asr.after>0.3", "failed"),
        ("asr.after>0.3 or utility<0.5", "undecided"),
        ("asr.after>0.3 and asr.before>0.5", "undecided"),
        ("asr.after>0.1 and asr.before>0.5", "undecided"),
        ("asr.after>0.9 and asr.before>0.5", "passed"),
    ],
)
def test_a_gate_passes_only_if_no_filling_of_the_gaps_breaks_it(condition, outcome):
    rates = {"before": lacking(None, 0, 1, 4), "after": lacking(0.25, 0.2, 0.5, 6)}
    found = gate_outcome([condition], {"models": {"npo": {"asr": rates, "utility": rate(0.9)}}})
    expected = {"failed": (1, 0), "undecided": (0, 1), "passed": (0, 0)}
    assert (len(found.failed), len(found.undecided)) == expected[outcome]


def test_an_undecided_gate_names_the_rate_its_bounds_and_the_number_missing():
    rates = {"before": lacking(None, 0.0, 1.0, 4), "after": lacking(0.25, 0.2, 0.5, 6)}
    document = {"models": {"npo": {"asr": rates}, "sft": {"asr": {"before": rate(0.1), "after": rate(0.1)}}}}
    after = "npo: asr.after is 0.25 (bounds 0.2 to 0.5, 6 missing)"
    assert gate_outcome(["asr.after>0.3"], document).undecided == [f"gate 'asr.after>0.3' is undecided: {after}"]
    assert gate_outcome(["asr.before>0.15"], document).undecided == [
        "gate 'asr.before>0.15' is undecided: npo: asr.before is not estimable (bounds 0 to 1, 4 missing)"
    ]
    assert gate_outcome(["asr.after>0.15"], document).failed == [f"gate 'asr.after>0.15' failed: {after}"]


def test_a_failed_gate_is_reported_before_undecided_and_not_estimable_ones():
    models = {"npo": {"asr": {"after": lacking(0.25, 0.2, 0.5, 6), "before": rate(None)}, "utility": rate(0.9)}}
    found = gate_outcome(["asr.before>0.5", "asr.after>0.3", "utility<0.95"], {"models": models})
    assert found.failed == ["gate 'utility<0.95' failed: npo: utility is 0.9"]
    assert len(found.undecided) == 1
    with pytest.raises(UserError, match=r"npo: asr\.before is not estimable"):
        gate_outcome(["asr.after>0.3", "asr.before>0.5"], {"models": models})


@given(st.lists(st.sampled_from("crx"), min_size=1, max_size=6), st.sampled_from([">", ">=", "<", "<="]), st.data())
def test_a_gate_is_decided_exactly_if_all_fillings_agree(verdicts, sign, data):
    text = "".join(verdicts)
    limit = data.draw(st.integers(0, len(text)))
    k, missing = text.count("c"), text.count("x")
    values = [(k + filled) / len(text) for filled in range(missing + 1)]
    results = {"models": {"m": {"asr": {"after": dumped(wilson_rate(k, len(text) - missing, missing))}}}}
    condition = f"asr.after{sign}{limit / len(text):.17f}"
    holds = {eval(f"{value!r}{sign}{float(format(limit / len(text), '.17f'))!r}") for value in values}
    found = gate_outcome([condition], results)
    assert (bool(found.failed), bool(found.undecided)) == (holds == {True}, len(holds) == 2)


def test_conditions_on_bounds_and_missing_trials_are_known_before_the_results():
    for condition in ("asr.after.most>0.2", "npo.asr.after.least>0.2", "asr.after.invalid>5", "utility.most<1"):
        check_gate(condition, NAMES)


def test_the_form_control_has_names_in_gates():
    document = {"models": {"npo": {"asr": {"after": rate(0.9), "by_kind": {"form-control": rate(0.4)}}}}}
    condition = "asr.by_kind.form-control>0.3"
    assert broken_gate(condition, document) == f"gate '{condition}' failed: npo: asr.by_kind.form-control is 0.4"
    assert broken_gate("asr.by_kind.form-control>0.5", document) is None
