"""What servers send: the text and its counts, or a reason why there is none."""

import json

import pytest

from unmirage.models.endpoint.client import Trouble
from unmirage.models.endpoint.completion import Completion, read_completion
from unmirage.records import Ended

YES = {"type": "text", "text": "Yes."}


def body(message, why="stop", **fields):
    return json.dumps({"choices": [{"message": message, "finish_reason": why}], **fields})


def test_the_text_and_the_counts():
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    found = read_completion(body({"content": " Yes.\n"}, usage=usage))
    assert found == Completion(text="Yes.", ended=Ended.STOP, tokens=3, prompt_tokens=7, model=None)
    for model, name in (("gpt\n4o", "gpt 4o"), ("", None), (None, None), (3, None)):
        assert read_completion(body({"content": "Yes."}, model=model)).model == name


@pytest.mark.parametrize(
    ("why", "ended"),
    [
        *((one, Ended.STOP) for one in ("stop", "eos", "end_turn", None, "STOP", {"type": "stop"}, "stop_sequence")),
        *((one, Ended.LENGTH) for one in ("length", "max_tokens", "MAX_TOKENS", "model_length", {"type": "length"})),
        *((one, Ended.TOOL_CALL) for one in ("tool_calls", "function_call", "tool_use")),
        *((one, Ended.CONTENT_FILTER) for one in ("content_filter", "SAFETY", "recitation", "BLOCKLIST", "sensitive")),
        *((one, Ended.CONTENT_FILTER) for one in ("PROHIBITED_CONTENT", "guardrail_intervened", "refusal", "SPII")),
        ("content_filter: PROHIBITED_CONTENT", Ended.CONTENT_FILTER),
    ],
)
@pytest.mark.parametrize("text", ["Yes, bec", ""])
def test_how_a_response_ended(why, ended, text):
    found = read_completion(body({"content": text}, why))
    assert (found.text, found.ended, found.is_blocked) == (text, ended, ended is Ended.CONTENT_FILTER)


@pytest.mark.parametrize("content", ["", None, [], "absent"])
@pytest.mark.parametrize("why", ["stop", "length", "content_filter"])
def test_all_spellings_of_no_content_are_one(content, why):
    message = {"reasoning_content": "Hm."} | ({} if content == "absent" else {"content": content})
    found = read_completion(body(message, why))
    assert (found.text, found.thoughts, found.ended) == ("", "Hm.", Ended(why))


def test_blank_content_is_content():
    found = read_completion(body({"content": " \n"}, "length"))
    assert (found.text, found.ended, found.is_nothing) == (" ", Ended.LENGTH, False)


def test_nothing_at_all_is_said_so():
    assert read_completion(body({"content": ""})).is_nothing
    assert not read_completion(body({"content": "", "reasoning": "Hm."})).is_nothing
    assert not read_completion(body({"content": ""}, "length")).is_nothing


def test_a_call_of_a_tool_is_no_text_whatever_the_reason():
    found = read_completion(body({"content": None, "tool_calls": [{"id": "1"}]}))
    assert (found.text, found.ended) == ("", Ended.TOOL_CALL)
    assert read_completion(body({"content": "Yes.", "tool_calls": [{"id": "1"}]})).ended is Ended.STOP


@pytest.mark.parametrize("content", ["", None, [], [{"type": "refusal", "refusal": "I can't."}]])
def test_a_refusal_in_a_field_of_its_own_is_told_apart(content):
    found = read_completion(body({"content": content, "refusal": "I can't."}))
    assert (found.text, found.ended, found.is_blocked) == ("I can't.", Ended.REFUSAL, True)


@pytest.mark.parametrize("refusal", ["", None, False, 3])
def test_no_refusal_is_none(refusal):
    assert read_completion(body({"content": "Yes.", "refusal": refusal})).ended is Ended.STOP
    assert read_completion(body({"content": "", "refusal": refusal})).is_nothing


def test_text_beside_a_refusal_field_is_the_response():
    found = read_completion(body({"content": "Yes.", "refusal": "I can't."}))
    assert (found.text, found.ended) == ("Yes.", Ended.STOP)


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning_content": " Hm. "},
        {"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "Hm."}, {"type": "reasoning.encrypted"}]},
        {"thinking": "Hm."},
        {"content": [{"type": "thinking", "thinking": "Hm."}, YES]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, YES]},
        {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}, YES]},
    ],
)
def test_thoughts_are_kept_apart_from_the_text(message):
    found = read_completion(body({"content": "Yes."} | message))
    assert (found.text, found.thoughts) == ("Yes.", "Hm.")


def sse(*events, done=True):
    return "".join(f"data: {json.dumps(one)}\n\n" for one in events) + ("data: [DONE]\n\n" if done else "")


def delta(why=None, **fields):
    return {"model": "m", "choices": [{"index": 0, "delta": fields, "finish_reason": why}]}


