"""A server that misbehaves in every way: what is asked again, what is given up, what ends the run, what it costs."""

import logging
import sys
import threading
import time
import traceback

import pytest

from unmirage.errors import UserError
from unmirage.models.endpoint import Chat, ChatFailure, in_threads, parse_endpoint, user_message
from unmirage.models.endpoint.workers import CalledOff
from unmirage.records import Ended

KEY = "sk-SECRET-0123456789abcdef"
HI = [user_message("hi")]


@pytest.fixture
def chat(stub, fast):
    """Return a function that opens a chat with the settings given."""
    return lambda **options: Chat(parse_endpoint(f"endpoint:{stub.url}#tiny"), fast(**options))


def test_a_question_and_its_answer(stub, chat):
    found = chat(extra={"top_k": 1}).complete(HI, 9, 0.5, seed=3)
    assert (found.text, found.ended, found.tokens, found.prompt_tokens) == ("Yes.", Ended.STOP, 3, 700)
    assert stub.requests == [
        {
            "path": "/v1/chat/completions",
            "model": "tiny",
            "messages": HI,
            "max_tokens": 9,
            "temperature": 0.5,
            "seed": 3,
            "top_k": 1,
        }
    ]


PASSING = {
    "429": lambda fails, answers: fails(429, headers={"Retry-After": "0"}),
    "429 with a date": lambda fails, answers: fails(429, headers={"Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT"}),
    "500": lambda fails, answers: fails(500),
    "503": lambda fails, answers: (503, {}, "<html>busy</html>"),
    "hang": lambda fails, answers: "hang",
    "drip": lambda fails, answers: "drip",
    "close": lambda fails, answers: "close",
    "cut short": lambda fails, answers: (200, {"transfer-encoding": "chunked"}, "xyz"),
    "not json": lambda fails, answers: (200, {}, "<html>"),
    "no choices": lambda fails, answers: (200, {}, '{"choices": []}'),
    "an error with 200": lambda fails, answers: (200, {}, '{"error": {"message": "busy", "code": 429}}'),
    "parts": lambda fails, answers: answers([{"type": "image"}]),
}


def test_a_server_of_another_kind_is_asked_twice_only(stub, chat):
    stub.reply = lambda number, body: (200, {}, 'data: {"a": 1}')
    one = chat()
    with pytest.raises(ChatFailure, match="stream ended before the response did"):
        one.complete(HI, 9)
    assert one.accounting.requests == 2


@pytest.mark.parametrize("kind", PASSING)
def test_what_fails_in_passing_is_asked_again(stub, chat, fails, answers, kind):
    stub.reply = lambda number, body: PASSING[kind](fails, answers) if number == 0 else answers("Yes.")
    one = chat(timeout=0.3)
    assert one.complete(HI, 9).text == "Yes."
    assert (one.accounting.requests, one.accounting.retries, one.accounting.failures) == (2, 1, 0)


@pytest.mark.parametrize("kind", ["429", "500", "503", "close", "not json", "an error with 200"])
@pytest.mark.parametrize("works", [True, False])
def test_what_goes_on_failing_is_given_up(stub, chat, fails, answers, kind, works):
    stub.reply = lambda number, body: answers("Yes.") if number < works else PASSING[kind](fails, answers)
    one = chat(retries=3)
    if works:
        one.complete(HI, 9)
    with pytest.raises(ChatFailure) as failure:
        one.complete(HI, 9)
    assert "\n" not in str(failure.value)
    # A server that has never answered is asked once more only, unless it may just be busy.
    retries = 3 if works or kind in ("429", "503", "close") else 1
    assert (one.accounting.requests, one.accounting.retries, one.accounting.failures) == (
        works + 1 + retries,
        retries,
        1,
    )


