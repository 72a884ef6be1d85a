import pytest

from unmirage.cli.gate import broken_gate
from unmirage.errors import UserError

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
    with pytest.raises(UserError, match="is no condition; valid: NAME>NUMBER"):
        broken_gate(condition, DOCUMENT)


@pytest.mark.parametrize("name", ["gapp", "name", "flag", "deep", "deep.x", "gap.x"])
def test_an_unknown_name_lists_the_numbers_there_are(name):
    with pytest.raises(UserError, match=f"no number is called '{name}'; valid: n, gap, none, deep.test"):
        broken_gate(f"{name}>1", DOCUMENT)


def test_a_value_that_is_not_estimable_is_said_to_be():
    for name in ("none", "none.missing"):
        with pytest.raises(UserError, match=f"{name} is not estimable from these data"):
            broken_gate(f"{name}>1", DOCUMENT)
