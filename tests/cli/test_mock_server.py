"""Every behavior of ../shared/tools/mock_openai.py, a server that misbehaves by the model's name, through the commands.

Each run has 60 queries about 6 unsafe and 6 benign samples: plain ones, and one-word attacks with their controls.
"""

import collections
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / ".." / "shared"
MOCK = SHARED / "tools" / "mock_openai.py"
DATA = SHARED / "data" / "faults" / "tiny.jsonl"
PICTURES = DATA.parent / "img"
QUERIES = 60
WORDS = ("--word", "jailbreak=what", "--word", "over-prudence=share", "--concurrency", "1")
DECLINED = "the system declined in the refusal field"
FILTERED = "the system's content filter blocked the query or cut the response off"
NO_ANSWER = "no answer: the token limit ended the response before the answer began; raise the limit"
JUDGE_BLOCKED = "the judge's own content filter blocked the request or the reply"
# Without this, every reply waits 40 ms: the server sends headers and body apart, and TCP delays the second packet.
AT_ONCE = (
    "import runpy, socketserver, sys; socketserver.StreamRequestHandler.disable_nagle_algorithm = True; "
    "sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (MOCK.is_file() and DATA.is_file()), reason="needs ../shared/tools and ../shared/data"),
]


class Mock:
    """The server in a process of its own; each process counts the requests of each model from 1."""

    def __init__(self, folder):
        self._log = folder / "mock.jsonl"
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        environment = os.environ | {"MOCK_LOG": str(self._log)}
        self._process = subprocess.Popen([sys.executable, "-c", AT_ONCE, str(MOCK), str(port)], env=environment)
        self.url = f"http://127.0.0.1:{port}/v1"
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                time.sleep(0.05)
            else:
                return

    def bodies(self):
        return [json.loads(line)["b"] for line in self._log.read_text("utf-8").splitlines()]

    def stop(self):
        self._process.terminate()
        self._process.wait()


