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
    for model, name in (("gpt\n4o", "gpt 4o"), ("", None), (None, None), (3, None)):
        assert read_completion(body({"content": "Yes."}, model=model)).model == name


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


def test_a_list_of_parts_is_text():
    parts = [{"type": "text", "text": "I can't "}, {"type": "output_text", "text": "help."}, {"type": "image"}]
    assert read_completion(body({"content": parts})).text == "I can't help."
    assert read_completion(body({"content": [{"type": "refusal", "refusal": "No."}]})).text == "No."
    assert read_completion(body({"content": "", "refusal": "No."})).text == "No."


@pytest.mark.parametrize(
    ("text", "reason", "passing"),
    [
        ("<html>Bad gateway</html>", "not JSON", True),
        ("", "not JSON", True),
        ('{"choices": [', "not JSON", True),
        ("[" * 100_000, "not JSON", True),
        (body({}), "the response is empty", True),
        (body({"content": None}), "the response is empty", True),
        ('data: {"choices": []}\n\n', "the server streams events", "malformed"),
        ("[]", "no choices", "malformed"),
        ("null", "no choices", "malformed"),
        ("{}", "no choices", "malformed"),
        ('{"choices": []}', "no choices", "malformed"),
        ('{"choices": ["Yes."]}', "no choices", "malformed"),
        ('{"choices": {"0": 1}}', "no choices", "malformed"),
        ('{"choices": [{}]}', "no message", "malformed"),
        (body("Yes."), "no message", "malformed"),
        (body({"content": 7}), "content is a int, not text", "malformed"),
        (body({"content": [{"type": "image"}]}), "content is a list, not text", "malformed"),
        (body({"content": None}, "tool_calls"), "a call of a tool, not text", False),
        (body({"content": None}, "length"), "raise max_new_tokens", False),
        (body({"content": None}, "content_filter"), "content filter", False),
        ('{"error": {"message": "Overloaded", "code": 429}}', "reports an error: Overloaded", True),
        ('{"error": {"message": "Overloaded", "code": 529}}', "reports an error: Overloaded", True),
        ('{"error": {"message": "Bad key", "code": 401}}', "reports an error: Bad key", False),
        ('{"error": "gone"}', "reports an error: gone", False),
    ],
)
def test_a_response_without_text_is_named_and_repeated_only_if_that_can_help(text, reason, passing):
    with pytest.raises(Trouble, match=reason) as trouble:
        read_completion(text)
    assert (trouble.value.passing, trouble.value.malformed) == (bool(passing), passing == "malformed")
