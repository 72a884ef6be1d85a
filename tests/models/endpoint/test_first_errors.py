"""Errors before a server's first response: identical permanent ones stop the run soon, and busy servers get time."""

import json
import time

import pytest

from unmirage.errors import UserError
from unmirage.models.endpoint import Chat, ChatFailure, in_threads, parse_endpoint, user_message

HI = [user_message("hi")]
NO_PICTURES = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
PERMANENT = {
    "no pictures": lambda fails: fails(500, NO_PICTURES),
    "bad request": lambda fails: fails(400, "Unknown field 'image_url'"),
    "quoted request": lambda fails: fails(500, f"Unsupported content part type: image_url; messages = {time.time()}"),
    "identifier": lambda fails: fails(500, f"request req_{time.time_ns():x} failed: no worker"),
    "too large": lambda fails: fails(413, "Request entity too large"),
    "200 with an error": lambda fails: (200, {}, '{"error": {"message": "Provider returned error", "code": 429}}'),
    "not json": lambda fails: (200, {}, "<html>"),
    "no choices": lambda fails: (200, {}, "{}"),
}


@pytest.fixture
def chat(stub, fast):
    return lambda **options: Chat(parse_endpoint(f"endpoint:{stub.url}#m"), fast(**options))


def ask(one, questions):
    """Ask all questions in threads; return the failures."""

    def work(item, stop):
        try:
            return one.complete([user_message(f"question {item}")], 9, stop=stop).text
        except ChatFailure as failure:
            return str(failure)

    return list(in_threads(work, range(questions), 8))


@pytest.mark.parametrize("kind", PERMANENT)
def test_three_identical_permanent_errors_stop_the_run(stub, chat, fails, kind):
    stub.reply = lambda number, body: PERMANENT[kind](fails)
    started = time.monotonic()
    with pytest.raises(UserError, match="3 requests failed with the same error before any response, ") as error:
        ask(chat(backoff=0.2), 50)
    assert time.monotonic() - started < 3
    assert len(stub.requests) <= 6
    assert "\n" not in str(error.value)


def test_the_words_of_the_server_and_the_remedy_are_in_the_error(stub, chat, fails):
    stub.reply = lambda number, body: fails(500, NO_PICTURES)
    with pytest.raises(UserError, match=f"HTTP 500: {NO_PICTURES}"):
        ask(chat(), 9)
    stub.reply = lambda number, body: fails(413, "too large")
    with pytest.raises(
        UserError, match="too large; send smaller pictures: --picture-longest-side 1024 or --picture-fo"
    ):
        ask(chat(), 9)


def test_different_errors_and_later_ones_do_not_stop_the_run(stub, chat, fails, answers):
    stub.reply = lambda number, body: fails(400, f"row {'abcd'[number % 4]} is bad") if number < 8 else answers("Yes.")
    assert len(ask(chat(), 20)) == 20
    stub.requests.clear()
    stub.reply = lambda number, body: answers("Yes.") if number == 0 else fails(400, "bad")
    one = chat(give_up_after=3)
    found = ask(one, 20)
    assert sorted(found) == ["HTTP 400: bad"] * 19 + ["Yes."]


def test_a_server_that_answered_in_an_earlier_run_may_reject_what_is_left(stub, chat, fails):
    stub.reply = lambda number, body: fails(400, "bad")
    one = chat(give_up_after=3)
    one.resume()
    assert ask(one, 20) == ["HTTP 400: bad"] * 20
    stub.reply = lambda number, body: fails(401, "bad key")
    with pytest.raises(UserError, match="set a valid key"):
        ask(one, 20)


@pytest.mark.parametrize("status", [429, 503, 529])
def test_a_busy_server_is_retried_from_the_beginning(stub, chat, fails, answers, status):
    stub.reply = lambda number, body: fails(status, "busy") if number < 4 else answers("Yes.")
    assert ask(chat(), 3) == ["Yes."] * 3
    assert len(stub.requests) == 7


def test_a_server_that_loads_its_model_is_waited_for(stub, chat, answers):
    loading = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
    stub.reply = lambda number, body: (503, {}, json.dumps(loading)) if number < 12 else answers("Yes.")
    one = chat(retries=1)
    assert one.complete(HI, 9).text == "Yes."
    assert (one.accounting.requests, one.accounting.failures) == (13, 0)