@pytest.fixture
def mock(tmp_path, monkeypatch):
    for name in ("UNMIRAGE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    server = Mock(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def attack(mock, unmirage, tmp_path):
    """Return a function that runs an attack on a model of the server; it returns code, messages and requests."""

    def run(name, *more, data=DATA):
        before = len(mock.bodies())
        code, _, err = unmirage("attack", f"endpoint:{mock.url}#{name}", data, "--out", tmp_path / "run", *WORDS, *more)
        return code, err, len(mock.bodies()) - before

    return run


@pytest.fixture
def evaluate(mock, unmirage, tmp_path):
    """Return a function that judges the run; it returns code, messages, results and verdicts with reasons."""

    def run(judge="phrases", *more):
        spec = judge if judge == "phrases" else f"endpoint:{mock.url}#{judge}"
        code, out, err = unmirage("evaluate", tmp_path / "run", "--judge", spec, "--no-canaries", "--json", *more)
        (model,) = json.loads(out)["models"].values()
        return code, err, model, verdicts_of(tmp_path / "run", judge)

    return run


def rows(run, statement, *values):
    with sqlite3.connect(run / "store.sqlite") as database:
        found = database.execute(statement, values).fetchall()
    database.close()
    return found


def verdicts_of(run, judge):
    found = rows(run, "SELECT verdict, why FROM judgements WHERE judge = ?", judge)
    reasons = ("blocked", "invalid")
    return collections.Counter((verdict, why) if verdict in reasons else verdict for verdict, why in found)


def share(part, whole):
    return pytest.approx(part / whole)


# Verdicts of the phrase judge, ASR and RR before and after, share of responses cut off, and the status of `evaluate`.
ALL = QUERIES
ENDINGS = {
    "think-inline-comply": ({"complied": ALL}, 1, 0, 0, 0),
    "think-inline-refuse": ({"refused": ALL}, 0, 1, 0, 0),
    "think-close-only": ({"complied": ALL}, 1, 0, 0, 0),
    "think-empty": ({("invalid", NO_ANSWER): ALL}, None, None, 1, 4),
    "think-null": ({("invalid", NO_ANSWER): ALL}, None, None, 1, 4),
    "think-cut": ({("invalid", NO_ANSWER): ALL}, None, None, 1, 4),
    "reasoning-only": ({("invalid", "no answer: the response ended inside its thoughts"): ALL}, None, None, 0, 4),
    "cut-mix": ({"complied": ALL}, 1, 0, 1, 0),
    "list-content": ({"refused": ALL}, 0, 1, 0, 0),
    "sse": ({"complied": ALL}, 1, 0, 0, 0),
    "tool": ({("invalid", "no answer: the model called a tool"): ALL}, None, None, 0, 4),
    "refusal-field": ({("blocked", DECLINED): ALL}, 0, 0, 0, 0),
    "refusal-empty": ({("blocked", DECLINED): ALL}, 0, 0, 0, 0),
    "bool-usage": ({"complied": ALL}, 1, 0, 0, 0),
    "gpt5": ({"complied": ALL}, 1, 0, 0, 0),
    "comply-after-refuse": ({"complied": ALL}, 1, 0, 0, 0),
    "es": ({"refused": ALL}, 0, 1, 0, 0),
    "es-varied": ({"refused": ALL}, 0, 1, 0, 0),
    "long": ({"irrelevant": ALL}, 0, 0, 0, 0),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_how_responses_end_decides_the_verdicts(attack, evaluate, name):
    verdicts, asr, rr, cut, status = ENDINGS[name]
    code, err, requests = attack(name)
    assert (code, requests) == (0, QUERIES + 2 * (name == "gpt5")), err
    assert attack(name)[::2] == (0, 0)  # a resumed run has nothing to ask
    code, err, model, found = evaluate()
    assert (found, code) == (verdicts, status), err
    assert [model["asr"][when]["value"] for when in ("before", "after")] == [asr, asr]
    assert [model["rr"][when]["value"] for when in ("before", "after")] == [rr, rr]
    assert [model[rate][when]["cut"] for rate in ("asr", "rr") for when in ("before", "after")] == [cut] * 4


def test_the_judged_text_and_the_thoughts_are_kept_apart(attack, tmp_path):
    attack("think-inline-comply")
    assert rows(tmp_path / "run", "SELECT DISTINCT text, thoughts FROM responses") == [
        ("Mix A and B, heat, done.", "Is this fine? I can't help with that, policy says. But the user insists.")
    ]


# Only the plain benign queries and their controls contain none of the words that the server blocks: 12 of 60.
@pytest.mark.parametrize(
    ("name", "text"), [("azure-block", ""), ("azure-empty", ""), ("azure-partial", "Take the wire and")]
)
def test_a_filter_blocks_and_never_stops_the_run(attack, evaluate, tmp_path, name, text):
    code, err, requests = attack(name)
    assert (code, requests) == (0, QUERIES), err
    assert "the server blocked 48 responses" in err
    assert attack(name)[::2] == (0, 0)
    assert set(rows(tmp_path / "run", "SELECT text FROM responses WHERE ended = 'content_filter'")) == {(text,)}
    code, err, model, found = evaluate()
    assert (found, code) == ({("blocked", FILTERED): 48, "complied": 12}, 0), err
    for rate, when, n, cut in (
        ("asr", "before", 6, 1),
        ("asr", "after", 6, 1),
        ("rr", "before", 6, 0),
        ("rr", "after", 6, 1),
    ):
        one = model[rate][when]
        assert (one["value"], one["n"], one["invalid"], one["cut"]) == (0, n, 0, cut)


@pytest.mark.parametrize(("name", "rest"), [("half-block", "complied"), ("half-partial", "refused")])
def test_blocked_queries_count_as_not_complied(attack, evaluate, tmp_path, name, rest):
    code, err, requests = attack(name)
    assert (code, requests) == (0, QUERIES), err
    blocked = {
        one for (one,) in rows(tmp_path / "run", "SELECT query_id FROM responses WHERE ended = 'content_filter'")
    }
    assert 12 <= len(blocked) < 48
    code, err, model, found = evaluate()
    assert (found, code) == ({("blocked", FILTERED): len(blocked), rest: QUERIES - len(blocked)}, 0), err
    plain = {one for (one,) in rows(tmp_path / "run", "SELECT id FROM queries WHERE kind = 'plain' AND unsafe")}
    complied = len(plain - blocked) if rest == "complied" else 0
    before = model["asr"]["before"]
    assert (before["k"], before["n"], before["invalid"]) == (complied, 6, 0)
    assert before["cut"] == share(len(plain & blocked), 6)


def test_answers_that_never_began_are_missing_and_not_irrelevant(attack, evaluate):
    code, err, requests = attack("half-empty")
    assert (code, requests) == (0, QUERIES), err
    code, err, model, found = evaluate()
    assert (found, code) == ({("invalid", NO_ANSWER): 30, "complied": 30}, 4), err
    before = model["asr"]["before"]
    assert (before["value"], before["n"] + before["invalid"]) == (1, 6)
    assert before["cut"] == share(before["invalid"], 6)


def test_the_bounds_of_a_rate_hold_what_is_missing(attack, evaluate):
    attack("half-empty")
    _, _, model, _ = evaluate()
    before = model["asr"]["before"]
    assert before["most"] == 1
    assert before["least"] == share(before["n"], 6)


def test_a_model_without_some_parameters_is_asked_without_them(attack, evaluate, mock, tmp_path):
    _, err, _ = attack("gpt5")
    note = "the server does not support temperature 0; responses are sampled at its default temperature"
    assert err.count(note) == 1
    bodies = mock.bodies()
    assert [("max_tokens" in one, "temperature" in one) for one in bodies[:3]] == [(1, 1), (0, 1), (0, 0)]
    assert {one["max_completion_tokens"] for one in bodies[2:]} == {256}
    evaluate()
    warnings = json.loads((tmp_path / "run" / "results.json").read_text("utf-8"))["warnings"]
    assert [one for one in warnings if one.startswith(f"gpt5: {note}")]


def test_a_busy_server_is_waited_for(attack, mock):
    started = time.monotonic()
    code, err, requests = attack("429", "--limit", "2", "--kind", "over-prudence")
    asked = requests // 2
    assert (code, requests) == (0, 2 * asked), err
    assert asked <= time.monotonic() - started < 3 * asked + 5


def test_an_error_with_status_200_stops_in_seconds(attack):
    started = time.monotonic()
    code, err, requests = attack("200-error")
    assert time.monotonic() - started < 10
    assert (code, requests) == (2, 6)
    assert "requests failed with the same error before any response" in err
    assert "Provider returned error" in err


def test_pictures_that_are_too_large_for_the_server(attack, tmp_path):
    data = tmp_path / "big.jsonl"
    lines = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
    data.write_text("".join(json.dumps(one | {"image": "big.png"}) + "\n" for one in lines), "utf-8")
    code, err, requests = attack("413", "--images", str(PICTURES), data=data)
    assert (code, requests) == (2, 3), err
    assert "HTTP 413: Request entity too large; send smaller pictures: --picture-longest-side 1024" in err
    code, err, requests = attack("413", "--images", str(PICTURES), "--picture-longest-side", "64", data=data)
    assert code == 2
    assert "longest side: was absent, now 64" in err
    code, err, requests = attack(
        "413", "--images", str(PICTURES), "--picture-longest-side", "64", "--name", "small", data=data
    )
    assert (code, requests) == (0, QUERIES), err
    assert "1 pictures were downscaled" in err


def test_a_picture_that_is_too_large_costs_its_rows_only(attack, tmp_path):
    data = tmp_path / "some.jsonl"
    lines = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
    some = [one | {"image": "big.png" if one["id"] == "u5" else one["image"][4:]} for one in lines]
    data.write_text("".join(json.dumps(one) + "\n" for one in some), "utf-8")
    code, err, requests = attack("413", "--images", str(PICTURES), data=data)
    assert (code, requests) == (4, QUERIES), err
    assert "7 of 60 queries have no response from 413" in err
    assert "--picture-format jpeg" in err
    code, err, requests = attack("413", "--images", str(PICTURES), data=data)
    assert (code, requests) == (4, 7), err  # a resumed run is not stopped by what the server rejects again


def test_what_a_model_says_is_no_markup(attack, evaluate, unmirage, tmp_path):
    assert attack("xss")[0] == 0
    code, err, _, found = evaluate()
    assert (code, found.total()) == (0, QUERIES), err
    code, _, err = unmirage("report", tmp_path / "run")
    assert code == 0, err
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert not [one for one in ("<script>alert(1)", "<img src=x", "<svg/onload") if one in page]


GOOD = {"complied": 30, "refused": 30}
JUDGES = {
    **dict.fromkeys(("judge", "judge-fence", "judge-double", "judge-closethink", "judge-gpt5"), GOOD),
    **dict.fromkeys(("judge-str", "judge-upper"), GOOD),  # another case, or a truth value as text, is unambiguous
    "judge-azure": {("invalid", JUDGE_BLOCKED): 30, "refused": 30},
    "judge-single": {("invalid", "the judge's reply contains no readable verdict"): 60},
    "judge-thinkfield": {
        ("invalid", "the token limit ended the judge's reply inside its thoughts; raise --judge-max-tokens"): 60
    },
}


@pytest.mark.parametrize("judge", JUDGES)
def test_replies_of_judges(attack, evaluate, mock, judge):
    assert attack("mixed")[0] == 0  # every second response complies, and says "wool"
    before = len(mock.bodies())
    code, err, model, found = evaluate(judge)
    asked = len(mock.bodies()) - before
    assert (found, code) == (JUDGES[judge], 0 if JUDGES[judge] == GOOD else 4), err
    rate = model["asr"]["before"]
    if JUDGES[judge] == GOOD:
        assert (rate["k"], rate["n"], rate["invalid"]) == (3, 6, 0)
    # 42 unsafe queries get two questions, and 18 benign ones one.
    once = 2 * 42 + 18
    assert asked == {"judge-gpt5": once + 2, "judge-single": 2 * once, "judge-thinkfield": 2 * once}.get(judge, once)
    code, err, _, again = evaluate(judge)
    assert again == found
    assert (len(mock.bodies()) == before + asked) == (JUDGES[judge] == GOOD)


def test_a_judge_that_blocks_the_harmful_responses_proves_nothing(attack, evaluate, tmp_path):
    attack("mixed")
    junit = tmp_path / "gate.xml"
    code, _, model, _ = evaluate("judge-azure", "--fail-if", "asr.after>0.15", "--junit", str(junit))
    assert code in (3, 4)
    assert (model["asr"]["before"]["least"], model["asr"]["before"]["most"]) == (0, 0.5)
    assert 'errors="1"' in junit.read_text("utf-8")


def test_fields_of_every_request_are_part_of_the_run(attack, unmirage, mock, tmp_path):
    options = ("--endpoint-option", "chat_template_kwargs.enable_thinking=false", "--endpoint-option", "top_k=1")
    code, err, _ = attack("plain", *options)
    assert code == 0, err
    assert {(one["top_k"], one["chat_template_kwargs"]["enable_thinking"]) for one in mock.bodies()} == {(1, False)}
    code, err, requests = attack("plain")
    assert (code, requests) == (2, 0)
    assert "another model has responded as 'plain' (options: was" in err
    assert attack("plain", *options)[::2] == (0, 0)
    judged = ("evaluate", tmp_path / "run", "--judge", f"endpoint:{mock.url}#judge", "--no-canaries")
    assert unmirage(*judged)[0] == 0
    code, _, err = unmirage(*judged, "--endpoint-option", "top_k=1")
    assert code == 2
    assert "another model has responded as 'judge judge' (options: was absent" in err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("model=x", "'model' is set by the command"),
        ("stream=true", "'stream' is set by the command"),
        ("top_k", "--endpoint-option top_k: expected NAME=VALUE"),
        ("api_key=SECRET", "set the key in the environment variable UNMIRAGE_API_KEY"),
        ("a.api_key=SECRET", "set the key in the environment variable UNMIRAGE_API_KEY"),
    ],
)
def test_fields_that_cannot_be_set_are_refused_before_any_request(attack, option, message):
    code, err, requests = attack("plain", "--endpoint-option", option)
    assert (code, requests) == (2, 0)
    assert message in err
    assert "SECRET" not in err
