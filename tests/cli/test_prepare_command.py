"""`unmirage prepare`: several models answer, a judge chooses, and `unmirage align` takes what comes out."""

import json
import re
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from unmirage.data import ImageFolder, load_samples

FEW = ("--max-new-tokens", "8")


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Server:
    """Models "kind" (harmful to a degree of 3), "worse" (5, but silent on every second query), "prude" and "judge"."""

    def __init__(self):
        self.asked = []
        self.judging = lambda answer: ("complied", 5) if answer == "All of it." else ("complied", 3)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                text = json.dumps(
                    {"choices": [{"finish_reason": "stop", "message": {"content": outer.reply(body)}}]}
                ).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __call__(self, model):
        return f"endpoint:http://127.0.0.1:{self.port}/v1#{model}"

    def reply(self, body):
        model, content = body["model"], body["messages"][-1]["content"]
        self.asked.append(model)
        if model == "judge":
            answer = json.loads(content.rsplit("\n", 1)[1])["answer"]
            verdict, harm = self.judging(answer) if "sorry" not in answer else ("refused", 1)
            return json.dumps({"code": content.split('"code": "')[1][:8], "verdict": verdict, "harm": harm})
        text = content if isinstance(content, str) else content[-1]["text"]
        return {"kind": "Some of it.", "prude": "I'm sorry, I can't help with that."}.get(
            model, "All of it." if len(text) % 2 else "I'm sorry."
        )


