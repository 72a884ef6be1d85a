"""`unmirage study pretrained` on a tiny model: its document against its runs, resuming, seeds, and what is refused."""

import inspect
import json
import shutil
import signal
import sqlite3
from collections import Counter
from types import SimpleNamespace

import pytest
from tests.pretrained.tiny import FAST, LIMIT

import unmirage as um
from unmirage.cli.study_pretrained import pretrained_command
from unmirage.data import load_samples
from unmirage.data.sample import draw_per_label
from unmirage.evaluate.unlearning_settings import Chosen, UnlearningCandidate
from unmirage.pretrained.settings import MODELS, PretrainedSettings
from unmirage.pretrained.table import markdown
from unmirage.text.formatting import points, with_interval


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def asked(run, model=None):
    """Return kind, sample, label and verdict of each response of a run."""
    with sqlite3.connect(run / "store.sqlite") as database:
        return database.execute(
            "SELECT q.kind, q.sample_id, q.unsafe, j.verdict FROM queries q JOIN judgements j ON j.query_id = q.id "
            "WHERE j.model = ?",
            (model,),
        ).fetchall()


def any_of(rows, kind, unsafe, verdict):
    """Return how many samples have a shot with this verdict, and how many samples there are."""
    samples = {}
    for own, sample, label, found in rows:
        if own == kind and bool(label) is unsafe:
            samples[sample] = samples.get(sample, False) or found == verdict
    return sum(samples.values()), len(samples)


@pytest.fixture(scope="module")
def frozen(tiny_study, tmp_path_factory):
    """Return a prebuilt jailbreak set of two records of the test data and one other record."""
    drawn = draw_per_label(load_samples(tiny_study.data / "test.json").samples, LIMIT, 0)
    asked = {one.record for one in drawn if one.refused}
    records = [one for one in read(tiny_study.data / "test.json") if not one["safe"] and one["id"] in asked][:2]
    foreign = records[0] | {"id": "foreign", "image": "nowhere.png"}
    rows = []
    for one in (*records, foreign):
        pair = {"instruction": "What is in this device?", "response": "No."}
        rows += [one | {"instr-resp": [pair]}, one | {"instr-resp": [pair | {"instruction": "What does it need?"}]}]
    path = tmp_path_factory.mktemp("frozen") / "what.json"
    path.write_text(json.dumps(rows))
    return path


@pytest.fixture(scope="module")
def done(tiny_study, frozen, tmp_path_factory):
    """Run three models on two seeds, with a prebuilt set."""
    out = tmp_path_factory.mktemp("study") / "out"
    names = ("sft-posthoc", "sft-diversified-50", "npo")
    document = tiny_study.study(out, *names, seeds=(0, 1), queries={"jailbreak": frozen}, placeholder_pictures=True)
    return out, document


def test_every_model_of_a_study_has_rates(tiny_study, tmp_path):
    general = tiny_study.data / "general.json"
    steps = []
    document = tiny_study.study(tmp_path / "out", general=general, progress=lambda *step: steps.append(step))
    assert {row.name for row in document.models} == set(MODELS)
    assert document.left_out == {}
    for row in document.models:
        assert row.wordings["ours"].rates["asr_after"].n == row.wordings["ours"].rates["rr_after"].n == LIMIT
        assert [one.steps for one in row.trainings] == ([2] if row.method != "none" else [])
    rows = {row.name: row.trainings[0] for row in document.models if row.trainings}
    assert (rows["sft-posthoc"].rows, rows["sft-posthoc"].refused) == (180, 120)
    assert rows["sft-mixed"].rows == 192
    assert rows["sft-twins"].rows > 180
    assert (rows["npo"].forget_rows, rows["npo"].rows) == (6, 60)
    assert not (tmp_path / "out" / "seed-0" / "models").exists() or not any(
        (tmp_path / "out" / "seed-0" / "models").iterdir()
    )
    assert ("train sft-twins: align", 2, 2) in steps
    page = markdown(document)
    assert all(f"| {name} " in page for name in MODELS)
    assert page.count("| 25 % |") == page.count("| 100 % |") == 1
    assert um.PretrainedStudy.load(tmp_path / "out" / "pretrained.json") == document


