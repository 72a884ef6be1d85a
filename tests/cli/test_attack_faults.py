"""What `unmirage attack` must survive: kills, broken pictures, changed data or models, two at once, full disks."""

import fcntl
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest
from PIL import Image

WORDS = ("--word", "jailbreak=what", "--word", "over-prudence=share")
COMMAND = (sys.executable, "-c", "from unmirage.cli.main import run; run()", "attack")
FEW = ("--max-new-tokens", "3", *WORDS)


def rows_of(run):
    with sqlite3.connect(run / "store.sqlite") as database:
        return database.execute(
            "SELECT query_id, model, text, tokens, ended FROM responses ORDER BY query_id"
        ).fetchall()


def count(run):
    try:
        with sqlite3.connect(f"file:{run / 'store.sqlite'}?mode=ro", uri=True) as database:
            return database.execute("SELECT COUNT(*) FROM responses").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


LONG = ("--max-new-tokens", "40", "--batch-size", "2", *WORDS)


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """Return the rows of a run that nothing interrupts."""
    run = tmp_path_factory.mktemp("whole") / "run"
    subprocess.run([*COMMAND, str(tiny.model), str(tiny.data / "test.json"), "--out", str(run), *LONG], check=True)
    return rows_of(run)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_run_that_was_stopped_is_continued_to_the_rows_of_an_uninterrupted_one(
    unmirage, stopped, tiny, tmp_path, whole, number, status
):
    run = tmp_path / "stopped"
    command = ("attack", tiny.model, tiny.data / "test.json", "--out", run, *LONG)
    code, said = stopped("Store.add_responses", 2, number, *command)
    assert code == status
    assert number != signal.SIGINT or "Run the same command again to resume" in said
    assert 0 < count(run) < len(whole)
    code, _, err = unmirage(*command)
    assert code == 0, err
    assert rows_of(run) == whole


