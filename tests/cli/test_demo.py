"""The demo command on a small study: JSON alone on stdout, a report, nothing done twice, and what its options do."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
import yaml

from unmirage.testbed.settings import ARMS, DEMO_ARMS
from unmirage.testbed.studies import arms_of

FAST = {"batch_size": 8, "steps": 4}


def small(study, arms, signal):
    """Return the settings of a small study in the place of those of the demo."""
    models = {name: study.models.get(name, ARMS[name].model_copy(update=FAST)) for name in arms}
    world = study.world.model_copy(update={"signal": signal})
    base, vision = study.base.model_copy(update=FAST), study.vision.model_copy(update={"steps": 1})
    return study.model_copy(update={"models": models, "world": world, "base": base, "vision": vision})


@pytest.fixture
def demo(unmirage, small_study, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "unmirage.testbed.settings.study_settings",
        lambda arms=DEMO_ARMS, signal=0.0: small(small_study, arms, signal),
    )
    return lambda *args: unmirage("demo", "--out", tmp_path / "out", *args)


def overlap(unmirage, model, data):
    """Return which ways of overlap `unmirage attack` counts for the samples of a file, and what it says."""
    words = ("--kind", "jailbreak", "--word", "jailbreak=what", "--word", "over-prudence=share")
    code, out, err = unmirage("attack", model, data, *words, "--dry-run")
    assert code == 0, err
    parts = json.loads(out)["overlap"]["parts"]
    ways = {way for part in ("unsafe", "benign") for way, count in parts[part].items() if count["shared"]}
    return ways, err


def _works_like_any_run(unmirage, run, world, attack):
    """Check `stress`, `evaluate`, `report` and `export` with the run of a finished demo."""
    model = world / "models" / "npo-mixed"
    code, _, err = unmirage("stress", model, run, "--int8")
    assert code == 0, err
    assert "npo-mixed + int8: ask: " in err
    code, out, err = unmirage("evaluate", run, "--json")
    assert code == 0, err
    results = json.loads(out)
    assert (results["judge"], results["seeds"]) == ("phrases", [0])
    assert list(results["models"]) == ["base", "sft-posthoc", "npo-mixed", "rmu", "npo-mixed + int8"]
    assert results["attack"] == attack
    assert json.loads((run / "results.json").read_text()) == results
    for command in ("report", "export"):
        code, out, err = unmirage(command, run)
        assert code == 0, err
    assert len(list((run / "inspect").glob("*.eval"))) == 5
    shutil.rmtree(run / "inspect")


def test_demo_from_nothing_to_report_and_again_with_another_seed(demo, unmirage, tmp_path):
    arms = ("--arms", "sft-posthoc,npo-mixed,rmu", "--workers", "1")
    code, out, err = demo("--json", *arms)
    assert code == 0, err
    document = json.loads(out)
    assert document == json.loads((tmp_path / "out" / "results.json").read_text())
    assert list(document["models"]) == ["base", "sft-posthoc", "npo-mixed", "rmu"]
    assert document["models"]["base"]["asr"]["before"]["n"] == 20
    assert "sft-posthoc: align: 4 steps in" in err
    assert str(tmp_path / "out" / "report.html") in err
    page = (tmp_path / "out" / "report.html").read_text()
    assert "default-src 'none'" in page

    folder = tmp_path / "out" / "seed-0"
    for name in ("sft-posthoc", "npo-mixed"):
        ways, err = overlap(unmirage, folder / "models" / name, folder / "data" / "test.json")
        assert ways == {"query"}
        assert "measure memorization" not in err
        ways, err = overlap(unmirage, folder / "models" / name, folder / "data" / "safety.json")
        assert ways >= {"picture", "query", "picture_and_query", "group"}
        assert f"unsafe samples also occur in the training data of {name} (" in err

    _works_like_any_run(unmirage, tmp_path / "out", folder, document["attack"])
    code, _, err = demo("--json", *arms)
    assert code == 0, err
    again = json.loads((tmp_path / "out" / "results.json").read_text())
    assert again["models"] == document["models"]  # the exact judge's rates are back, without variants

    code, out, err = demo("--seeds", "2", *arms)
    assert code == 0, err
    assert "world 0: " not in err  # finished before
    assert "world 1: sft-posthoc: align: 4 steps in" in err
    assert "seeds: 0, 1" in out
    pooled = json.loads((tmp_path / "out" / "results.json").read_text())
    assert pooled["seeds"] == [0, 1]
    code, _, err = unmirage("evaluate", tmp_path / "out")
    assert code == 2
    assert f"has 2 worlds, each with responses of its own; name one: {folder}, " in err
    assert pooled["models"]["base"]["asr"]["before"]["n"] == 40
    for name, rates in pooled["by_seed"][0]["models"].items():
        assert rates.items() <= document["models"][name].items()
    assert pooled["models"]["base"]["over_seeds"]["asr.before"]["n"] == 2


def _cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def _reword(path):
    path.write_text(path.read_text().replace("device", "gadget"))


@pytest.fixture
def one_arm(demo, tmp_path):
    """Return a finished demo of one arm as a function that runs it again, and the folder of its world."""
    arms = ("--arms", "sft-posthoc", "--workers", "1")
    code, _, err = demo(*arms)
    assert code == 0, err
    assert "no record" not in err
    return lambda *more: demo(*arms, *more), tmp_path / "out" / "seed-0"


def test_files_that_were_changed_after_the_study_made_them_are_named(one_arm):
    again, folder = one_arm
    faults = {
        "data/test.json": (_reword, "was changed after the study made it. Delete"),
        "sets/forget.jsonl": (_cut, "was changed after the study made it. Delete"),
        "data/truth.json": (Path.unlink, "is missing. Delete"),
        "models/base/model.safetensors": (_cut, "file differs from the model that has answered in this run"),
        "models/sft-posthoc/model.safetensors": (_cut, "file differs from the model that has answered in this run"),
        "audit.json": (_cut, "Delete the file to rebuild it"),
        "timings.json": (_cut, "Delete the file to rebuild it"),
        "store.sqlite": (lambda path: path.write_text("prose " * 2000), "the file is corrupt"),
    }
    for name, (change, said) in faults.items():
        before = (folder / name).read_bytes()
        change(folder / name)
        code, out, err = again()
        assert (code, out) == (2, ""), name
        assert str(folder / name) in err.replace("\n", "")
        assert said in err, name
        (folder / name).write_bytes(before)
    code, _, err = again()
    assert code == 0, err
    # Deleting what the message names is enough: the same files are made again.
    shutil.rmtree(folder / "data")
    (folder / "timings.json").write_text("{")
    (folder / "timings.json").unlink()
    code, _, err = again()
    assert code == 0, err


def test_queries_without_a_response_end_the_demo_as_partial(one_arm):
    again, folder = one_arm
    with sqlite3.connect(folder / "store.sqlite") as database:
        database.execute("DELETE FROM responses WHERE model = 'base'")
    pictures = folder / "data" / "images" / "test"
    hidden = pictures.with_name("hidden")
    pictures.rename(hidden)
    (folder / "files.json").write_text("{}")
    code, out, err = again()
    assert code == 4
    assert err.count("no record of its files was found") == 2  # data and sets
    assert "partial: " in err
    assert "queries have no response (most often: image" in err
    assert "base" in out  # the table is printed all the same


def test_other_arms_and_another_base_model_are_refused_in_one_short_line(one_arm, demo):
    _, folder = one_arm
    code, _, err = demo("--arms", "npo-mixed,rmu")
    assert code == 2
    assert "made with --arms sft-posthoc, now npo-mixed,rmu; name a new directory with --out" in err
    code, _, err = demo("--arms", "sft-posthoc", "--train-base")
    assert code == 2
    assert "train_base: was absent, now True" in err
    assert folder.is_dir()


def test_options_choose_world_signal_arms_and_processes(demo, tmp_path, monkeypatch):
    from unmirage.testbed import study

    told = {}
    train_all, base_model = study.train_all, study.base_model

    def trained(trainings, run, progress, workers):
        told["workers"] = workers
        return train_all(trainings, run, progress, 1)

    def base(*args, shipped):
        told["shipped"] = shipped
        return base_model(*args, shipped=shipped)

    monkeypatch.setattr(study, "train_all", trained)
    monkeypatch.setattr(study, "base_model", base)
    code, out, err = demo(
        "--json", "--seed", "3", "--signal", "0.5", "--arms", "sft-balanced,sft-posthoc", "--workers", "5",
        "--train-base",
    )  # fmt: skip
    assert code == 0, err
    document = json.loads(out)
    assert document["seeds"] == [3]
    assert list(document["models"]) == ["base", "sft-posthoc", "sft-balanced"]
    assert document["settings"]["world"]["signal"] == 0.5
    assert told == {"workers": 5, "shipped": False}
    assert [path.name for path in (tmp_path / "out").glob("seed-*")] == ["seed-3"]
    config = yaml.safe_load((tmp_path / "out" / "seed-3" / "config.yaml").read_text())
    assert config["seeds"] == {"world": 3, "base": 3, "alignment": 3}
    assert config["world"]["signal"] == 0.5

    code, _, err = demo("--seed", "3", "--arms", "sft-balanced,sft-posthoc", "--train-base")
    assert code == 2
    assert "world.signal: was 0.5, now 0.0" in err


def test_arms_are_listed_in_the_order_of_the_table():
    assert arms_of([]) == list(DEMO_ARMS)
    assert arms_of(["all"]) == list(ARMS)
    assert arms_of(["rmu", "sft-posthoc", "npo-mixed"]) == ["sft-posthoc", "npo-mixed", "rmu"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--arms", "sft-posthoc,npo-mixd"), "unknown arm 'npo-mixd'; valid: npo, npo-mixed, rmu, rmu-mixed,"),
        (("--arms", "npo-mixd"), "Did you mean 'npo-mixed'?"),
        (("--arms", "npo-mixed", "--full"), "--full: needs the model 'sft-posthoc'; add it to --arms"),
        (("--signal", "1.5"), "--signal"),
        (("--workers", "0"), "--workers"),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_options_that_mean_nothing_are_refused_before_anything_is_written(demo, tmp_path, options, said):
    code, out, err = demo(*options)
    assert (code, out) == (2, "")
    assert said in err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(demo, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    code, out, err = demo()
    assert (code, out) == (2, "")
    assert "exists and is not a run directory" in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]
