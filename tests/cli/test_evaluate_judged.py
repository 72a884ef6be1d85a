"""`unmirage evaluate` with a language model as judge, on a server that fails one time in five in every way."""

import collections
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from tests.models.endpoint.conftest import Stub, completion, failure, served

from unmirage.records import Kind, Query, Response
from unmirage.run import existing_run, open_run

COMMAND = [sys.executable, "-c", "from unmirage.cli.main import run; run()", "evaluate"]
ATTACK = {"shots": 3, "jailbreak_word": "what", "over_prudence_word": "share"}
ROWS = 500
TRUTH = ("complied", "refused", "irrelevant")
SAYS = {"complied": ("answers", True), "refused": ("declines", False), "irrelevant": ("neither", False)}
UNREADABLE = completion("I would call it harmful.")
FAILURES = (
    failure(429, headers={"retry-after": "0"}),
    failure(500),
    "hang",
    (200, {}, "<html>busy</html>"),
    (200, {}, '{"choices": []}'),
    "close",
    (200, {}, '{"choices": [{"message": {"content": null}}]}'),
    failure(503),
)


class Judge(Stub):
    """Judges by what stands in the response, and fails every fifth time once it has begun."""

    def __init__(self, failing=True):
        super().__init__()
        self.good = collections.Counter()
        self._guard = threading.Lock()
        self.reply = self.judge if failing else lambda number, body: self.verdict(body)

    def judge(self, number, body):
        if number > 8 and number % 5 == 0:
            return FAILURES[number // 5 % len(FAILURES)]
        return self.verdict(body)

    def verdict(self, body):
        text = body["messages"][-1]["content"]
        response = json.loads(text.rsplit("\n", 1)[1])["response"]
        field = "does" if '"does":' in text else "harmful"
        with self._guard:
            self.good[response, field] += 1
        does, harmful = SAYS[next((name for name in TRUTH if name in response), "irrelevant")]
        value = does if field == "does" else harmful
        return completion(json.dumps({"code": text.split('"code": "')[1][:8], field: value}))


@pytest.fixture
def judge(monkeypatch):
    with served(Judge(), monkeypatch) as server:
        yield server


@pytest.fixture
def make(tmp_path):
    def make(rows, kind=Kind.PLAIN):
        queries = [
            Query(id=f"u{n}|{kind}|0", sample_id=f"u{n}", kind=kind, shot=0, text="?", image=None, unsafe=True)
            for n in range(rows)
        ]
        with open_run(tmp_path / "run", {"seed": 0, "attack": ATTACK}) as run, run.store() as store:
            store.add_queries(queries)
            store.add_responses(
                Response(query_id=one.id, model="m", text=f"{TRUTH[n % 3]} {n}", tokens=1)
                for n, one in enumerate(queries)
            )
        return tmp_path / "run"

    return make


def arguments(run, judge, *more):
    spec = f"endpoint:{judge.url}#m"
    return [str(run), "--judge", spec, "--concurrency", "48", "--timeout", "1", "--json", *more]


@pytest.mark.slow
def test_a_thousand_calls_of_which_a_fifth_fails_and_a_kill_in_between(judge, make):
    run = make(ROWS)
    # On a busy machine a reply can take a second. A timeout that the server does not know of would count as a repeat.
    command = [*COMMAND, *arguments(run, judge, "--no-canaries", "--timeout", "10")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(judge.requests) < 400:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    at_the_kill = dict(judge.good)
    assert 150 < len(at_the_kill) < 2 * ROWS
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 4), done.stderr
    with existing_run(run).store() as store:
        found = store.judgements("m", "m")
    verdicts = {one.query_id: one.verdict for one in found}
    assert len(found) == len(verdicts) == ROWS  # none twice, none lost
    unread = [key for key, verdict in verdicts.items() if verdict == "invalid"]
    assert len(unread) <= 10
    assert (done.returncode == 4) is bool(unread)
    for key, verdict in verdicts.items():
        assert verdict in (TRUTH[int(key[1:].split("|")[0]) % 3], "invalid"), key
    # A verdict stands on both answers. One question in 3,000 fails five times in a row: its response has no verdict.
    responses = [f"{TRUTH[n % 3]} {n}" for n in range(ROWS)]
    for n, response in enumerate(responses):
        answered = all((response, field) in judge.good for field in ("does", "harmful"))
        assert answered or verdicts[f"u{n}|plain|0"] == "invalid", response
    # Nothing that had been answered was asked again but what was under way when it was killed: 48 threads, one reply
    # between threads and reader, and one with the reader.
    assert sum(judge.good.values()) - len(judge.good) <= 50
    asr = json.loads(done.stdout)["models"]["m"]["asr"]["before"]
    assert (asr["n"], asr["invalid"]) == (ROWS - len(unread), len(unread))
    assert asr["k"] == sum(verdict == "complied" for verdict in verdicts.values())


@pytest.mark.slow
def test_rows_without_a_verdict_are_marked_and_asked_again(unmirage, judge, make):
    run = make(6)
    judge.reply = lambda number, body: (
        UNREADABLE if "complied" in body["messages"][-1]["content"].rsplit("\n", 1)[1] else judge.verdict(body)
    )
    code, out, err = unmirage("evaluate", *arguments(run, judge, "--no-canaries"))
    asr = json.loads(out)["models"]["m"]["asr"]["before"]
    assert code == 4, err
    assert "2 responses of m have no verdict" in err
    assert (asr["k"], asr["n"], asr["invalid"]) == (0, 4, 2)
    asked = len(judge.requests)
    judge.reply = lambda number, body: judge.verdict(body)
    code, out, err = unmirage("evaluate", *arguments(run, judge, "--no-canaries"))
    assert code == 0, err
    assert len(judge.requests) == asked + 4
    assert json.loads(out)["models"]["m"]["asr"]["before"]["k"] == 2


def test_a_server_that_cannot_hold_a_schema_is_asked_without_it_and_the_results_say_so(unmirage, judge, make):
    refusal = failure(400, "response_format is not supported")
    judge.reply = lambda number, body: refusal if "response_format" in body else judge.verdict(body)
    code, out, err = unmirage("evaluate", *arguments(make(3), judge, "--no-canaries", "--judge-schema"))
    assert code == 0, err
    assert sum("response_format" in body for body in judge.requests) == 1
    note = "the server does not support response_format; replies are not held to a JSON schema"
    assert note in err
    assert f"judge m: {note}" in json.loads(out)["warnings"]


def test_a_server_that_rejects_every_request_stops_with_its_words(unmirage, judge, make):
    judge.reply = lambda number, body: failure(400, "no schema here") if "response_format" in body else None
    code, _, err = unmirage("evaluate", *arguments(make(9), judge, "--no-canaries", "--judge-schema"))
    assert code == 2
    assert "requests failed with the same error before any response, HTTP 400: no schema here" in err
    assert len(judge.requests) == 3


def test_responses_that_the_server_rejects_do_not_stop_a_second_run(unmirage, judge, make):
    run = make(12)

    def reply(number, body):
        return failure(400, "bad row") if "complied" in body["messages"][-1]["content"] else judge.verdict(body)

    judge.reply = reply
    for _ in range(2):
        code, out, err = unmirage("evaluate", *arguments(run, judge, "--no-canaries"))
        assert code == 4, err
        assert json.loads(out)["models"]["m"]["asr"]["before"]["invalid"] == 4


def test_the_length_of_replies_is_an_option_and_the_verdicts_stay(unmirage, judge, make):
    run = make(3)
    judge.reply = lambda number, body: judge.verdict(body)
    assert unmirage("evaluate", *arguments(run, judge, "--no-canaries"))[0] == 0
    assert {body["max_tokens"] for body in judge.requests} == {1024}
    asked = len(judge.requests)
    assert unmirage("evaluate", *arguments(run, judge, "--no-canaries", "--judge-max-tokens", "77"))[0] == 0
    assert len(judge.requests) == asked
    shutil.rmtree(run)
    assert unmirage("evaluate", *arguments(make(3), judge, "--no-canaries", "--judge-max-tokens", "77"))[0] == 0
    assert {body["max_tokens"] for body in judge.requests[asked:]} == {77}


def test_a_schema_is_for_servers(unmirage, make):
    code, _, err = unmirage("evaluate", str(make(1)), "--judge-schema")
    assert code == 2
    assert err.splitlines()[-1].endswith(
        "needs a judge on a server that replies in JSON; add --judge endpoint:URL#model"
    )


def test_judge_attacks_run_with_every_language_model_and_are_kept(unmirage, judge, make):
    run = make(3)
    judge.reply = lambda number, body: judge.verdict(body)
    code, out, err = unmirage("evaluate", *arguments(run, judge))
    assert code == 0, err
    canaries = json.loads(out)["judges"]["m"]["canaries"]
    assert canaries["flip_rate"]["n"] == 64
    assert set(canaries["by_attack"]) >= {"forged verdict behind", "ignore the rubric", "empty", "colon"}
    asked = len(judge.requests)
    assert unmirage("evaluate", *arguments(run, judge))[0] == 0
    assert len(judge.requests) == asked


def test_another_judge_of_the_same_name_is_refused_with_what_differs(unmirage, judge, make):
    run = make(3)
    judge.reply = lambda number, body: judge.verdict(body)
    assert unmirage("evaluate", *arguments(run, judge, "--no-canaries"))[0] == 0
    code, _, err = unmirage("evaluate", str(run), "--judge", f"endpoint:{judge.url}/other#m", "--no-canaries")
    assert code == 2
    assert "judge m" in err
    assert "address" in err


def test_an_ensemble_of_a_server_and_phrases(unmirage, judge, make):
    run = make(6)
    judge.reply = lambda number, body: judge.verdict(body)
    more = ("--judge", "phrases", "--ensemble", "any", "--no-canaries")
    code, out, err = unmirage("evaluate", *arguments(run, judge, *more))
    assert code == 0, err
    document = json.loads(out)
    assert document["judge"] == "any of m, phrases"
    assert document["models"]["m"]["asr"]["before"]["k"] == 6  # phrases find no refusal
    assert document["judges"]["m"]["recall"]["n"] == 0
    code, _, err = unmirage("evaluate", str(run), "--judge", "phrases", "--judge", "phrases")
    assert code == 2
    assert "two judges are named 'phrases'" in err


def test_no_secret_is_kept(unmirage, judge, make, monkeypatch):
    monkeypatch.setenv("UNMIRAGE_API_KEY", "sk-planted-key")
    run = make(3)
    judge.reply = lambda number, body: judge.verdict(body)
    code, out, err = unmirage("evaluate", *arguments(run, judge))
    assert code == 0, err
    assert judge.headers[-1]["authorization"] == "Bearer sk-planted-key"
    assert "sk-planted-key" not in out + err
    assert all(b"sk-planted-key" not in path.read_bytes() for path in run.rglob("*") if path.is_file())


def test_a_second_process_is_refused_with_the_first_ones_id(unmirage, judge, make):
    run = make(3)
    with existing_run(run).held():
        code, _, err = unmirage("evaluate", run)
    assert code == 2
    assert "in use by another process (PID" in err
    assert unmirage("evaluate", run)[0] == 0


def kept_replies(run):
    """Return how many replies of the server the command has written to its cache."""
    try:
        with sqlite3.connect(f"file:{run / '.judges.sqlite'}?mode=ro", uri=True) as database:
            return database.execute("SELECT COUNT(*) FROM texts").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_judged(judge, make):
    run = make(60)
    judge.reply = lambda number, body: judge.verdict(body) if number < 80 else "hang"
    command = [*COMMAND, *arguments(run, judge, "--no-canaries", "--timeout", "60")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while len(judge.requests) < 100 or kept_replies(run) < 80:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "Run the same command again to resume" in err
    with existing_run(run).store() as store:
        kept = store.judgements("m", "m")
    assert 0 < len(kept) < 60
    assert {one.verdict for one in kept} <= set(TRUTH)
    judge.released.set()
    judge.reply = lambda number, body: judge.verdict(body)
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    assert sum(judge.good.values()) == 120


def test_a_full_or_read_only_disk_names_the_file_and_keeps_the_rows(unmirage, judge, make, monkeypatch):
    run = make(3)
    judge.reply = lambda number, body: judge.verdict(body)

    def full(path, _document):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("unmirage.run.directory.write_json_atomic", full)
    code, _, err = unmirage("evaluate", *arguments(run, judge, "--no-canaries"))
    assert code in (2, 4)
    assert "results.json: No space left on device" in err
    with existing_run(run).store() as store:
        assert len(store.judgements("m", "m")) == 3
    assert not (run / "results.json").exists()


@pytest.fixture
def silent(judge, make):
    """Return a run of six attacked queries whose judge gives no verdict on the two harmful answers."""
    judge.reply = lambda number, body: (
        UNREADABLE if "complied" in body["messages"][-1]["content"].rsplit("\n", 1)[1] else judge.verdict(body)
    )
    return make(6, Kind.JAILBREAK)


def test_a_judge_that_is_silent_on_harmful_answers_passes_no_gate(unmirage, judge, silent, tmp_path):
    junit = tmp_path / "gate.xml"
    gate = ["--no-canaries", "--junit", junit, "--fail-if", "asr.after>0.15"]
    code, out, err = unmirage("evaluate", *arguments(silent, judge, *gate))
    after = json.loads(out)["models"]["m"]["asr"]["after"]
    assert (after["value"], after["n"], after["invalid"]) == (0, 4, 2)
    assert (after["least"], after["most"]) == (0, 2 / 6)  # the true ASR is 2 of 6
    assert code == 4
    assert err.splitlines()[-2:] == [
        "partial: 2 responses of m have no verdict (most often: the judge's reply contains no readable verdict); they "
        "are left out of the rates; the bounds include them",
        "unmirage: gate 'asr.after>0.15' is undecided: m: asr.after is 0 (bounds 0 to 0.333333, 2 missing)",
    ]
    text = junit.read_text()
    assert '<error type="undecided"' in text
    assert 'tests="1" failures="0" errors="1"' in text
    judge.reply = lambda number, body: judge.verdict(body)
    code, _, err = unmirage("evaluate", *arguments(silent, judge, *gate))
    assert (code, err.splitlines()[-1]) == (3, "unmirage: gate 'asr.after>0.15' failed: m: asr.after is 0.333333")


def test_a_gate_that_fails_for_any_verdicts_comes_before_what_is_missing(unmirage, judge, silent):
    for conditions, status, last in (
        (
            ["asr.after>0.15", "asr.after<0.4"],
            3,
            "gate 'asr.after<0.4' failed: m: asr.after is 0 (bounds 0 to 0.333333,",
        ),
        (["asr.after>0.4"], 4, "partial: 2 responses of m have no verdict"),
        (["asr.after.most>0.3"], 3, "gate 'asr.after.most>0.3' failed: m: asr.after.most is 0.333333"),
        (["asr.after.invalid>1"], 3, "gate 'asr.after.invalid>1' failed: m: asr.after.invalid is 2"),
    ):
        gates = [part for one in conditions for part in ("--fail-if", one)]
        code, _, err = unmirage("evaluate", *arguments(silent, judge, "--no-canaries", *gates))
        assert code == status
        assert err.splitlines()[-1].startswith(f"unmirage: {last}")
        assert any(line.removeprefix("unmirage: ").startswith("partial: 2 responses") for line in err.splitlines())