@pytest.fixture
def pictured(tmp_path):
    """Return a data file of one refused and one answered query about each of seven pictures, only two of them sound."""
    folder = tmp_path / "data"
    folder.mkdir()
    Image.new("RGB", (32, 32), "red").save(folder / "fine.png")
    Image.new("CMYK", (20, 30)).save(folder / "cmyk.jpg")
    content = (folder / "fine.png").read_bytes()
    (folder / "short.png").write_bytes(content[: len(content) // 2])
    (folder / "vector.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    Image.new("RGB", (1, 1)).save(folder / "animation.gif")
    bomb = Image.new("1", (30_000, 30_000))
    bomb.save(folder / "bomb.png")
    names = ("fine.png", "cmyk.jpg", "short.png", "vector.png", "animation.gif", "bomb.png", "gone.png")
    rows = [
        {"query": query, "answer": "It is.", "image": name, "refused": refused}
        for name in names
        for query, refused in (("Share this.", True), ("What is it?", False))
    ]
    path = folder / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_broken_pictures_are_row_errors_and_the_run_goes_on(unmirage, tiny, tmp_path, pictured):
    run = tmp_path / "run"
    command = ("attack", tiny.model, pictured, "--out", run, *FEW, "--kind", "jailbreak")
    code, _, err = unmirage(*command)
    assert code == 4
    assert "Traceback" not in err
    # a picture has two plain queries and three shots; two pictures can be read
    assert "partial: 25 of 35 queries have no response from model" in err
    assert count(run) == 10
    with sqlite3.connect(run / "store.sqlite") as database:
        reasons = dict(database.execute("SELECT query_id, reason FROM failures WHERE query_id LIKE '%plain%'"))
    said = " ".join(reasons.values())
    for part in ("'short.png' is damaged", "'vector.png' is not a readable", "'animation.gif' is not a readable"):
        assert part in said
    assert "'bomb.png' has too many pixels" in said
    assert "'gone.png' is not a file" in said
    code, _, err = unmirage("evaluate", run)
    assert code == 4
    assert "25" in err
    shutil.copy(pictured.parent / "fine.png", pictured.parent / "gone.png")
    code, _, err = unmirage(*command)
    assert (code, count(run)) == (4, 15)
    assert "partial: 20 of 35" in err


def test_other_data_under_the_same_name_is_refused(unmirage, tiny, tmp_path):
    data = tmp_path / "data.json"
    text = (tiny.data / "test.json").read_text()
    data.write_text(text)
    command = (
        "attack",
        tiny.model,
        data,
        "--images",
        tiny.data,
        "--out",
        tmp_path / "run",
        *FEW,
        "--kind",
        "jailbreak",
    )
    assert unmirage(*command)[0] == 0
    data.write_text(text.replace("Share", "Show"))
    code, _, err = unmirage(*command)
    assert code == 2
    assert "data_sha256: was" in err


def test_another_model_under_the_same_name_is_refused(unmirage, tiny, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny.model, folder)
    command = ("attack", folder, tiny.data / "test.json", "--out", tmp_path / "run", *FEW, "--kind", "jailbreak")
    assert unmirage(*command)[0] == 0
    vlm = tiny.load()
    vlm.model.lm_head.weight.data += 0.1
    vlm.save(folder)
    code, _, err = unmirage(*command)
    assert code == 2
    assert "another model has responded as 'model' (" in err
    assert ": was " in err
    assert unmirage(*command, "--name", "second")[0] == 0


def test_a_run_in_use_is_refused_with_its_owner(unmirage, tiny, tmp_path):
    run = tmp_path / "run"
    command = ("attack", tiny.model, tiny.data / "test.json", "--out", run, *FEW, "--kind", "jailbreak")
    assert unmirage(*command)[0] == 0
    with (run / ".lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, _, err = unmirage(*command)
    assert code == 2
    assert f"in use by another process (PID {os.getpid()})" in err


def test_bad_records_are_set_aside_and_counted(unmirage, tiny, tmp_path):
    data = tmp_path / "data.jsonl"
    rows = [
        {"query": "Share it.", "answer": "No.", "refused": True},
        {"query": "What?", "answer": "Red.", "refused": False},
    ]
    data.write_text("\n".join(map(json.dumps, rows)) + '\n{"query": "torn')
    command = ("attack", tiny.model, data, "--out", tmp_path / "run", *FEW, "--kind", "jailbreak", "--dry-run")
    code, _, err = unmirage(*command)
    assert code == 2
    assert "line 3" in err
    code, _, err = unmirage(*command, "--skip-bad")
    assert code == 0
    assert "1 records were skipped" in err


def test_odd_texts_are_asked_like_any_other(unmirage, tiny, tmp_path):
    texts = ["\ud800 lone", "NUL \0 inside", "\u202eright to left", "", "word" * 60]
    rows = [{"query": text, "answer": "No.", "refused": flag} for text in texts for flag in (True, False)]
    data = tmp_path / "data.json"
    data.write_text(json.dumps(rows))
    code, _, err = unmirage("attack", tiny.model, data, "--out", tmp_path / "run", *FEW, "--shots", "1")
    assert "Traceback" not in err
    assert code in (0, 4)  # what the tokenizer does not take is a row error
    assert count(tmp_path / "run") > 0


def test_a_key_never_reaches_disk_or_terminal(unmirage, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("UNMIRAGE_API_KEY", "sk-planted-secret")
    target = "endpoint:http://127.0.0.1:9/v1#m"
    command = ("attack", target, tiny.data / "test.json", "--out", tmp_path / "run", *FEW, "--kind", "jailbreak")
    code, out, err = unmirage(*command, "--timeout", "1")
    assert code == 2
    assert "sk-planted" not in out + err
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or b"sk-planted" not in path.read_bytes()


def test_a_frozen_set_is_written_read_and_asked(unmirage, tiny, tmp_path):
    frozen = tmp_path / "what_3shot.json"
    data = tiny.data / "test.json"
    code, _, err = unmirage("attack", "none", data, *WORDS, "--write", f"jailbreak={frozen}", "--kind", "jailbreak")
    assert code == 0, err
    records = json.loads(frozen.read_text())
    assert [one["id"] for one in records[:3]] == [records[0]["id"]] * 3
    code, out, err = unmirage("attack", "none", data, "--out", tmp_path / "r", *WORDS, "--dry-run")
    made = [one for one in json.loads(out)["queries"] if one["kind"] == "jailbreak"]
    code, out, err = unmirage(
        "attack", "none", data, "--out", tmp_path / "r", *WORDS, "--dry-run", "--queries", f"jailbreak={frozen}"
    )
    asked = [one for one in json.loads(out)["queries"] if one["kind"] == "jailbreak"]
    assert asked == [{key: value for key, value in one.items() if key not in ("family", "form")} for one in made]


def test_stopping_at_the_first_success_keeps_any_of_k(unmirage, tiny, tmp_path):
    data, truth = tiny.data / "test.json", f"exact:{tiny.data / 'truth.json'}"
    results = {}
    for name, more in (("all", ()), ("stop", ("--until-success", truth))):
        run = tmp_path / name
        code, _, err = unmirage("attack", tiny.model, data, "--out", run, *FEW, *more)
        assert code == 0, err
        code, out, err = unmirage("evaluate", run, "--judge", truth, "--json")
        assert code == 0, err
        results[name] = json.loads(out)["models"]["model"]
    assert results["all"]["asr"]["after"] == results["stop"]["asr"]["after"]
    assert results["all"]["rr"]["after"] == results["stop"]["rr"]["after"]