@pytest.fixture
def server(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    server = Server()
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_a_local_model_answers_and_align_takes_the_sets(unmirage, tiny, tmp_path):
    sets = tmp_path / "sets"
    code, out, err = unmirage(
        "prepare", tiny.data / "safety.json", "--answers-from", tiny.model, "--judge", "phrases",
        "--general", tiny.data / "general.json", "--retain-size", "20", "--out", sets, *FEW,
    )  # fmt: skip
    assert code == 0, err
    # An untrained model may say nothing to a query or two; that is no answer to forget.
    kept = int(re.search(r"forget.jsonl: (\d+) of 24 unsafe queries", out)[1])
    assert 20 <= kept <= 24
    assert re.search(r"unsafe-text: \d+ of 12", out)
    assert "retain.jsonl: 20 of 20 wanted, 8 of them general" in out
    assert f"--forget {sets / 'forget.jsonl'} --retain {sets / 'retain.jsonl'}" in err
    forget, retain = load_samples(sets / "forget.jsonl"), load_samples(sets / "retain.jsonl")
    assert (len(forget), len(retain)) == (kept, 20)
    assert all(one.refused for one in forget)
    assert not any(one.refused for one in retain)
    for one in (*forget, *retain):
        ImageFolder(sets).open(one.image)
    by_id = {one.id: one for one in tiny.samples("safety")}
    assert all(one.query == by_id[one.id].query and one.answer != by_id[one.id].answer for one in forget)
    document = json.loads((sets / "prepare.json").read_text())
    assert document["schema"] == "unmirage.prepare/2"
    assert document["complete"] is True
    assert document["models"]["model"]["fingerprint"]["model.safetensors"]
    assert document["settings"]["data_sha256"] == document["sources"][0]["sha256"]
    assert set(document["machine"]) >= {"python", "torch"}
    before = {path: path.read_bytes() for path in sets.iterdir() if path.suffix in (".jsonl", ".json")}
    code, out, _ = unmirage(
        "prepare", tiny.data / "safety.json", "--answers-from", tiny.model, "--judge", "phrases",
        "--general", tiny.data / "general.json", "--retain-size", "20", "--out", sets, *FEW, "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out) == document
    assert {path: path.read_bytes() for path in before} == before


def test_the_judge_of_facts_leaves_out_what_names_none(unmirage, tiny, tmp_path):
    command = ("prepare", tiny.data / "safety.json", "--answers-from", tiny.model, "--out", tmp_path / "sets", *FEW)
    code, _, err = unmirage(*command, "--judge", f"exact:{tiny.data / 'truth.json'}")
    assert code == 2
    assert "no harmful response to forget (24 irrelevant)" in err
    document = json.loads((tmp_path / "sets" / "prepare.json").read_text())
    assert document["forget"]["left_out"] == {"refused by all": 0, "irrelevant": 24, "failed": 0}


def test_the_most_harmful_of_three_is_taken_and_what_nobody_answers_left_out(unmirage, server, tiny, tmp_path):
    sets = tmp_path / "sets"
    command = ("prepare", tiny.data / "safety.json", "--judge", server("judge"), "--json", *FEW)
    models = [part for name in ("prude", "kind", "worse") for part in ("--answers-from", server(name))]
    code, out, err = unmirage(*command, *models, "--out", sets)
    assert code == 0, err
    document = json.loads(out)
    taken = {name: one["chosen"] for name, one in document["models"].items()}
    odd = sum(len(one.query) % 2 for one in tiny.samples("safety") if one.refused)
    assert 0 < odd < 24
    assert taken == {"prude": 0, "kind": 24 - odd, "worse": odd}
    assert document["forget"]["by_harm"] == {"3": 24 - odd, "5": odd}
    for row in rows_of(sets / "forget.jsonl"):
        assert row["answer"] == ("All of it." if len(row["query"]) % 2 else "Some of it.")
        assert row["provenance"]["answered_by"] == ("worse" if len(row["query"]) % 2 else "kind")
        assert row["provenance"]["judge"] == "judge"
        assert row["provenance"]["harm"] == (5 if len(row["query"]) % 2 else 3)
    asked = {name: server.asked.count(name) for name in ("prude", "kind", "worse", "judge")}
    assert all(f"{name}: 24 requests (including 0 retries), 0 failed" in err for name in ("prude", "kind", "worse"))
    assert f"judge judge: {asked['judge']} requests" in err
    # the same without "kind": what nobody answers is left out, by reason
    models = [part for name in ("prude", "worse") for part in ("--answers-from", server(name))]
    code, out, err = unmirage(*command, *models, "--out", tmp_path / "fewer")
    assert code == 0, err
    assert json.loads(out)["forget"]["left_out"] == {"refused by all": 24 - odd, "irrelevant": 0, "failed": 0}
    assert len(rows_of(tmp_path / "fewer" / "forget.jsonl")) == odd


def test_a_dry_run_asks_and_writes_nothing(unmirage, server, tiny, tmp_path):
    command = ("prepare", tiny.data / "safety.json", "--answers-from", server("kind"), "--judge", server("judge"))
    code, out, err = unmirage(*command, "--dry-run", "--kinds", "unsafe-text", "--general", tiny.data / "general.json")
    assert code == 0, err
    assert json.loads(out) == {
        "schema": "unmirage.prepare-plan/1",
        "samples": 36, "unsafe": 12, "unsafe_by_kind": {"unsafe-text": 12}, "safe": 12, "safe_without_answer": 0,
        "retain": {"from_data": 12, "from_general_at_most": 1988},
    }  # fmt: skip
    assert server.asked == []
    assert unmirage(*command, "--dry-run", "--out", tmp_path / "sets")[0] == 0
    assert list(tmp_path.iterdir()) == []


def test_limit_seed_and_kinds_restrict_what_is_asked(unmirage, server, tiny, tmp_path):
    command = ("prepare", tiny.data / "safety.json", "--answers-from", server("kind"), "--judge", "phrases", "--json")
    code, out, err = unmirage(*command, "--out", tmp_path / "a", "--kinds", "unsafe-picture", "--limit", "9")
    assert code == 0, err
    document = json.loads(out)
    assert document["settings"]["prepare"] == {
        "kinds": ["unsafe-picture"], "limit": 9, "seed": 0, "retain_size": None,
    }  # fmt: skip
    assert len(server.asked) == document["forget"]["asked"] <= 6
    assert all("/unsafe" not in row["id"] for row in rows_of(tmp_path / "a" / "forget.jsonl"))


def test_tables_with_named_columns_are_read(unmirage, server, tmp_path):
    rows = [{"prompt": f"Share {n}.", "output": "No.", "refused": True} for n in range(3)]
    rows += [{"prompt": "What is it?", "output": "A boat.", "refused": False}]
    data = tmp_path / "d.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)) + '\n{"torn')
    command = ("prepare", data, "--answers-from", server("kind"), "--judge", "phrases", "--out", tmp_path / "sets")
    named = ("--columns", "query=prompt,answer=output")
    code, _, err = unmirage(*command, *named)
    assert code == 2
    assert "line 5: not JSON" in err
    code, _, err = unmirage(*command, *named, "--skip-bad")
    assert code == 0, err
    assert "1 records were skipped" in err
    assert [row["image"] for row in rows_of(tmp_path / "sets" / "forget.jsonl")] == [None] * 3


def test_two_models_of_one_name_are_told_apart_by_all_of_it(unmirage, server, tiny, tmp_path):
    other = tmp_path / "other" / "model"
    other.parent.mkdir()
    other.symlink_to(tiny.model)
    both = ("--answers-from", tiny.model, "--answers-from", other)
    code, out, err = unmirage(
        "prepare", tiny.data / "safety.json", *both, "--judge", "phrases", "--out", tmp_path / "sets", "--json", *FEW
    )
    assert code == 0, err
    # equals are taken in the order of the models
    kept = len(rows_of(tmp_path / "sets" / "forget.jsonl"))
    assert kept >= 20
    assert {name: one["chosen"] for name, one in json.loads(out)["models"].items()} == {
        str(tiny.model): kept, str(other): 0,
    }  # fmt: skip


def test_verdicts_are_kept_in_the_store_too(unmirage, server, tiny, tmp_path):
    command = ("prepare", tiny.data / "safety.json", "--answers-from", server("kind"), "--judge", server("judge"))
    assert unmirage(*command, "--out", tmp_path / "sets")[0] == 0
    with sqlite3.connect(tmp_path / "sets" / "store.sqlite") as database:
        found = database.execute("SELECT DISTINCT model, judge, verdict, why FROM judgements").fetchall()
    assert found == [("kind", "judge", "complied", "harm 3 of 5")]
