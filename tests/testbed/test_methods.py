"""The comparison of methods on a small scale: every kind of row is run, measured, written down and not run twice."""

import json
import shutil

import pytest

from unmirage.align import AlignConfig, NpoConfig
from unmirage.align.config import LoraSettings
from unmirage.align.methods import DpoConfig, GaConfig, GradDiffConfig
from unmirage.errors import UserError
from unmirage.records import Kind, Query, Verdict
from unmirage.testbed.methods import open_methods
from unmirage.testbed.methods_settings import MethodsSettings, RowSettings
from unmirage.testbed.methods_summary import summarize_methods

FAST = {"learning_rate": 1e-3, "batch_size": 8, "steps": 3}
WILD = AlignConfig(method=GradDiffConfig(), learning_rate=0.3, batch_size=8, steps=60, collapse_nats=0.01)


def small_rows():
    return {
        "base": RowSettings(family="base", config=None),
        "sft-posthoc": RowSettings(family="sft", config=AlignConfig(**FAST), data="sft-posthoc"),
        "sft-rationale": RowSettings(family="sft", config=AlignConfig(**FAST), data="sft-rationale"),
        "ga-lora": RowSettings(
            family="unlearning", config=AlignConfig(method=GaConfig(), lora=LoraSettings(rank=2, alpha=4), **FAST)
        ),
        "dpo-pairs": RowSettings(
            family="unlearning", config=AlignConfig(method=DpoConfig(), **FAST), data="pairs", general=True
        ),
        "wild": RowSettings(family="unlearning", config=WILD),
        "npo-on-sft-posthoc": RowSettings(
            family="on top of SFT", config=AlignConfig(method=NpoConfig(), **FAST), start="sft-posthoc"
        ),
    }


@pytest.fixture(scope="module")
def settings(small_study):
    return MethodsSettings(study=small_study.model_copy(update={"models": {}}), rows=small_rows())


@pytest.fixture(scope="module")
def finished(tmp_path_factory, settings):
    with open_methods(tmp_path_factory.mktemp("methods") / "seed-0", settings, 0, lambda *_: None) as study:
        study.complete()
        yield study


def test_every_row_is_written_down_with_its_training_and_its_rates(finished):
    for name in ("sft-posthoc", "sft-rationale", "ga-lora", "dpo-pairs", "npo-on-sft-posthoc"):
        row = finished.row(name)
        assert (row["steps"], row["stopped"], row["seed"]) == (3, "", 0)
        assert row["rates"]["asr_before"]["n"] == 10
        assert row["rates"]["rr_after"]["n"] == 5
        assert {rate["invalid"] for rate in row["rates"].values()} == {0}
    assert set(finished.row("dpo-pairs")["losses"]) == {"forget", "cross_entropy"}
    assert set(finished.row("sft-posthoc")["losses"]) == {"cross_entropy"}
    assert finished.row("base")["rates"]["utility"]["n"] == 5
    assert "steps" not in finished.row("base")


def test_a_row_that_collapses_is_recorded_with_its_step(finished):
    row = finished.row("wild")
    assert 10 <= row["steps"] < 60
    assert f"diverged at step {row['steps']}" in row["stopped"]
    assert "rates" not in row


def test_all_rows_are_asked_the_same_half_of_the_samples(finished):
    # of 20 unsafe samples 10: plain, 2 jailbreak, 2 control; of 10 benign 5: plain, attack, control; 5 and 2 harmless
    questions = finished.questions()
    assert len(questions) == 10 * 5 + 5 * 3 + 5 + 2
    with finished.study.run.store() as store:
        for name in ("base", "sft-posthoc", "ga-lora"):
            assert {one.query_id for one in store.responses(name)} == {query.id for query in questions}


def test_only_models_that_others_start_from_are_kept(finished):
    assert {path.name for path in (finished.study.run.path / "models").iterdir()} == {"base", "sft-posthoc"}


def test_a_finished_study_does_nothing_when_run_again(finished):
    stages = []
    finished.study.progress = lambda stage, *_: stages.append(stage)
    finished.complete()
    assert stages == []


def test_a_row_killed_before_it_was_written_down_is_asked_only_what_is_missing(finished):
    run = finished.study.run
    before = finished.row("sft-posthoc")
    (run.path / "rows" / "sft-posthoc.json").unlink()
    stages = []
    finished.study.progress = lambda stage, *_: stages.append(stage)
    finished.complete()
    assert stages == []  # trained and answered before
    after = finished.row("sft-posthoc")
    assert {**before, "asked_seconds": 0} == {**after, "asked_seconds": 0}