def test_a_bad_request_is_given_up_at_once_with_what_the_server_says(stub, chat, fails):
    stub.reply = lambda number, body: fails(400, "the prompt is\ntoo long")
    with pytest.raises(ChatFailure, match=r"HTTP 400: the prompt is too long"):
        chat().complete(HI, 9)
    assert len(stub.requests) == 1


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "set a valid key in the environment variable UNMIRAGE_API_KEY"),
        (403, "the key in UNMIRAGE_API_KEY has no access to model 'tiny'"),
        (404, "check the base URL"),
    ],
)
def test_what_dooms_every_question_ends_the_run_at_the_first(stub, chat, fails, status, remedy):
    stub.reply = lambda number, body: fails(status)
    one = chat()
    with pytest.raises(UserError, match=remedy):
        list(in_threads(lambda item, stop: one.complete(HI, 9, stop=stop), range(50), 8))
    assert len(stub.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_works_may_turn_down_single_questions(stub, chat, fails, answers, status):
    stub.reply = lambda number, body: answers("Yes.") if number == 0 else fails(status)
    one = chat(give_up_after=3)
    one.complete(HI, 9)
    for _ in range(5):
        with pytest.raises(ChatFailure):
            one.complete(HI, 9)


def test_no_server_is_one_clear_line(stub, chat):
    one = chat()
    stub.stop()
    with pytest.raises(
        UserError,
        match=r"endpoint http://127.0.0.1:\d+/v1: no connection .*; check the URL and that the server is running",
    ):
        one.complete(HI, 9)
    assert one.accounting.requests == 1


def test_a_redirect_is_not_followed(stub, chat):
    stub.reply = lambda number, body: (307, {"location": "http://127.0.0.1:1/v1/chat/completions"}, "")
    with pytest.raises(UserError, match="redirects are not followed"):
        chat().complete(HI, 9)
    assert len(stub.requests) == 1


def test_many_failures_in_a_row_end_the_run(stub, chat, fails, answers):
    stub.reply = lambda number, body: answers("Yes.") if number == 0 else fails(500)
    one = chat(retries=0, give_up_after=5)
    one.complete(HI, 9)
    for _ in range(4):
        with pytest.raises(ChatFailure):
            one.complete(HI, 9)
    with pytest.raises(UserError, match=r"5 requests in a row failed, the last one with: HTTP 500: no; run the same"):
        one.complete(HI, 9)


def test_a_wait_longer_than_anybody_has_is_no_wait(stub, chat, fails):
    stub.reply = lambda number, body: fails(429, "come back tomorrow", {"Retry-After": "86400"})
    with pytest.raises(ChatFailure, match="HTTP 429: come back tomorrow"):
        chat().complete(HI, 9)
    assert len(stub.requests) == 1


def test_the_server_decides_how_long_to_wait(stub, chat, fails, answers):
    stub.reply = lambda number, body: fails(429, headers={"Retry-After": "0.2"}) if number == 0 else answers("Yes.")
    chat().complete(HI, 9)
    assert stub.times[1] - stub.times[0] >= 0.2


def test_no_money_is_not_worth_asking_again(stub, chat):
    stub.reply = lambda number, body: (429, {}, '{"error": {"message": "pay", "code": "insufficient_quota"}}')
    with pytest.raises(ChatFailure, match="HTTP 429: pay"):
        chat().complete(HI, 9)
    assert len(stub.requests) == 1


def test_waiting_ends_when_the_work_is_called_off(stub, chat, fails):
    stub.reply = lambda number, body: fails(500)
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    started = time.monotonic()
    with pytest.raises(CalledOff):
        chat(backoff=30).complete(HI, 9, stop=stop)
    assert time.monotonic() - started < 5


def test_requests_a_minute_are_limited(stub, chat):
    one = chat(requests_per_minute=60 / 0.05)
    list(in_threads(lambda item, stop: one.complete(HI, 9, stop=stop), range(7), 8))
    # A request may be a little late, and the next one then seems early.
    assert stub.times[-1] - stub.times[0] >= 0.27


def test_the_key_goes_to_the_server_and_nowhere_else(stub, chat, fails, answers, monkeypatch, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("UNMIRAGE_API_KEY", KEY)
    replies = [answers(f"Your key is {KEY}."), fails(400, f"bad key {KEY}"), (500, {}, f"<p>{KEY}</p>")]
    stub.reply = lambda number, body: replies[min(number, 2)]
    one = chat(retries=0, give_up_after=2)
    seen = [one.complete(HI, 9).text, repr(one), repr(vars(one)), str(vars(one.accounting)), repr(one._client)]
    for _ in range(3):
        with pytest.raises((ChatFailure, UserError)) as error:
            one.complete(HI, 9)
        seen += traceback.format_exception(error.value)
    assert stub.headers[0]["authorization"] == f"Bearer {KEY}"
    assert seen[0] == "Your key is [hidden]."
    assert KEY not in "".join(seen) + caplog.text + "".join(capfd.readouterr())


def test_a_wrong_key_is_not_repeated(stub, chat, fails, monkeypatch):
    monkeypatch.setenv("UNMIRAGE_API_KEY", KEY)
    stub.reply = lambda number, body: fails(401, f"Incorrect API key provided: {KEY}")
    with pytest.raises(UserError, match=r"Incorrect API key provided: \[hidden\]") as error:
        chat().complete(HI, 9)
    assert KEY not in "".join(traceback.format_exception(error.value))


def test_nothing_from_the_environment_of_another_client_is_sent(stub, chat, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: theirs\nX-Own: theirs")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    chat().complete(HI, 9)
    assert "theirs" not in str(stub.headers)
    assert "authorization" not in stub.headers[0]


def test_openai_has_another_name_for_the_token_limit(fast):
    class Silent:
        def post(self, body):
            bodies.append(body)
            return '{"choices": [{"message": {"content": "Yes."}}]}'

    bodies = []
    Chat(parse_endpoint("endpoint:https://api.openai.com#gpt"), fast(), Silent()).complete(HI, 9)
    assert {name: bodies[0].get(name) for name in ("max_tokens", "max_completion_tokens")} == {
        "max_tokens": None,
        "max_completion_tokens": 9,
    }


def test_what_was_asked_and_what_it_cost(stub, chat, answers):
    stub.reply = lambda number, body: answers("Yes.", usage=(1000, 20) if number else None)
    one = chat(price_in=2, price_out=10)
    for _ in range(3):
        one.complete(HI, 9)
    assert one.accounting.to_json() == {
        "requests": 3,
        "retries": 0,
        "failures": 0,
        "blocked": 0,
        "prompt_tokens": 2000,
        "completion_tokens": 40,
        "uncounted": 1,
        "cost": pytest.approx(0.0044),
    }
    assert one.accounting.summary() == (
        "3 requests (including 0 retries), 0 failed; 2,000 prompt and 40 completion tokens "
        "(1 responses had no token count); cost 0.0044"
    )
    assert chat().accounting.cost is None


def test_a_missing_package_is_named_with_the_remedy(monkeypatch, fast):
    monkeypatch.setitem(sys.modules, "openai", None)
    monkeypatch.delitem(sys.modules, "unmirage.models.endpoint.client", raising=False)
    with pytest.raises(UserError, match=r"'openai' package. Install it: pip install openai"):
        Chat(parse_endpoint("endpoint:http://127.0.0.1:1#m"), fast())
