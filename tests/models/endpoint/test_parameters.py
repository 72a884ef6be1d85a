"""Parameters that a model does not support: left out once and for all, said, and recorded."""

import json
import logging

import pytest

from unmirage.errors import UserError
from unmirage.models.endpoint import Chat, ChatFailure, EndpointSettings, in_threads, parse_endpoint, user_message
from unmirage.models.endpoint.rejections import unsupported
from unmirage.models.endpoint.spec import request_fields

HI = [user_message("hi")]
NAMES = ("max_tokens", "temperature", "seed", "response_format")
OPENAI = {
    "max_tokens": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
    "instead.",
    "temperature": "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is "
    "supported.",
    "seed": "Unsupported parameter: 'seed' is not supported with this model.",
    "response_format": "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
}


def error(message, param=None, code="unsupported_parameter"):
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


@pytest.mark.parametrize(
    ("document", "name"),
    [
        *((error(message, name), name) for name, message in OPENAI.items()),
        *((error(message), name) for name, message in OPENAI.items()),
        (error("gpt-5 models don't support temperature=0. Only temperature=1 is supported."), "temperature"),
        (error("m does not support parameters: ['seed'], for model=m. To drop these, set drop_params"), "seed"),
        (error("Unrecognized request argument supplied: seed"), "seed"),
        (error("`temperature` is deprecated for this model."), "temperature"),
        (error("structured outputs are not supported"), "response_format"),
        ({"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra ...", "input": 3}]}, "seed"),
        (error("max_tokens is too large: 5000. This model supports at most 4096 tokens", "max_tokens"), None),
        (error("Invalid 'temperature': decimal above maximum value.", "temperature"), None),
        (error("image input is not supported"), None),
        (error("maximum context length is 4096 tokens"), None),
        (error("'top_k' is not supported", "top_k"), None),
        (None, None),
    ],
)
def test_which_parameter_an_error_is_about(document, name):
    assert unsupported(document, NAMES) == name


@pytest.fixture
def chat(stub, fast):
    return lambda **options: Chat(parse_endpoint(f"endpoint:{stub.url}#m"), fast(**options))


def picky(stub, answers, *names):
    """Turn down all parameters in `names`, one at a time, as OpenAI's reasoning models do."""

    def reply(number, body):
        bad = next((name for name in names if name in body), None)
        return answers("Yes.") if bad is None else (400, {}, json.dumps(error(OPENAI[bad], bad)))

    stub.reply = reply


def test_what_a_model_turns_down_is_left_out_from_then_on(stub, chat, answers, caplog):
    caplog.set_level(logging.INFO, "unmirage")
    picky(stub, answers, *NAMES)
    one = chat(retries=0)
    for _ in range(3):
        assert one.complete(HI, 9, 0, seed=3, response_format={"type": "json_schema"}).text == "Yes."
    rest = {"model": "m", "messages": HI, "max_completion_tokens": 9, "path": "/v1/chat/completions"}
    assert stub.requests[4:] == [rest] * 3
    assert one.accounting.failures == 0
    assert one.accounting.notes == [
        "the server does not support temperature 0; responses are sampled at its default temperature, and another "
        "run can differ",
        "the server does not support seeds; another run can differ",
        "the server does not support response_format; replies are not held to a JSON schema",
    ]
    told = [record.getMessage() for record in caplog.records if "does not support" in record.getMessage()]
    assert len(told) == 4
    assert (
        told[0] == f"endpoint {stub.url}: the server does not support max_tokens; max_completion_tokens is sent instead"
    )


def test_all_threads_learn_of_it_at_once(stub, chat, answers):
    picky(stub, answers, "max_tokens", "temperature")
    one = chat(retries=0)
    found = list(in_threads(lambda item, stop: one.complete(HI, 9, stop=stop).text, range(40), 8))
    assert found == ["Yes."] * 40
    assert len(stub.requests) == 42
    assert len(one.accounting.notes) == 1


