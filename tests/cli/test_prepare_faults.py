"""What `unmirage prepare` must survive: kills, broken pictures, servers that fail, changed inputs, wrong options."""

import fcntl
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

COMMAND = (sys.executable, "-c", "from unmirage.cli.main import run; run()", "prepare")
FEW = ("--max-new-tokens", "3")
LONG = ("--max-new-tokens", "40", "--batch-size", "2", "--retain-size", "20")


def made(folder):
    """Return the content of everything that prepare makes for others."""
    kept = ("forget.jsonl", "retain.jsonl", "prepare.json")
    files = [path for path in folder.rglob("*") if path.name in kept or path.suffix == ".png"]
    return {path.relative_to(folder): path.read_bytes() for path in files}


def count(folder):
    try:
        with sqlite3.connect(f"file:{folder / 'store.sqlite'}?mode=ro", uri=True) as database:
            return database.execute("SELECT COUNT(*) FROM responses").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


@pytest.fixture(scope="module")
def arguments(tiny, tmp_path_factory):
    """Return what is asked for, but for the folder: two models, which are the same one under two names."""
    second = tmp_path_factory.mktemp("models") / "second"
    second.symlink_to(tiny.model)
    return [
        str(tiny.data / "safety.json"), "--answers-from", str(tiny.model), "--answers-from", str(second), "--judge",
        "phrases", "--general", str(tiny.data / "general.json"), *LONG, "--out",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def whole(arguments, tmp_path_factory):
    """Return what a run makes that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole") / "sets"
    subprocess.run([*COMMAND, *arguments, str(folder)], check=True)
    return made(folder)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_what_was_stopped_is_continued_to_the_files_of_an_uninterrupted_run(
    unmirage, stopped, arguments, tmp_path, whole, number, status
):
    folder = tmp_path / "sets"
    code, said = stopped("Store.add_responses", 2, number, "prepare", *arguments, folder)
    assert code == status
    assert number != signal.SIGINT or "Run the same command again to resume" in said
    assert 0 < count(folder) < 48  # the first model has answered, the second has not
    assert not (folder / "prepare.json").exists()
    code, _, err = unmirage("prepare", *arguments, folder)
    assert code == 0, err
    assert count(folder) == 48
    assert made(folder) == whole


def test_a_kill_between_the_files_is_mended(unmirage, arguments, tmp_path, whole, monkeypatch):
    folder = tmp_path / "sets"

    def full(*_):
        raise OSError(28, "No space left on device", "retain.jsonl")

    with monkeypatch.context() as patch:
        patch.setattr("unmirage.prepare.run.write_retain", full)
        code, _, err = unmirage("prepare", *arguments, folder)
    assert code == 2
    assert "retain.jsonl: No space left on device" in err
    assert (folder / "forget.jsonl").exists()
    assert not (folder / "prepare.json").exists()
    assert unmirage("prepare", *arguments, folder)[0] == 0
    assert made(folder) == whole


class Flaky:
    """A server that answers every query with "Mix it.", and fails on what `fails(body)` says."""

    def __init__(self):
        self.fails = lambda body: False
        self.bodies = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.bodies.append(body)
                content = body["messages"][-1]["content"]
                reply = "Mix it."
                if body["model"] == "judge":
                    code = content.split('"code": "')[1][:8]
                    reply = json.dumps({"code": code, "verdict": "complied", "harm": 2})
                status = 400 if outer.fails(body) else 200
                choices = [{"finish_reason": "stop", "message": {"content": reply}}]
                text = json.dumps({"choices": choices} if status == 200 else {"error": {"message": "no"}}).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __call__(self, model):
        return f"endpoint:http://127.0.0.1:{self.server.server_port}/v1#{model}"


@pytest.fixture
def flaky(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setenv("UNMIRAGE_API_KEY", "sk-planted-secret")
    server = Flaky()
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_rows_that_fail_are_counted_and_asked_again(unmirage, flaky, tiny, tmp_path):
    folder = tmp_path / "sets"
    command = (
        "prepare", tiny.data / "safety.json", "--answers-from", flaky("vlm"), "--judge", flaky("judge"),
        "--out", folder, "--concurrency", "1",
    )  # fmt: skip
    flaky.fails = lambda body: body["model"] == "vlm" and len(flaky.bodies) in (5, 9)
    code, out, err = unmirage(*command, "--json")
    assert code == 4
    assert "partial: 2 of 24 queries have no response from vlm (the first: safety-" in err
    document = json.loads(out)
    assert document["complete"] is False
    assert document["models"]["vlm"]["failed"] == document["forget"]["left_out"]["failed"] == 2
    assert document["forget"]["rows"] == 22
    asked = len(flaky.bodies)
    # one answer is judged already; another grade is refused now
    flaky.fails = lambda body: False
    code, out, err = unmirage(*command, "--json")
    assert code == 0, err
    assert len(flaky.bodies) == asked + 4  # two answers, and two grades, as the queries are others
    assert json.loads(out)["forget"]["rows"] == 24
    for path in folder.rglob("*"):
        assert path.is_dir() or b"sk-planted" not in path.read_bytes()
    assert "sk-planted" not in out + err


def test_answers_without_a_verdict_are_counted_and_never_taken(unmirage, flaky, tiny, tmp_path):
    command = (
        "prepare", tiny.data / "safety.json", "--answers-from", flaky("vlm"), "--judge", flaky("judge"),
        "--out", tmp_path / "sets", "--concurrency", "1",
    )  # fmt: skip
    flaky.fails = lambda body: body["model"] == "judge" and len(flaky.bodies) > 30
    code, out, err = unmirage(*command, "--json")
    assert code == 4
    document = json.loads(out)
    missing = document["models"]["vlm"]["no_verdict"]
    assert 0 < missing < 24
    assert f"partial: {missing} responses of vlm have no verdict (the first: " in err
    assert document["forget"]["rows"] == 24 - missing == len((tmp_path / "sets/forget.jsonl").read_text().splitlines())
    flaky.fails = lambda body: False
    assert unmirage(*command)[0] == 0
    assert json.loads((tmp_path / "sets" / "prepare.json").read_text())["forget"]["rows"] == 24


def test_a_server_that_is_not_there_is_told_and_nothing_is_lost(unmirage, flaky, tiny, tmp_path):
    command = (
        "prepare", tiny.data / "safety.json", "--answers-from", flaky("vlm"), "--out", tmp_path / "sets",
        "--judge", "endpoint:http://127.0.0.1:9/v1#judge", "--timeout", "1",
    )  # fmt: skip
    code, _, err = unmirage(*command)
    assert code == 2
    assert "check the URL and that the server is running" in err
    assert "sk-planted" not in err
    assert count(tmp_path / "sets") == 24


@pytest.fixture
def pictured(tmp_path):
    """Return data of one unsafe and one safe query about each of three pictures, of which one is sound."""
    folder = tmp_path / "data"
    folder.mkdir()
    Image.new("RGB", (32, 32), "red").save(folder / "fine.png")
    content = (folder / "fine.png").read_bytes()
    (folder / "short.png").write_bytes(content[: len(content) // 2])
    rows = [
        {"id": f"{name}-{refused}", "query": query, "answer": "It is.", "image": f"{name}.png", "refused": refused}
        for name in ("fine", "short", "gone")
        for query, refused in (("Share this.", True), ("What is it?", False))
    ]
    path = folder / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_broken_pictures_are_row_errors_and_the_rest_is_written(unmirage, tiny, tmp_path, pictured):
    folder = tmp_path / "sets"
    command = ("prepare", pictured, "--answers-from", tiny.model, "--judge", "phrases", "--out", folder, *FEW)
    code, _, err = unmirage(*command)
    assert code == 4
    assert "partial: 2 of 3 queries have no response from model (the first: " in err
    assert "2 safe samples have no picture (sample 'short-False': image 'short.png' is damaged or truncated" in err
    assert len((folder / "forget.jsonl").read_text().splitlines()) == 1
    assert len((folder / "retain.jsonl").read_text().splitlines()) == 1
    for name in ("short", "gone"):
        shutil.copy(pictured.parent / "fine.png", pictured.parent / f"{name}.png")
    assert unmirage(*command)[0] == 0
    assert len((folder / "retain.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("image", ["../secret.png", "/etc/passwd", "C:\\x.png", "http://h/x.png", "file:///x.png"])
def test_a_picture_outside_the_folder_is_refused(unmirage, tiny, tmp_path, image):
    data = tmp_path / "data.jsonl"
    rows = [{"query": "Share it.", "answer": "No.", "refused": True, "image": image}]
    rows += [{"query": "What?", "answer": "Red.", "refused": False}]
    data.write_text("\n".join(map(json.dumps, rows)))
    command = ("prepare", data, "--answers-from", tiny.model, "--judge", "phrases", "--out", tmp_path / "sets", *FEW)
    code, _, err = unmirage(*command)
    assert code == 2
    assert "data.jsonl: line 1: field 'image'" in err
    assert not (tmp_path / "sets").exists()


def test_a_link_out_of_the_folder_is_no_picture(unmirage, tiny, tmp_path, pictured):
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    for name in ("short", "gone"):
        (pictured.parent / f"{name}.png").unlink(missing_ok=True)
        (pictured.parent / f"{name}.png").symlink_to(tmp_path / "secret.png")
    command = ("prepare", pictured, "--answers-from", tiny.model, "--judge", "phrases", "--out", tmp_path / "s", *FEW)
    code, _, err = unmirage(*command)
    assert code == 4
    assert "leaves the image folder" in err
    assert [path.name for path in (tmp_path / "s" / "images").rglob("*.png")] == ["fine.png"]


def test_other_settings_data_or_weights_are_refused_with_what_differs(unmirage, tiny, tmp_path):
    model, data = tmp_path / "model", tmp_path / "data.json"
    shutil.copytree(tiny.model, model)
    data.write_text((tiny.data / "safety.json").read_text())
    command = (
        "prepare", data, "--images", tiny.data, "--answers-from", model, "--judge", "phrases", "--out",
        tmp_path / "sets", *FEW,
    )  # fmt: skip
    assert unmirage(*command)[0] == 0
    before = made(tmp_path / "sets")
    for more, said in (
        (("--seed", "1"), "prepare.seed: was 0, now 1"),
        (("--judge", f"exact:{tiny.data / 'truth.json'}"), "judge: was 'phrases', now 'exact:"),
        (("--retain-size", "3"), "prepare.retain_size: was None, now 3"),
        (("--general", tiny.data / "general.json"), "general: was None, now"),
        (("--max-new-tokens", "4"), "max_new_tokens: was 3, now 4"),
    ):
        code, _, err = unmirage(*command, *more)
        assert code == 2
        assert said in err
    assert made(tmp_path / "sets") == before
    vlm = tiny.load()
    vlm.model.lm_head.weight.data += 0.1
    vlm.save(model)
    code, _, err = unmirage(*command)
    assert code == 2
    assert "another model has responded as 'model' (" in err
    shutil.rmtree(model)
    shutil.copytree(tiny.model, model)
    data.write_text(data.read_text().replace("Share", "Show"))
    code, _, err = unmirage(*command)
    assert code == 2
    assert "data_sha256: was" in err
    assert made(tmp_path / "sets") == before


def test_a_folder_in_use_or_of_something_else_is_refused(unmirage, tiny, tmp_path):
    folder = tmp_path / "sets"
    command = ("prepare", tiny.data / "safety.json", "--answers-from", tiny.model, "--judge", "phrases", *FEW)
    folder.mkdir()
    with (folder / ".lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, _, err = unmirage(*command, "--out", folder)
    assert code == 2
    assert "in use by another process" in err
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    code, _, err = unmirage(*command, "--out", tmp_path / "other")
    assert code == 2
    assert "is not a run directory" in err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            ("--judge", "phrasse"),
            "unknown judge 'phrasse'; valid: endpoint, exact, guard, local, official, phrases, strongreject.",
        ),
        (("--judge", "exact:none.json"), "none.json: no such file"),
        (("--judge", "endpoint:ftp://h/v1#m"), "scheme 'ftp' is not http or https"),
        (("--kinds", "unsafe-pictures"), "unknown kind of unsafe query 'unsafe-pictures'"),
        (("--kinds", ","), "--kinds: empty; valid: unsafe-picture, unsafe-text"),
        (("--general", "none.json"), "none.json: no such file"),
        (("--general-images", "x"), "--general-images: needs --general FILE"),
        (("--timeout", "3"), "--timeout: needs a model or judge of the form endpoint:URL#model-name"),
        (("--format", "vlgard"), "unknown format 'vlgard'"),
        (("--limit", "1"), "should be greater than or equal to 2"),
        (("--retain-size", "0"), "should be greater than or equal to 1"),
        (("--columns", "query"), "--columns: 'query' is not NAME=COLUMN"),
    ],
)
def test_wrong_options_are_told_before_anything_is_asked(unmirage, tiny, tmp_path, more, said):
    command = ("prepare", tiny.data / "safety.json", "--answers-from", tiny.model, "--out", tmp_path / "sets")
    code, _, err = unmirage(*command, *(() if "--judge" in more else ("--judge", "phrases")), *more)
    assert code == 2
    assert said in " ".join(err.replace("│", " ").split())
    assert not (tmp_path / "sets").exists()


def test_wrong_models_and_missing_files_are_told_before_anything_is_asked(unmirage, tiny, tmp_path):
    data, rest = tiny.data / "safety.json", ("--judge", "phrases", "--out", tmp_path / "sets", *FEW)
    (tmp_path / "empty").mkdir()
    for command, said in (
        ((data, "--answers-from", tiny.model, "--answers-from", tiny.model), "is given twice; give each model once"),
        ((data, "--answers-from", tiny.model, "--answers-from", tmp_path / "empty"), "no config.json"),
        ((data, "--answers-from", "endpoint:http://h/v1"), "model name is missing"),
        ((tiny.data / "gone.json", "--answers-from", tiny.model), "gone.json: no such file"),
        ((tiny.data / "general.json", "--answers-from", tiny.model), "general.json: no unsafe query found"),
    ):
        code, _, err = unmirage("prepare", *command, *rest)
        assert code == 2
        assert said in err
        assert not (tmp_path / "sets").exists()
    code, _, err = unmirage("prepare", data, "--answers-from", tiny.model, "--judge", "phrases")
    assert code == 2
    assert "--out: missing" in err
    code, _, err = unmirage("prepare", data, "--answers-from", "/no/such/model", *rest)
    assert code == 2
    assert "no such folder, nor a hub model of that name" in err


def test_odd_texts_are_asked_and_written_like_any_other(unmirage, flaky, tmp_path):
    texts = ["\ud800 lone", "NUL \0 inside", "\u202eright to left", "", "word" * 60]
    rows = [
        {"query": text, "answer": f"{text}.", "refused": flag, "id": f"{n}-{flag}-{text[:6]}"}
        for n, text in enumerate(texts)
        for flag in (True, False)
    ]
    data = tmp_path / "data.json"
    data.write_text(json.dumps(rows))
    command = ("prepare", data, "--answers-from", flaky("vlm"), "--judge", flaky("judge"), "--out", tmp_path / "sets")
    code, _, err = unmirage(*command)
    assert code == 0, err
    assert len((tmp_path / "sets" / "forget.jsonl").read_text().splitlines()) == 5
    assert len((tmp_path / "sets" / "retain.jsonl").read_text().splitlines()) == 5
