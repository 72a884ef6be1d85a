"""What servers send: the text and its counts, or a reason why there is none."""

import json

import pytest

from unmirage.models.endpoint.client import Trouble
from unmirage.models.endpoint.completion import Completion, read_completion


def body(message, why="stop", **fields):
    return json.dumps({"choices": [{"message": message, "finish_reason": why}], **fields})


def test_the_text_and_the_counts():
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    found = read_completion(body({"content": " Yes.\n"}, usage=usage))
    assert found == Completion(text="Yes.", finished=True, tokens=3, prompt_tokens=7)


def test_an_answer_that_was_cut_off_is_not_finished():
    assert not read_completion(body({"content": "Yes, bec"}, "length")).finished


def test_saying_nothing_is_an_answer():
    assert read_completion(body({"content": ""})).text == ""


def test_a_refusal_in_a_field_of_its_own_is_what_the_model_said():
    assert read_completion(body({"content": None, "refusal": "I can't."})).text == "I can't."


@pytest.mark.parametrize("count", [None, -1, True, "3", 2.5])
def test_a_count_that_is_none_is_unknown(count):
    assert read_completion(body({"content": "Yes."}, usage={"completion_tokens": count})).tokens is None
    assert read_completion(body({"content": "Yes."}, usage=[count])).tokens is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<html>Bad gateway</html>", "not JSON"),
        ("", "not JSON"),
        ('{"choices": [', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no choices"),
        ("null", "no choices"),
        ("{}", "no choices"),
        ('{"choices": []}', "no choices"),
        ('{"choices": ["Yes."]}', "no choices"),
        ('{"choices": {"0": 1}}', "no choices"),
        ('{"choices": [{}]}', "no message"),
        (body("Yes."), "no message"),
        (body({}), "the response is empty"),
        (body({"content": None}), "the response is empty"),
        (body({"content": [{"type": "text", "text": "Yes."}]}), "content is a list, not a string"),
        (body({"content": 7}), "content is a int, not a string"),
    ],
)
def test_garbage_is_named_and_worth_asking_again(text, reason):
    with pytest.raises(Trouble, match=reason) as trouble:
        read_completion(text)
    assert trouble.value.passing


@pytest.mark.parametrize(("why", "reason"), [("length", "raise max_new_tokens"), ("content_filter", "content filter")])
def test_a_model_that_cannot_say_more_is_not_asked_again(why, reason):
    with pytest.raises(Trouble, match=reason) as trouble:
        read_completion(body({"content": None}, why))
    assert not trouble.value.passing
