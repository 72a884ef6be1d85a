"""Every command on the tiny world, one after the other as a user runs them, and with mistakes."""

import json

import pytest

from unmirage.run.processor import Speed

KINDS = ("jailbreak", "over-prudence")
WORDS = ("--word", "jailbreak=what", "--word", "over-prudence=share")
FEW = ("--max-new-tokens", "4", "--batch-size", "16", *WORDS)


@pytest.fixture
def attacked(unmirage, tiny, tmp_path):
    """Return a run in which the tiny model has answered the test set."""
    run = tmp_path / "run"
    code, _, err = unmirage("attack", tiny.model, tiny.data / "test.json", "--out", run, *FEW)
    assert code == 0, err
    return run


def test_attack_evaluate_report(unmirage, tiny, attacked):
    truth = tiny.data / "truth.json"
    code, out, _ = unmirage("evaluate", attacked, "--judge", f"exact:{truth}", "--json")
    assert code == 0
    document = json.loads(out)
    rates = document["models"]["model"]
    # 6 unsafe pictures and 6 safe ones with a safe and an unsafe question each; 3 shots
    assert (rates["asr"]["before"]["n"], rates["asr"]["per_shot"]["n"]) == (12, 36)
    assert (rates["rr"]["before"]["n"], rates["rr"]["after"]["n"]) == (6, 6)
    assert document == json.loads((attacked / "results.json").read_text())
    code, out, _ = unmirage("report", attacked)
    assert code == 0
    assert (attacked / "report.html").read_text().startswith("<!doctype html>")


def test_a_second_model_joins_the_run_and_a_finished_one_is_not_asked_again(unmirage, tiny, attacked):
    code, _, err = unmirage("attack", tiny.model, tiny.data / "test.json", "--out", attacked, *FEW, "--name", "twin")
    assert code == 0, err
    code, out, _ = unmirage("evaluate", attacked, "--json")
    models = json.loads(out)["models"]
    assert code == 0
    assert models["model"] == models["twin"]


def test_a_run_with_other_settings_is_refused(unmirage, tiny, attacked):
    code, _, err = unmirage("attack", tiny.model, tiny.data / "test.json", "--out", attacked, *FEW, "--shots", "2")
    assert code == 2
    assert "attack.shots: was 3, now 2" in err
    assert err.count("\n") == 1


def test_unanswered_queries_make_the_result_partial(unmirage, tiny, attacked):
    import sqlite3

    with sqlite3.connect(attacked / "store.sqlite") as database:
        database.execute("DELETE FROM responses WHERE query_id IN (SELECT query_id FROM responses LIMIT 5)")
    code, out, err = unmirage("evaluate", attacked, "--json")
    assert code == 4
    assert "model has not answered 5 queries" in err
    assert json.loads(out)["schema"] == "unmirage.results/2"


def test_dry_run_prints_the_queries_and_writes_nothing(unmirage, tiny, tmp_path):
    run = tmp_path / "run"
    code, out, _ = unmirage("attack", "no-model", tiny.data / "test.json", "--out", run, *FEW, "--dry-run")
    queries = json.loads(out)["queries"]
    assert code == 0
    assert not run.exists()
    # 18 plain; 12 unsafe with 3 jailbreak and 3 control shots; 6 benign with 1 of each side
    assert len(queries) == 18 + 12 * 6 + 6 * 2
    attack = [q for q in queries if q["kind"] == "jailbreak"]
    assert {q["text"].split()[0] for q in attack} == {"What"}
    assert {q["family"] for q in attack} <= {"noun", "passive", "insert"}
    assert all(q["text"].lower().replace("'s", "").startswith(q["form"]) for q in attack)
    assert not [q for q in queries if q["kind"] in ("plain", "control") and "form" in q]


@pytest.mark.parametrize(("choice", "families"), [("insert", {"insert"}), ("noun", {"noun"}), ("passive", {"passive"})])
def test_wordings_of_one_family(unmirage, tiny, tmp_path, choice, families):
    attack = ("attack", "m", tiny.data / "test.json", "--out", tmp_path / "r", *FEW, "--dry-run", "--kind", "jailbreak")
    code, out, err = unmirage(*attack, "--wordings", choice)
    assert code == 0, err
    assert {q["family"] for q in json.loads(out)["queries"] if q["kind"] == "jailbreak"} == families
    code, _, err = unmirage(*attack, "--wordings", "free-form")
    assert (code, "unknown value of --wordings 'free-form'; valid: free, insert" in err) == (2, True)