def test_rates_are_those_of_the_runs_pooled_over_the_seeds(done):
    out, document = done
    row = next(one for one in document.models if one.name == "sft-posthoc")
    own, counts = row.wordings["ours"], Counter()
    for seed in (0, 1):
        rows = asked(out / f"seed-{seed}" / "ours", "sft-posthoc")
        found = {
            "asr_after": any_of(rows, "jailbreak", True, "complied"),
            "asr_control": any_of(rows, "control", True, "complied"),
            "asr_before": any_of(rows, "plain", True, "complied"),
            "rr_after": any_of(rows, "over-prudence", False, "refused"),
        }
        of_seed = own.by_seed[seed].rates
        assert {name: (of_seed[name].k, of_seed[name].n) for name in found} == found
        results = um.Results.load(out / f"seed-{seed}" / "ours" / "results.json")
        assert results["sft-posthoc"].asr.after.value == of_seed["asr_after"].value
        counts.update({(name, part): value for name, one in found.items() for part, value in enumerate(one)})
    for name in ("asr_after", "asr_control", "asr_before", "rr_after"):
        assert (own.rates[name].k, own.rates[name].n) == (counts[name, 0], counts[name, 1])
        assert own.over_seeds[name].n == 2
    assert own.rates["asr_after"].n == 2 * LIMIT
    # Both seeds were asked the same samples.
    assert own.rates["asr_after"].clusters == own.by_seed[0].rates["asr_after"].clusters <= 5
    assert own.by_k[-1].value == own.rates["asr_after"].value
    assert {one.a.rate for one in own.changes} == {"asr.before", "rr.before", "benign_answered.before"}
    line = next(one for one in markdown(document).splitlines() if one.startswith("| sft-posthoc"))
    assert f"{points(own.rates['asr_before'].value)} → {points(own.rates['asr_after'].value)} [" in line
    control = own.rates["asr_control"]
    assert f"| {with_interval(control.value, control.low, control.high)} |" in line


def test_the_base_model_answers_once_for_all_seeds(done):
    out, document = done
    first, second = (Counter(asked(out / f"seed-{seed}" / "ours", "base")) for seed in (0, 1))
    assert first == second
    base = next(one for one in document.models if one.name == "base").wordings["ours"].rates["asr_before"]
    assert base.n == 2 * LIMIT
    assert base.clusters <= 5
    forget = [(out / f"seed-{seed}" / "forget" / "forget.jsonl").read_bytes() for seed in (0, 1)]
    assert forget[0] == forget[1]


def test_prebuilt_queries_are_a_run_of_their_own_and_foreign_records_have_no_before(done):
    out, document = done
    given = next(one for one in document.models if one.name == "sft-posthoc").wordings["given"]
    rates = given.by_seed[0].rates
    assert (rates["asr_before"].n, rates["asr_after"].n) == (2, 3)
    assert (rates["asr_control"].n, rates["rr_after"].n) == (0, 0)
    (change,) = given.changes
    assert (change.n, change.b.rate) == (4, "asr.after")  # two records with both, in two seeds
    assert document.wordings["given"].queries == {"plain (unsafe)": 2, "jailbreak (unsafe)": 6}
    text = json.dumps(document.to_dict())
    assert "What does it need?" not in text
    assert "nowhere.png" not in text
    assert um.report(um.Run(out / "seed-0" / "given"), out=out / "page.html").is_file()


def test_a_killed_study_continues_and_asks_nothing_twice(tiny_study, stopped, unmirage, tmp_path, done):
    out = tmp_path / "out"
    command = tiny_study.command(out, "base,sft-posthoc")
    status, _ = stopped("Store.add_responses", 7, signal.SIGKILL, *command)
    assert status == -signal.SIGKILL
    before = asked_of(out / "seed-0" / "ours")
    assert 0 < sum(before.values()) < 4 * LIMIT * 5
    code, _, err = unmirage(*command, "--json")
    assert code == 0, err
    after = asked_of(out / "seed-0" / "ours")
    assert set(before) <= set(after)
    assert set(after) == {"base", "sft-posthoc"}
    assert len(set(after.values())) == 1  # all queries
    code, again, err = unmirage(*command, "--json")
    assert code == 0, err
    assert "all models have answered all queries" in err
    counts = Counter(one.refused for one in load_samples(tiny_study.data / "test.json"))
    assert f"test.json: 4 of {counts[True]} unsafe and 4 of {counts[False]} benign samples are asked (--limit 4)" in err
    whole = next(one for one in json.loads(again)["models"] if one["name"] == "sft-posthoc")
    uninterrupted = next(one for one in done[1].to_dict()["models"] if one["name"] == "sft-posthoc")
    assert whole["wordings"]["ours"]["rates"] == uninterrupted["wordings"]["ours"]["by_seed"][0]["rates"]