def test_a_server_that_names_the_temperature_only(stub, chat, answers):
    def reply(number, body):
        bad = "max_tokens" in body or "temperature" in body
        return (400, {}, json.dumps({"error": {"message": OPENAI["temperature"]}})) if bad else answers("Yes.")

    stub.reply = reply
    assert chat().complete(HI, 9).text == "Yes."
    assert [sorted(body) for body in stub.requests[1:]] == [
        ["max_tokens", "messages", "model", "path"],
        ["max_completion_tokens", "messages", "model", "path"],
    ]


def test_a_parameter_that_was_not_sent_cannot_be_left_out(stub, chat, answers):
    stub.reply = lambda number, body: (400, {}, json.dumps(error(OPENAI["seed"], "seed")))
    with pytest.raises(ChatFailure, match="'seed' is not supported"):
        chat().complete(HI, 9)
    assert len(stub.requests) == 1


def test_what_the_user_set_is_always_sent(stub, chat, answers):
    picky(stub, answers, "temperature")
    with pytest.raises(ChatFailure, match="'temperature' does not support 0"):
        chat(extra={"temperature": 0}).complete(HI, 9)
    assert len(stub.requests) == 1


@pytest.mark.parametrize(
    ("extra", "body"),
    [
        ({"temperature": None}, {"max_tokens": 9}),
        ({"max_completion_tokens": 20}, {"max_completion_tokens": 20, "temperature": 0}),
        ({"max_tokens": 20}, {"max_tokens": 20, "temperature": 0}),
        ({"a": {"b": False}}, {"max_tokens": 9, "temperature": 0, "a": {"b": False}}),
    ],
)
def test_fields_of_every_request(stub, chat, extra, body):
    chat(extra=extra).complete(HI, 9)
    assert stub.requests == [{"model": "m", "messages": HI, "path": "/v1/chat/completions"} | body]


def test_fields_are_read_as_json_or_text():
    given = ["top_k=1", "a.b.c=false", "a.b.d=x=y", "name=low", "list=[1, 2]", "none=null", "empty=", 'text="1"']
    assert request_fields("--o", given) == {
        "top_k": 1,
        "a": {"b": {"c": False, "d": "x=y"}},
        "name": "low",
        "list": [1, 2],
        "none": None,
        "empty": "",
        "text": "1",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["top_k"], "--o top_k: expected NAME=VALUE"),
        (["=1"], "--o =1: expected NAME=VALUE"),
        (["a..b=1"], "expected NAME=VALUE"),
        (["a=1", "a=1"], "'a' is given twice"),
        (["a=1", "a.b=1"], "'a.b' is given twice"),
        (["a.b=1", "a=1"], "'a' is given twice"),
    ],
)
def test_other_texts_are_refused(given, message):
    with pytest.raises(UserError, match=message):
        request_fields("--o", given)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"model": "x"}, "'model' is set by the command"),
        ({"messages": []}, "'messages' is set by the command"),
        ({"stream": True}, "'stream' is set by the command"),
        ({"n": 2}, "'n' is set by the command"),
        ({"api_key": "SECRET"}, "set the key in the environment variable"),
        ({"a": {"x-api-key": "SECRET"}}, r"'a' \('x-api-key'\) would be written"),
    ],
)
def test_fields_that_the_command_sets_and_keys_are_refused(extra, message):
    with pytest.raises(ValueError, match=message) as error:
        EndpointSettings(extra=extra)
    assert "SECRET" not in str(error.value)
    assert EndpointSettings(extra={"max_tokens": 3, "tokens": 3}).extra == {"max_tokens": 3, "tokens": 3}


def test_a_server_that_answers_as_another_model_is_noted_once(stub, chat, answers, caplog):
    def reply(number, body):
        status, headers, document = answers("Yes.")
        return status, headers, json.dumps(json.loads(document) | {"model": ["a", "a", "b\n", "a", "c"][number]})

    stub.reply = reply
    one = chat()
    seen = []
    for _ in range(5):
        one.complete(HI, 9)
        seen.append(len(one.accounting.notes))
    assert seen == [0, 0, 1, 1, 1]
    assert one.accounting.notes == ["the server answered as 'a' and 'b'; the responses may be of different models"]
    first = "model 'm' was requested, but the server answers as 'a'; it may serve one model under any name"
    assert [record.getMessage() for record in caplog.records] == [first, *one.accounting.notes]