def test_wordings_follow_the_order_that_a_saved_audit_learned(unmirage, tiny, tmp_path):
    code, out, _ = unmirage("audit", tiny.data / "safety.json", "--json")
    document = json.loads(out)
    attack = ("attack", "m", tiny.data / "test.json", "--out", tmp_path / "r", *FEW, "--dry-run", "--kind", "jailbreak")
    for best in ("might be", "could be"):
        document["wordings"] |= {"weights": {best: -50.0}, "intercept": 0.0, "n": 60}
        (tmp_path / "audit.json").write_text(json.dumps(document))
        code, out, err = unmirage(*attack, "--audit", tmp_path / "audit.json")
        assert code == 0, err
        first = [q["text"] for q in json.loads(out)["queries"] if q["id"].endswith("|jailbreak|0")]
        assert sum(best in text for text in first) > len(first) / 2
    del document["wordings"]
    (tmp_path / "audit.json").write_text(json.dumps(document))
    code, _, err = unmirage(*attack, "--audit", tmp_path / "audit.json")
    assert (code, "learned no order of wordings; audit the data again" in err) == (0, True)


def test_the_words_come_from_a_saved_audit(unmirage, tiny, tmp_path):
    code, out, _ = unmirage("audit", tiny.data / "safety.json", "--json")
    document = json.loads(out)
    document["suggested"] = {"jailbreak": ["why"], "over_prudence": ["describe", "share"]}
    (tmp_path / "audit.json").write_text(json.dumps(document))
    attack = ("attack", "no-model", tiny.data / "test.json", "--out", tmp_path / "r", "--dry-run", "--audit")
    code, out, err = unmirage(*attack, tmp_path / "audit.json")
    assert code == 0, err
    openers = {kind: {q["text"].split()[0] for q in json.loads(out)["queries"] if q["kind"] == kind} for kind in KINDS}
    assert openers == {"jailbreak": {"Why"}, "over-prudence": {"Describe"}}
    # A word that is named goes before the audit's.
    code, out, _ = unmirage(*attack, tmp_path / "audit.json", "--word", "jailbreak=what")
    assert {q["text"].split()[0] for q in json.loads(out)["queries"] if q["kind"] == "jailbreak"} == {"What"}

    document["suggested"]["jailbreak"] = []
    (tmp_path / "audit.json").write_text(json.dumps(document))
    code, _, err = unmirage(*attack, tmp_path / "audit.json")
    assert code == 2
    assert "no opener is associated with this label; set one with --word jailbreak=WORD" in err
    code, _, err = unmirage(*attack, tmp_path / "none.json")
    assert (code, "none.json: no such file" in err) == (2, True)
    code, _, err = unmirage(*attack, tiny.data / "truth.json")
    assert (code, "truth.json: schema is 'unmirage.truth/1'; valid: 'unmirage.audit/3'" in err) == (2, True)


def test_limit_keeps_both_labels_and_stands_in_the_config(unmirage, tiny, tmp_path):
    code, out, _ = unmirage(
        "attack", "m", tiny.data / "test.json", "--out", tmp_path / "r", *FEW, "--dry-run", "--limit", "6"
    )
    plain = [q for q in json.loads(out)["queries"] if q["kind"] == "plain"]
    assert code == 0
    assert len(plain) == 6
    assert sum(q["id"].endswith("/safe|plain|0") for q in plain) == 2