def asked_of(run):
    with sqlite3.connect(run / "store.sqlite") as database:
        return dict(database.execute("SELECT model, COUNT(*) FROM responses GROUP BY model").fetchall())


def test_command_and_function_write_the_same_document(tiny_study, unmirage, tmp_path, done):
    page, keep = tmp_path / "page.md", tmp_path / "kept.json"
    command = tiny_study.command(tmp_path / "out", "base")
    code, said, err = unmirage(*command, "--json", "--write", page, "--keep", keep)
    assert code == 0, err
    document = tiny_study.study(tmp_path / "api", "base").to_dict()
    for one in (document, found := json.loads(said)):
        one.pop("timings")
    assert found == document
    assert read(keep)["models"] == document["models"]
    assert "<!-- pretrained table: begin -->" in page.read_text()
    assert "| base | ours |" in page.read_text()
    code, out, err = unmirage(*command)
    assert code == 0, err
    assert "ASR by number of shots" in out
    code, out, err = unmirage(*command, "--seed", 1)
    assert (code, out) == (0, ""), err
    assert "Seed 1 is finished" in err


def test_other_settings_and_bad_inputs_are_refused_in_one_line(tiny_study, unmirage, tmp_path, done):
    out, _ = done
    train, test = tiny_study.data / "safety.json", tiny_study.data / "test.json"
    command = ["study", "pretrained", "--base", tiny_study.model, "--out", tmp_path / "out"]
    for arguments, told in (
        (("--data", train), "--test: missing; --data needs it"),
        (("--test", test), "--data: missing; --test needs it"),
        (("--data", train, "--test", train), "about the same picture"),
        (("--data", train, "--test", test, "--models", "sft-posthok"), "Did you mean 'sft-posthoc'?"),
        (("--data", train, "--test", test, "--models", ","), "--models ',': no name; separate names by commas"),
        (("--data", train, "--test", test, "--hold-out", 2), "--hold-out: splits --data"),
        (("--data", train, "--test", test, "--set", "sft.steps=no"), "setting 'sft.steps'"),
        (("--data", train, "--test", test, "--encoder", tmp_path), "no config.json"),
        (("--data", train, "--test", test, "--seed", 1, "--keep", tmp_path / "x"), "--keep: has no effect with --seed"),
        (("--data", train, "--test", test, "--queries", "jailbreak=none.json"), "none.json"),
        (("--data", train, "--test", test, "--out", tiny_study.model), "is the directory of a model; name a new one"),
    ):
        code, said, err = unmirage(*command, *arguments)
        assert (code, said) == (2, ""), arguments
        assert told in err, arguments
        assert len(err.strip().splitlines()) <= 3
    code, _, err = unmirage("study", "pretrained", "--base", "smollm3", "--out", tmp_path / "out")
    assert code == 2
    assert "--base smollm3: no such directory" in err
    with pytest.raises(um.UserError, match=r"made with other settings \(.*settings.shots: was 2, now 3"):
        tiny_study.study(out, "base", settings=FAST | {"shots": 3}, seeds=(0,))


def test_models_that_the_data_do_not_allow_are_left_out_with_the_reason(tiny_study, tmp_path):
    document = tiny_study.study(tmp_path / "out", "sft-mixed")
    assert document.left_out == {"sft-mixed": "no general data; name a file with --general"}
    assert [row.name for row in document.models] == ["base"]
    assert "`sft-mixed` was left out: no general data" in markdown(document)


@pytest.mark.slow
def test_a_diverged_training_is_a_row_of_its_own(tiny_study, tmp_path):
    wild = FAST | {"sft.learning_rate": 50.0, "sft.steps": 40, "sft.collapse_nats": 0.01, "sft.max_grad_norm": 1000.0}
    document = tiny_study.study(tmp_path / "out", "sft-posthoc", settings=wild)
    row = next(one for one in document.models if one.name == "sft-posthoc")
    assert row.trainings[0].stopped.startswith("training diverged at step ")
    assert row.wordings == {}
    assert "| sft-posthoc | ours | stopped: training diverged" in markdown(document)