def test_a_stream_is_read_as_one_completion():
    chunks = [
        delta(role="assistant", content="", reasoning_content="H"),
        delta(reasoning_content="m."),
        delta(content="Ye"),
        delta("length", content="s"),
        {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}},
    ]
    whole = Completion(text="Yes", ended=Ended.LENGTH, thoughts="Hm.", tokens=3, prompt_tokens=7, model="m")
    assert read_completion(": wait\n\n" + sse(*chunks)) == whole
    assert read_completion("event: message\r\n" + sse(*chunks, done=False).replace("\n", "\r\n")) == whole


def test_a_stream_of_parts_and_one_without_a_reason():
    parts = [delta(content=[{"type": "text", "text": "Ye"}]), delta(content="s.")]
    assert read_completion(sse(*parts)).text == "Yes."
    assert read_completion(sse(delta(refusal="I "), delta(refusal="can't."))).ended is Ended.REFUSAL


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (sse(delta(content="Ye"), done=False), "stream ended before the response did"),
        ("data: {\n\n", "streams events that are not JSON"),
        (sse({"error": {"message": "out of memory", "code": 500}}), "reports an error: out of memory"),
        (sse("Yes."), "no choices"),
    ],
)
def test_a_broken_stream_is_named(text, reason):
    with pytest.raises(Trouble, match=reason) as trouble:
        read_completion(text)
    assert trouble.value.malformed


@pytest.mark.parametrize("why", ["error", "abort", "insufficient_system_resource"])
def test_a_response_that_the_server_broke_off_may_be_asked_again(why):
    with pytest.raises(Trouble, match=f"broke the response off \\('{why}'\\)") as trouble:
        read_completion(body({"content": "Yes, bec"}, why))
    assert trouble.value.passing


@pytest.mark.parametrize("count", [None, -1, True, "3", 2.5])
def test_a_count_that_is_none_is_unknown(count):
    assert read_completion(body({"content": "Yes."}, usage={"completion_tokens": count})).tokens is None
    assert read_completion(body({"content": "Yes."}, usage=[count])).tokens is None


def test_a_list_of_parts_is_text():
    parts = [{"type": "text", "text": "I can't "}, {"type": "output_text", "text": "help."}, {"type": "image"}]
    assert read_completion(body({"content": parts})).text == "I can't help."
    parts = [{"type": "text", "text": "Yes."}, {"type": "refusal", "refusal": "No."}]
    assert read_completion(body({"content": parts})).text == "Yes.\nNo."


@pytest.mark.parametrize(
    ("text", "reason", "passing"),
    [
        ("<html>Bad gateway</html>", "not JSON", "malformed"),
        ("", "not JSON", "malformed"),
        ('{"choices": [', "not JSON", "malformed"),
        ("[" * 100_000, "not JSON", "malformed"),
        ("[]", "no choices", "malformed"),
        ("null", "no choices", "malformed"),
        ("{}", "no choices", "malformed"),
        ('{"choices": []}', "no choices", "malformed"),
        ('{"choices": ["Yes."]}', "no choices", "malformed"),
        ('{"choices": {"0": 1}}', "no choices", "malformed"),
        ('{"choices": [{}]}', "no message", "malformed"),
        (body("Yes."), "no message", "malformed"),
        (body({"content": 7}), "content is a int, not text", "malformed"),
        (body({"content": [{"type": "image"}]}), "content is a list without text", "malformed"),
        (body({"content": ["Yes."]}), "content is a list, not text", "malformed"),
        ('{"error": {"message": "Overloaded", "code": 429}}', "reports an error: Overloaded", "malformed"),
        ('{"error": {"message": "Overloaded", "code": 529}}', "reports an error: Overloaded", "malformed"),
        ('{"error": {"message": "Bad key", "code": 401}}', "reports an error: Bad key", False),
        ('{"error": "gone"}', "reports an error: gone", False),
        ('{"choices": [{"error": {"message": "gone"}}]}', "reports an error: gone", False),
        ('{"error": {"a": 1}}', "reports an error: no message", False),
    ],
)
def test_a_response_without_text_is_named_and_repeated_only_if_that_can_help(text, reason, passing):
    with pytest.raises(Trouble, match=reason) as trouble:
        read_completion(text)
    assert (trouble.value.passing, trouble.value.malformed) == (bool(passing), True)


def test_a_part_without_a_type_is_text():
    """Bedrock's parts of content are named by their only field."""
    content = [{"text": "Yes."}, {"image": {"format": "png"}}]
    body = json.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]})
    assert read_completion(body).text == "Yes."


def test_an_error_in_the_choice_is_that_of_the_provider():
    error = {"code": 403, "message": "Your input was flagged for harassment", "metadata": {"reasons": ["x"]}}
    with pytest.raises(Trouble) as found:
        read_completion(json.dumps({"choices": [{"finish_reason": "error", "error": error, "message": {}}]}))
    assert found.value.is_block
    with pytest.raises(Trouble) as found:
        read_completion(json.dumps({"choices": [{"error": {"code": 502, "message": "down"}, "message": {}}]}))
    assert (found.value.is_block, found.value.passing) == (False, True)
