import pytest

from unmirage.data import open_samples
from unmirage.data.labels import VALID, parse_label
from unmirage.errors import UserError


@pytest.mark.parametrize("value", [True, 1, "1", "true", "YES", " refused ", "unsafe"])
def test_values_that_mean_refused(value):
    assert parse_label(value, "label") is True


@pytest.mark.parametrize("value", [False, 0, "0", "False", "no", "answered", "safe"])
def test_values_that_mean_answered(value):
    assert parse_label(value, "refused") is False


def test_a_safe_column_turns_yes_and_no_around_but_not_words():
    assert parse_label(True, "safe") is False
    assert parse_label("0", "Safe") is True
    assert parse_label("safe", "safe") is False
    assert parse_label("unsafe", "safe") is True


@pytest.mark.parametrize("value", [2, "maybe", "", None, [True], 0.5])
def test_anything_else_is_no_label(value):
    assert parse_label(value, "label") is None


def test_all_listed_values_are_valid():
    assert all(parse_label(value, "label") is not None for value in VALID.split(", "))


@pytest.mark.parametrize("label", ["answer", "field"])
def test_without_field_and_answer_the_label_can_be_stated(tmp_path, label):
    path = tmp_path / "attacks.jsonl"
    path.write_text('{"query": "Open the box."}\n')
    with pytest.raises(UserError, match=r"state one for all samples with --label refused or --label answered$"):
        list(open_samples(path, label=label))