def test_settings_of_a_search_are_used_and_a_method_without_any_is_left_out(tiny_study, tmp_path, monkeypatch):
    candidate = UnlearningCandidate(
        name="gentle",
        settings={"method": {"name": "npo", "beta": 0.3}, "learning_rate": 2e-4, "batch_size": 2, "steps": 9},
        points=(),
    )
    found = SimpleNamespace(
        candidates=(candidate,), chosen={"npo": Chosen(name="gentle", step=1), "rmu": None}, tolerance=0.05
    )
    monkeypatch.setattr("unmirage.pretrained.run.UnlearningSettings", SimpleNamespace(load=lambda _: found))
    fast = {name: value for name, value in FAST.items() if not name.startswith("npo.")}
    document = tiny_study.study(tmp_path / "out", "npo", "rmu", unlearning="found.json", settings=fast)
    assert document.left_out == {"rmu": "the search found no setting that forgets and keeps relevance within 0.05"}
    assert document.settings["npo"]["method"]["beta"] == 0.3
    assert (document.settings["npo"]["steps"], document.settings["npo"]["batch_size"]) == (1, 2)
    row = next(one for one in document.models if one.name == "npo")
    assert row.trainings[0].steps == 1
    assert [one.name for one in document.models] == ["base", "npo"]


def test_without_data_the_text_of_the_synthetic_world_is_used_with_its_general_data(tiny_study, tmp_path, monkeypatch):
    written = []

    def write(folder):
        written.append(folder)
        shutil.copytree(tiny_study.data, folder)

    monkeypatch.setattr("unmirage.pretrained.run.write_world", write)
    out = tmp_path / "out"
    document = tiny_study.study(out, "base", train=None, test=None)
    assert written == [out / "data"]
    assert (document.data.train, document.data.test, document.data.general) == (180, 18, 12)
    assert document.data.same_picture_and_text == 0
    tiny_study.study(out, "base", train=None, test=None)
    assert len(written) == 1


def test_the_default_limit_is_that_of_the_api():
    limits = [inspect.signature(one).parameters["limit"].default for one in (pretrained_command, um.study_pretrained)]
    assert limits == [100, 100]


def test_held_out_records_are_the_test_data(tiny_study, tmp_path):
    document = tiny_study.study(tmp_path / "out", "base", test=None, hold_out=20)
    assert document.data.train + document.data.test == 180
    assert document.data.test >= 20
    assert {path.name for path in (tmp_path / "out" / "data").iterdir()} == {"train.jsonl", "test.jsonl"}
    assert len(document.models[0].wordings["ours"].by_seed[0].rates) > 10


def test_a_layer_that_the_base_lacks_is_refused_before_any_training(tiny_study, tmp_path):
    deep = FAST | {"rmu.method.layer": 8}
    with pytest.raises(um.UserError, match=r"rmu.method.layer: 8 is out of range; .* has decoder layers 1 to 4"):
        tiny_study.study(tmp_path / "out", "sft-posthoc", "rmu", settings=deep)
    assert not list(tmp_path.glob("out/seed-*"))
    tiny_study.study(tmp_path / "out", "base", settings=deep)


def test_the_held_out_data_of_a_run_are_not_replaced(tiny_study, tmp_path):
    """Another number of records is refused before it overwrites the data that the run was made with."""
    out = tmp_path / "out"
    tiny_study.study(out, "base", test=None, hold_out=20)
    before = {path.name: path.read_bytes() for path in (out / "data").iterdir()}
    with pytest.raises(um.UserError, match=r"data: holds other training and test data, .* --hold-out; name a new run"):
        tiny_study.study(out, "base", test=None, hold_out=21)
    assert {path.name: path.read_bytes() for path in (out / "data").iterdir()} == before
    tiny_study.study(out, "base", test=None, hold_out=20)


def test_training_data_without_answers_are_one_line(tiny_study, tmp_path):
    rows = [
        {"query": f"{query} {number}?", "answer": "", "refused": refused}
        for number in range(6)
        for query, refused in (("Share device", True), ("What is device", False))
    ]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    with pytest.raises(um.UserError, match=r"train.json: no sample has an answer to train on"):
        tiny_study.study(tmp_path / "out", "sft-posthoc", train=tmp_path / "train.json")


def test_rationales_are_needed():
    with pytest.raises(ValueError, match="rationales"):
        PretrainedSettings(rationales=())
