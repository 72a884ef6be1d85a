"""Every command gives the same documents as the function of the API with its name."""

import json
import shutil
import sqlite3

import pytest
import torch

import unmirage as um
from unmirage.data import write_samples
from unmirage.data.split import forget

WORDS = {"jailbreak": "what", "over-prudence": "share"}
ATTACK = ("--word", "jailbreak=what", "--word", "over-prudence=share", "--limit", "6", "--max-new-tokens", "3")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def command(unmirage):
    """Return a function that runs a command without errors and returns its stdout."""

    def run(*args):
        code, out, err = unmirage(*args)
        assert code == 0, err
        return out

    return run


@pytest.fixture
def run(tiny, tmp_path):
    """Return a run of the API."""
    return um.attack(tiny.model, tiny.data / "test.json", words=WORDS, limit=6, max_new_tokens=3, out=tmp_path / "run")


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def rows(run, table):
    with sqlite3.connect(run / "store.sqlite") as database:
        return sorted(database.execute(f"SELECT * FROM {table}"), key=repr)


def test_audit_with_every_option(command, tiny, tmp_path):
    safety, test = tiny.data / "safety.json", tiny.data / "test.json"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    options = ("--write-balanced", tmp_path / "a" / "x.json", "--write-diversified", tmp_path / "a" / "y.jsonl")
    options += ("--write-weighted", tmp_path / "a" / "w.jsonl", "--write-twins", tmp_path / "a" / "t.jsonl")
    options += ("--balanced-size", "0.5", "--balanced-refused", 0.4, "--balanced-copies", 2)
    options += ("--weighted-refused", 0.6, "--weighted-max", 3, "--twins-per-row", 2, "--twins-rewriter", "rules")
    said = command(
        "audit", safety, "--test", test, "--compare", test, "--label", "field", "--seed", 3, *options, "--json"
    )
    found = um.audit(
        safety,
        test=test,
        compare=test,
        label="field",
        seed=3,
        write_balanced=tmp_path / "b" / "x.json",
        write_diversified=tmp_path / "b" / "y.jsonl",
        write_weighted=tmp_path / "b" / "w.jsonl",
        write_twins=tmp_path / "b" / "t.jsonl",
        balanced_size=0.5,
        balanced_refused=0.4,
        balanced_copies=2,
        weighted_refused=0.6,
        weighted_max=3,
        twins_per_row=2,
        twins_rewriter="rules",
    )
    assert json.loads(said) == found.to_dict()
    assert found.compare.source == "test.json"
    for name in ("x.json", "y.jsonl", "w.jsonl", "t.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_attack_and_evaluate(command, tiny, tmp_path, run):
    other = tmp_path / "other"
    command("attack", tiny.model, tiny.data / "test.json", "--out", other, *ATTACK)
    assert (other / "config.yaml").read_bytes() == run.config_file.read_bytes()
    for table in ("samples", "queries", "responses", "model_files"):
        assert rows(other, table) == rows(run.path, table)
    judge = f"exact:{tiny.data / 'truth.json'}"
    said = json.loads(command("evaluate", other, "--judge", judge, "--judge", "phrases", "--json"))
    assert said == um.evaluate(run, [judge, "phrases"]).to_dict() == read(run.results_file)


def test_wordings_of_attack(command, tiny, tmp_path):
    data = tiny.data / "test.json"
    command("attack", tiny.model, data, "--out", tmp_path / "a", *ATTACK, "--kind", "jailbreak", "--wordings",
            "passive")  # fmt: skip
    other = um.attack(
        tiny.model,
        data,
        words=WORDS,
        kinds=["jailbreak"],
        limit=6,
        max_new_tokens=3,
        wordings="passive",
        out=tmp_path / "b",
    )
    assert rows(tmp_path / "a", "queries") == rows(other.path, "queries")
    assert (tmp_path / "a" / "config.yaml").read_bytes() == other.config_file.read_bytes()
    assert other.config()["wordings"] == {"families": "passive", "order": "data"}
    # A run of an earlier version has no such setting; "insert" continues it.
    plain = {"words": WORDS, "kinds": ["jailbreak"], "limit": 6, "max_new_tokens": 3}
    assert "wordings" not in um.attack(tiny.model, data, wordings="insert", out=tmp_path / "c", **plain).config()


def test_a_further_model_is_asked_the_queries_of_the_runs_audit(tiny, tmp_path):
    um.audit(tiny.data / "safety.json").save(tmp_path / "audit.json")
    plain = {"words": WORDS, "kinds": ["jailbreak"], "limit": 6, "max_new_tokens": 1, "out": tmp_path / "run"}
    run = um.attack(tiny.model, tiny.data / "test.json", audit=tmp_path / "audit.json", **plain)
    asked, settings = rows(run.path, "queries"), run.config()["wordings"]
    assert settings["order"] == "audit"
    um.attack(tiny.model, tiny.data / "test.json", **plain)
    assert (rows(run.path, "queries"), run.config()["wordings"]) == (asked, settings)


def test_evaluate_measures_relevance(command, tiny, run, text_encoder):
    judge = f"exact:{tiny.data / 'truth.json'}"
    said = json.loads(command("evaluate", run.path, "--judge", judge, "--encoder", text_encoder, "--json"))
    assert said == um.evaluate(run, judge, encoder=text_encoder).to_dict() == read(run.results_file)
    [model] = said["models"].values()
    assert model["relevance"]["n"] == model["rr"]["before"]["n"] > 0
    assert model["relevance"]["encoder"] == "letters"


def test_prebuilt_queries_and_a_search_result_of_attack(command, tiny, tmp_path):
    words, queries = tmp_path / "words.json", tmp_path / "jailbreak.json"
    found = um.search(tiny.model, tiny.data / "test.json", out=words, words=["what", "tell"], method="black-box")
    data, common = tiny.data / "test.json", ("--kind", "jailbreak", "--search-result", words, "--max-new-tokens", "1")
    command("attack", tiny.model, data, *common, "--write", f"jailbreak={queries}", "--out", tmp_path / "a")
    other = um.attack(
        tiny.model,
        data,
        kinds=["jailbreak"],
        search_result=words,
        max_new_tokens=1,
        write={"jailbreak": tmp_path / "b.json"},
        out=tmp_path / "b",
    )
    assert queries.read_bytes() == (tmp_path / "b.json").read_bytes()
    assert rows(tmp_path / "a", "queries") == rows(other.path, "queries")
    assert read(other.path / "search.json") == read(words)
    assert found.words[0].word == read(words)["words"][0]["word"]
    fixed = ("--kind", "control", "--queries", f"jailbreak={queries}", "--word", "jailbreak=what")
    command("attack", tiny.model, data, *fixed, "--word", "over-prudence=share", "--max-new-tokens", "1", "--out",
            tmp_path / "c")  # fmt: skip
    again = um.attack(
        tiny.model,
        data,
        kinds=["control"],
        words=WORDS,
        queries={"jailbreak": queries},
        max_new_tokens=1,
        out=tmp_path / "d",
    )
    asked = rows(again.path, "queries")
    assert rows(tmp_path / "c", "queries") == asked
    assert sum(row[2] == "jailbreak" for row in asked) == sum(
        row[2] == "jailbreak" for row in rows(other.path, "queries")
    )


def test_search(command, tiny, tmp_path):
    (tmp_path / "list.txt").write_text("what\ntell\nzebra\n")
    data, common = tiny.data / "test.json", {"method": "black-box", "top": 2, "seed": 1}
    options = [part for name, value in common.items() for part in (f"--{name}", value)]
    said = command(
        "search", tiny.model, data, "--words", tmp_path / "list.txt", "--out", tmp_path / "a.json", *options,
        "--start", "No", "--limit", 8, "--json",
    )  # fmt: skip
    um.search(tiny.model, data, words=tmp_path / "list.txt", out=tmp_path / "b.json", starts=["No"], limit=8, **common)
    assert json.loads(said) == read(tmp_path / "a.json") == read(tmp_path / "b.json")


def test_explain(command, tiny, tmp_path, run):
    data = tiny.data / "test.json"
    command(
        "explain", tiny.model, data, "--out", tmp_path / "a.json", "--limit", 3, "--benign", "--mode", "mask",
        "--format", "vlguard",
    )  # fmt: skip
    found = um.explain(
        tiny.model, data, out=tmp_path / "b.json", run=run, limit=3, benign=True, mode="mask", format="vlguard"
    )
    assert read(tmp_path / "a.json") == read(tmp_path / "b.json") == read(run.path / "explain.json")
    assert len(found.queries) == 3


def test_calibrate(command, tmp_path):
    labeled = tmp_path / "labeled.jsonl"
    pairs = [("I cannot share that.", "refused"), ("It is made of amber.", "complied"), ("Nope!", "refused")]
    labeled.write_text(
        "".join(json.dumps({"query": "?", "response": text, "verdict": label}) + "\n" for text, label in pairs)
    )
    said = command("calibrate", "phrases", labeled, "--out", tmp_path / "a.json", "--json")
    found = um.calibrate("phrases", labeled, out=tmp_path / "b.json")
    assert json.loads(said) == found.to_dict() == read(tmp_path / "a.json") == read(tmp_path / "b.json")


def test_report_of_a_run_of_several_and_of_an_audit(command, tiny, tmp_path, run):
    um.evaluate(run)
    shutil.copytree(run.path, tmp_path / "second")
    found = um.audit(tiny.data / "safety.json")
    found.save(tmp_path / "audit.json")
    for name, (targets, given) in {
        "run": ([run.path], run),
        "several": ([run.path, tmp_path / "second"], [run, tmp_path / "second"]),
        "audit": ([tmp_path / "audit.json"], tmp_path / "audit.json"),
    }.items():
        page = tmp_path / f"{name}.html"
        assert command("report", *targets, "--out", page, "--redact") == f"{page}\n"
        assert um.report(given, out=tmp_path / "api.html", redact=True).read_bytes() == page.read_bytes(), name
    assert (
        um.report(found, out=tmp_path / "object.html").read_bytes() == um.report(tmp_path / "audit.json").read_bytes()
    )
    with pytest.raises(um.UserError, match="out: missing; name the file of the page"):
        um.report(found)


def test_export(command, tmp_path, run):
    pytest.importorskip("inspect_ai")
    um.evaluate(run)
    said = command("export", run.path, "--out", tmp_path / "a", "--format", "json")
    made = um.export(run, out=tmp_path / "b", format="json")
    assert [path.name for path in made.paths] == [line.rpartition("/")[2] for line in said.split()]


def test_prepare(command, tiny, tmp_path):
    files = ("forget.jsonl", "retain.jsonl")
    options = ("--judge", "phrases", "--limit", 6, "--max-new-tokens", 32, "--general", tiny.data / "general.json")
    said = json.loads(
        command(
            "prepare", tiny.data / "safety.json", "--answers-from", tiny.model, *options, "--out", tmp_path / "a",
            "--json",
        )
    )  # fmt: skip
    made = um.prepare(
        tiny.data / "safety.json", tiny.model, "phrases", limit=6, max_new_tokens=32,
        general=tiny.data / "general.json", out=tmp_path / "b",
    )  # fmt: skip
    assert said == read(tmp_path / "a" / "prepare.json") == read(made.path / "prepare.json")
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (made.path / name).read_bytes()


def test_align_and_stress(command, tiny, tmp_path, run):
    samples = tiny.samples("safety")
    write_samples(forget(samples, {one.id: "You need amber." for one in samples})[:6], tmp_path / "forget.jsonl")
    write_samples([one for one in samples if not one.refused][:6], tmp_path / "retain.jsonl")
    sets = ("--forget", tmp_path / "forget.jsonl", "--retain", tmp_path / "retain.jsonl", "--images", tiny.data)
    command(
        "align", tiny.model, *sets, "--method", "npo", "--steps", 2, "--batch-size", 2, "--out", tmp_path / "a" / "npo"
    )
    files = {name: tmp_path / f"{name}.jsonl" for name in ("forget", "retain")}
    npo = um.align(tiny.model, um.NPO(), steps=2, batch_size=2, images=tiny.data, out=tmp_path / "b" / "npo", **files)
    names = sorted(path.name for path in (tmp_path / "a" / "npo").iterdir())
    assert {"model.safetensors", "unmirage_align.json"} <= set(names)
    for name in names:
        assert (tmp_path / "a" / "npo" / name).read_bytes() == (tmp_path / "b" / "npo" / name).read_bytes(), name
    other = tmp_path / "other"
    shutil.copytree(run.path, other)
    command("stress", tmp_path / "b" / "npo", other, "--int8", "--temperature", "0.7")
    um.stress(npo, run, int8=True, temperatures=[0.7])
    assert rows(other, "responses") == rows(run.path, "responses")
    assert len(um.Run(other).models) == 4


def test_dtype_and_device(command, unmirage, tiny, tmp_path):
    data, half = tiny.data / "test.json", {"dtype": "bfloat16", "device": "cpu"}
    options = [part for name, value in half.items() for part in (f"--{name}", value)]
    command("attack", tiny.model, data, "--out", tmp_path / "a", *ATTACK, *options)
    found = um.attack(tiny.model, data, words=WORDS, limit=6, max_new_tokens=3, out=tmp_path / "b", **half)
    assert rows(tmp_path / "a", "model_files") == rows(found.path, "model_files")
    assert any("bfloat16" in str(row) for row in rows(found.path, "model_files"))
    assert rows(tmp_path / "a", "responses") == rows(found.path, "responses")
    assert (tmp_path / "a" / "config.yaml").read_bytes() == found.config_file.read_bytes()
    code, _, err = unmirage("attack", tiny.model, data, "--out", tmp_path / "a", *ATTACK)
    assert (code, "(dtype: was bfloat16, now absent)" in err) == (2, True), err
    with pytest.raises(um.UserError, match="dtype: was bfloat16"):
        um.stress(tiny.model, found, int8=True)
    vlm = um.load_model(tiny.model, **half)
    assert {one.dtype for one in vlm.model.parameters()} == {torch.bfloat16}
    for function, given in ((um.attack, {"words": WORDS, "out": tmp_path / "c"}), (um.search, {}), (um.explain, {})):
        with pytest.raises(um.UserError, match="dtype: the model is already loaded; pass it to load_model"):
            function(vlm, data, dtype="float32", **given)
    with pytest.raises(um.UserError, match="device cpu: 'endpoint:http://h/v1#m' is on a server"):
        um.load_model("endpoint:http://h/v1#m", device="cpu")


def test_dtype_and_device_of_align(command, unmirage, tiny, tmp_path):
    small = {"steps": 3, "batch_size": 2, "learning_rate": 1e-3}
    options = [part for name, value in small.items() for part in (f"--{name.replace('_', '-')}", value)]
    data = tiny.data / "safety.json"
    train = ("align", tiny.model, "--train", data)
    command(*train, *options, "--dtype", "bfloat16", "--device", "cpu", "--out", tmp_path / "a" / "m")
    um.align(tiny.model, retain=data, dtype="bfloat16", device="cpu", out=tmp_path / "b" / "m", **small)
    command(*train, *options, "--set", "precision=bfloat16", "--out", tmp_path / "c" / "m")
    command(*train, *options, "--out", tmp_path / "d" / "m")
    weights = [(tmp_path / one / "m" / "model.safetensors").read_bytes() for one in "abcd"]
    assert weights[0] == weights[1] == weights[2] != weights[3]
    assert read(tmp_path / "a" / "m" / "unmirage_align.json")["settings"]["precision"] == "bfloat16"
    for wrong, message in (
        (("--dtype", "float32", "--set", "precision=bfloat16"), "the setting precision is bfloat16; give one of the"),
        (("--dtype", "half"), "unknown dtype 'half'"),
        (("--device", "gpu"), "device 'gpu': is unknown"),
    ):
        code, _, err = unmirage(*train, *wrong, "--out", tmp_path / "e")
        assert (code, message in err) == (2, True), err
        assert not (tmp_path / "e").exists()