def test_a_row_killed_in_training_is_trained_again(finished):
    run = finished.study.run
    for file in ("rows", "training"):
        (run.path / file / "ga-lora.json").unlink()
    before = finished.row("ga-lora")
    assert before is None
    stages = set()
    finished.study.progress = lambda stage, *_: stages.add(stage)
    finished.complete()
    assert stages == {"ga-lora: caching reference outputs", "ga-lora: align"}  # its answers are there
    assert finished.row("ga-lora")["steps"] == 3


def test_a_row_made_with_other_settings_is_refused(finished, settings):
    rows = settings.rows | {"sft-posthoc": settings.rows["sft-rationale"]}
    changed = settings.model_copy(update={"rows": rows})
    finished.settings = changed
    try:
        with pytest.raises(UserError, match="other settings of row 'sft-posthoc'"):
            finished.complete(["sft-posthoc"])
    finally:
        finished.settings = settings


def test_other_ways_to_decline_that_rows_are_taught_are_refusals(finished):
    judge = finished.judge()
    sample_id = next(iter(json.loads((finished.study.run.data / "truth.json").read_text())["facts"]))
    query = Query(id="q", sample_id=sample_id, kind=Kind.PLAIN, shot=0, text="?", image=None, unsafe=False)
    assert judge.verdict(query, "This recipe is kept private.")[0] is Verdict.REFUSED
    assert judge.verdict(query, "I don't know.")[0] is Verdict.REFUSED
    assert judge.verdict(query, "No.")[0] is Verdict.IRRELEVANT


def test_only_named_rows_are_run_with_those_they_start_from(tmp_path, finished, settings):
    with open_methods(tmp_path / "seed-0", settings, 0, lambda *_: None, keep_models=True) as study:
        study.complete(["npo-on-sft-posthoc"])
        assert [name for name in settings.rows if study.row(name)] == ["base", "sft-posthoc", "npo-on-sft-posthoc"]
        assert study.study.run.model("npo-on-sft-posthoc").is_dir()
        assert study.row("sft-posthoc")["rates"] == finished.row("sft-posthoc")["rates"]
        with pytest.raises(UserError, match="unknown row 'npo'"):
            study.complete(["npo"])


def test_a_row_whose_start_was_stopped_is_stopped(tmp_path, settings):
    rows = {
        "base": settings.rows["base"],
        "wild": settings.rows["wild"],
        "on-wild": settings.rows["npo-on-sft-posthoc"].model_copy(update={"start": "wild"}),
    }
    changed = settings.model_copy(update={"rows": rows})
    with open_methods(tmp_path / "seed-0", changed, 0, lambda *_: None) as study:
        study.complete()
        assert study.row("on-wild")["stopped"] == "its initial model 'wild' was stopped"
        document = summarize_methods([study])
    assert [row.name for row in document.rows if row.stopped] == ["wild", "on-wild"]


def test_the_document_pools_the_seeds_and_names_the_front(tmp_path, finished, settings):
    with open_methods(tmp_path / "seed-1", settings, 1, lambda *_: None) as other:
        other.complete(["base", "wild", "sft-posthoc"])
        document = summarize_methods([finished, other])
    json.dumps(document.to_dict(), allow_nan=False)
    assert document.to_dict()["schema"] == "unmirage.methods/1"
    assert document.seeds == (0, 1)
    rows = {row.name: row for row in document.rows}
    assert list(rows) == ["base", "sft-posthoc", "wild"]
    assert rows["base"].rates["asr_after"].n == 20
    assert rows["base"].seconds is None
    assert [one.seed for one in rows["wild"].stopped] == [0, 1]
    assert rows["wild"].rates is None
    assert rows["sft-posthoc"].config["steps"] == 3
    assert set(document.front) <= {"base", "sft-posthoc"}
    assert document.front


@pytest.mark.parametrize("folder", ["more-sets", "sets"])
def test_sets_are_made_again_where_they_are_missing(finished, folder):
    path = finished.study.run.path / folder
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    shutil.rmtree(path)
    finished.complete()
    assert before == {file.name: file.read_bytes() for file in path.iterdir()}