def test_config_file_and_method_options(unmirage, tiny, tmp_path):
    config = tmp_path / "rmu.yaml"
    config.write_text("method: {name: rmu, layer: 2, scale: 5}\nbatch_size: 4\nsteps: 2\nlearning_rate: 0.001\n")
    data = tiny.data / "safety.json"
    code, _, err = unmirage(
        "align", tiny.model, "--retain", data, "--forget", data, "--config", config, "--out", tmp_path / "rmu",
        "--allow", "refusals", "--allow", "benign",
    )  # fmt: skip
    assert code == 0, err
    assert (tmp_path / "rmu" / "unmirage_method.safetensors").is_file()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ("attack", "{model}", "{data}/test.json", "--out", "{tmp}/r", "--kind", "jailbrake"),
            "Did you mean 'jailbreak'?",
        ),
        (("attack", "{model}", "{data}/test.json", "--out", "{tmp}/r", "--word", "what"), "expected KIND=WORD"),
        (
            ("attack", "{model}", "{data}/test.json", "--out", "{tmp}/r", *WORDS, "--word", "jailbreak=a,b"),
            "use one or more words without",
        ),
        (
            ("attack", "{model}", "{data}/test.json", "--out", "{tmp}/r", *WORDS, "--shots", "9000"),
            "rewriter makes at most",
        ),
        (
            ("attack", "{model}", "{data}/test.json", "--out", "{tmp}/r", *WORDS, "--position", "end"),
            "'first', 'middle' or",
        ),
        (("attack", "{model}", "{data}/test.json", "--out", "{tmp}/r", *WORDS, "--rewriter", "rulez"), "mean 'rules'?"),
        (
            ("attack", "{model}", "{data}/test.json", "--out", "{tmp}/r", *WORDS, "--queries", "x.json"),
            "expected KIND=FILE",
        ),
        (
            ("attack", "{model}", "{data}/test.json", "--out", "{tmp}/r", *WORDS, "--search-result", "{tmp}/x"),
            "x: no such file",
        ),
        (
            ("attack", "{model}", "{data}/test.json", "--out", "{tmp}/r", *WORDS, "--timeout", "3"),
            "--timeout: needs a model or judge",
        ),
        (
            ("attack", "{model}", "{data}/test.json", "--out", "{tmp}/r", *WORDS, "--until-success", "phrase"),
            "mean 'phrases'?",
        ),
        (("attack", "endpoint:ftp://x#m", "{data}/test.json", "--out", "{tmp}/r", *WORDS), "not http or https"),
        (("search", "endpoint:http://x#m", "{data}/test.json"), "does not return the probabilities"),
        (("search", "m", "{data}/test.json", "--method", "grey-box"), "'black-box' or 'white-box'"),
        (("explain", "m", "{data}/test.json", "--mode", "drop"), "unknown mode 'drop'; valid: leave-out, mask"),
        (("explain", "m", "{data}/general.json"), "has no refused query"),
        (("attack", "{model}", "{data}/nope.json", "--out", "{tmp}/r"), "nope.json: no such file"),
        (("attack", "nowhere/at/all", "{data}/test.json", "--out", "{tmp}/r", *WORDS), "nor a hub model of that name"),
        (
            ("attack", "{model}", "{data}/general.json", "--out", "{tmp}/r"),
            "general.json: no opener is associated with this label",
        ),
        (("evaluate", "{tmp}/none"), "not a run directory"),
        (("report", "{tmp}/none"), "none"),
        (("evaluate", "{tmp}/none", "--judge", "phrase"), "none"),
    ],
)
def test_mistakes_end_with_2_one_line_and_nothing_written(unmirage, tiny, tmp_path, command, message):
    code, out, err = unmirage(*(part.format(data=tiny.data, model=tiny.model, tmp=tmp_path) for part in command))
    last = err.strip().splitlines()[-1]
    assert (code, out) == (2, "")
    assert last.startswith("unmirage: ")
    assert message in last
    assert list(tmp_path.iterdir()) == []


def test_unknown_judge_lists_the_known_ones(unmirage, attacked):
    code, _, err = unmirage("evaluate", attacked, "--judge", "phrase")
    assert code == 2
    assert (
        "unknown judge 'phrase'; valid: endpoint, exact, guard, local, official, phrases, strongreject. "
        "Did you mean 'phrases'?" in err
    )


def test_a_picture_outside_the_data_folder_is_refused(unmirage, tiny, tmp_path):
    data = tmp_path / "data.jsonl"
    row = {"query": "What is this?", "answer": "It is red.", "refused": False, "image": "../secret.png"}
    data.write_text("\n".join(json.dumps(row | {"refused": flag}) for flag in (True, False)))
    code, _, err = unmirage("attack", tiny.model, data, "--out", tmp_path / "run", *FEW)
    assert code == 2
    assert "data.jsonl: line 1" in err
    assert "contains '..'" in err


def test_doctor_reports_versions(unmirage):
    code, out, _ = unmirage("doctor", "--json", "--no-measure")
    assert code == 0
    report = json.loads(out)
    assert report["torch"].startswith("2.")
    assert report["warnings"] == []
    assert not [name for name in report if "GFLOP" in name]


def test_doctor_shows_the_same_speeds_and_advice_in_both_forms(unmirage, monkeypatch):
    found = [
        Speed("float32", 1, 34.0),
        Speed("bfloat16", 1, 40.0),
        Speed("float32", 2, 0.6),
        Speed("bfloat16", 2, 50.0),
    ]
    monkeypatch.setattr("unmirage.run.processor.measure_products", lambda: found)
    monkeypatch.setattr("unmirage.run.processor.bfloat16_instructions", lambda: ("amx_bf16",))
    report = json.loads(unmirage("doctor", "--json")[1])
    assert report["bfloat16 instructions"] == "amx_bf16"
    assert (report["float32, 1 thread, GFLOP/s"], report["float32, 2 threads, GFLOP/s"]) == (34.0, 0.6)
    (line,) = report["warnings"]
    assert line.endswith("set OMP_NUM_THREADS=1")
    out = unmirage("doctor")[1]
    assert f"Warning: {line}\n" in out
    assert "float32, 2 threads, GFLOP/s" in out


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'NVIDIA A100'; echo 'NVIDIA A100'", "NVIDIA A100, NVIDIA A100"),
        ("echo 'no devices were found'; exit 6", "none (nvidia-smi finds no GPU)"),
        (None, "none (no nvidia-smi)"),
    ],
)
def test_doctor_names_the_gpus_of_the_driver(unmirage, tmp_path, monkeypatch, script, said):
    if script is not None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin" if script else str(tmp_path))
    code, out, err = unmirage("doctor", "--json", "--no-measure")
    assert code == 0, err
    assert json.loads(out)["accelerator"] == said
