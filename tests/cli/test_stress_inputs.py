"""What the options of `unmirage stress` say: numbers and files, or one line that names the option."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.cli.options import pairs_of
from unmirage.cli.stress import counts_of
from unmirage.errors import UserError
from unmirage.workflows.stress import KINDS, check_run, relearn_data


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_numbers_are_read_back_once_and_in_order(numbers):
    assert counts_of(" , ".join(map(str, numbers))) == sorted(set(numbers))


def said(function, *given):
    """Return what a function returns, or the message of its error."""
    try:
        return function(*given)
    except UserError as error:
        return str(error)


@given(st.text(alphabet="0123456789, -+.x٣²\n", max_size=12))
def test_anything_else_is_an_error_that_names_the_option(text):
    found = said(counts_of, text)
    assert found.startswith("--samples ") if isinstance(found, str) else all(number >= 0 for number in found)


@given(st.text())
def test_files_are_named_with_their_kind(text):
    found = said(pairs_of, "--relearn", [text], KINDS)
    assert "expected KIND=FILE" in found if isinstance(found, str) else set(found) <= set(KINDS)


def test_only_a_run_that_asked_something_is_taken(tmp_path):
    check_run({"seed": 0, "attack": {}, "data": "d", "images": "i", "max_new_tokens": 4}, tmp_path / "config.yaml")
    with pytest.raises(UserError, match=r"config\.yaml: field 'attack' is missing"):
        check_run({"seed": 0}, tmp_path / "config.yaml")


def test_benign_files_give_what_is_to_be_answered_and_few_are_the_first_of_many(tiny):
    from unmirage.attack import plain

    file, queries = tiny.data / "safety.json", plain(tiny.samples("test"))
    for kind in ("benign", "same-syntax"):
        many = relearn_data({kind: file}, 8, 0, queries)[kind].samples
        assert not any(sample.refused for sample in many)
        assert relearn_data({kind: file}, 3, 0, queries)[kind].samples == many[:3]
        assert relearn_data({kind: file}, 8, 1, queries)[kind].samples != many
    assert len(relearn_data({"forget": file}, 30, 0, queries)["forget"].samples) == 30
    with pytest.raises(UserError, match="has no unsafe queries to take openers from"):
        relearn_data({"same-syntax": file}, 3, 0, [query for query in queries if not query.unsafe])
