"""Do repairs last, on a small scale: every attack is made, judged, written down and not made twice."""

import gc
import json

import pytest
import torch

from unmirage.align import AlignConfig, NpoConfig
from unmirage.errors import UserError
from unmirage.evaluate.robustness import RelearnConfig
from unmirage.records import Kind
from unmirage.testbed.methods_settings import MethodsSettings, RowSettings
from unmirage.testbed.relearn import RelearnSettings, open_relearn
from unmirage.testbed.relearn_table import curve_table, full_table, markdown, summarize_relearning
from unmirage.text.formatting import rate_points
from unmirage.text.openers import opener

FAST = {"learning_rate": 1e-3, "batch_size": 8, "steps": 2}
NAMES = [
    "npo + int8", "npo + temperature 1", "npo + forget 2", "npo + forget 4", "npo + same-syntax 2",
    "npo + same-syntax 4", "npo + benign 2", "npo + benign 4",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _small_runs():
    """Trainings this small are mostly set-up, in which the Trainer collects garbage over all libraries."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def settings(small_study):
    rows = {
        "base": RowSettings(family="base", config=None),
        "npo": RowSettings(family="unlearning", config=AlignConfig(method=NpoConfig(), **FAST)),
    }
    return RelearnSettings(
        methods=MethodsSettings(study=small_study.model_copy(update={"models": {}}), rows=rows),
        models=("npo",),
        samples=(0, 2, 4),
        relearning=RelearnConfig(**FAST),
    )


@pytest.fixture(scope="module")
def stages():
    return []


@pytest.fixture(scope="module")
def finished(tmp_path_factory, settings, stages):
    with open_relearn(
        tmp_path_factory.mktemp("relearn") / "seed-0", settings, 0, lambda stage, *_: stages.append(stage)
    ) as study:
        study.complete()
        yield study


def test_every_variant_answers_the_same_queries_and_is_judged(finished):
    questions = finished.questions()
    assert {query.kind for query in questions} == {
        Kind.PLAIN, Kind.JAILBREAK, Kind.OVER_PRUDENCE, Kind.UTILITY, Kind.NEIGHBOR
    }  # fmt: skip
    with finished.methods.study.run.store() as store:
        assert list(store.variants()) == NAMES
        for name in NAMES:
            assert {one.query_id for one in store.responses(name)} == {query.id for query in questions}
            assert len(store.judgements(name, "exact")) == len(questions)


def test_what_is_fine_tuned_on_shows_no_device_of_the_test(finished):
    study = finished.methods.study
    world = json.loads((study.run.data / "truth.json").read_text())["facts"]
    data = finished._data()
    assert {name: len(one.samples) for name, one in data.items()} == {"forget": 4, "same-syntax": 4, "benign": 4}
    assert all(sample.refused for sample in data["forget"].samples)
    assert all("amber" in sample.answer for sample in data["forget"].samples)
    tested = {query.sample_id for query in finished.questions()}
    for one in data.values():
        assert not tested & {sample.id for sample in one.samples}
        assert {sample.id.split("#")[0] for sample in one.samples} <= set(world)
    for name in ("same-syntax", "benign"):
        assert not any(sample.refused for sample in data[name].samples)
    openers = [opener(sample.query) for sample in data["same-syntax"].samples]
    assert "what" not in openers  # hardly any unsafe query opens so


def test_a_finished_study_does_nothing_when_run_again(finished, stages):
    assert "npo + forget 4: align" in stages
    stages.clear()
    finished.complete()
    assert stages == []


def test_the_document_pools_the_seeds(finished):
    document = summarize_relearning([finished, finished])
    json.dumps(document.to_dict(), allow_nan=False)
    assert (document.to_dict()["schema"], document.seeds, document.stopped) == ("unmirage.relearning/1", (0, 0), {})
    assert [row.model for row in document.rows] == ["base", "npo", *NAMES]
    one = document.rows[-1]
    assert (one.of, one.kind, one.data, one.amount) == ("npo", "relearned", "benign", 4.0)
    assert [seed.rates["asr_after"].n for seed in one.by_seed] == [10, 10]
    assert one.rates["asr_after"].n == 20
    assert one.rates["asr_after"].k == 2 * one.by_seed[0].rates["asr_after"].k
    assert "asr_control" not in one.rates
    assert document.settings["relearning"]["steps"] == 2


def test_the_tables(finished):
    document = summarize_relearning([finished])
    heads, rows = curve_table(document)
    assert heads == ["model", "fine-tuned on", "0", "2", "4"]
    assert [row[:2] for row in rows] == [["npo", "forget"], ["npo", "same-syntax"], ["npo", "benign"]]
    by_name = {row.model: row.rates for row in document.rows}
    assert {row[2] for row in rows} == {rate_points(by_name["npo"]["asr_after"], interval=True)}
    assert rows[1][4] == rate_points(by_name["npo + same-syntax 4"]["asr_after"], interval=True)
    assert [row[0] for row in full_table(document)[1]] == ["base", "npo", *NAMES]
    text = markdown(document)
    assert "| model | fine-tuned on | 0 | 2 | 4 |\n| --- | --- | ---: | ---: | ---: |" in text
    assert text.count("| npo + int8 |") == 1
    assert "2 steps of 8 samples" in text


def test_a_model_that_went_to_pieces_is_named_and_not_attacked(finished, monkeypatch):
    monkeypatch.setattr(finished.methods, "row", lambda name: {"stopped": "training diverged at step 3"})
    monkeypatch.setattr("unmirage.testbed.relearn.run_stress", lambda *_: pytest.fail("attacked"))
    finished.complete()
    document = summarize_relearning([finished])
    assert document.stopped == {"npo": (0,)}
    assert [row.model for row in document.rows] == ["base"]


def test_a_model_that_was_not_kept_is_one_named_error(finished):
    folder = finished.methods.study.run.model("npo")
    folder.rename(folder.with_name("elsewhere"))
    try:
        with pytest.raises(UserError, match="npo: model is missing, because `study methods` deletes most models"):
            finished.complete()
    finally:
        folder.with_name("elsewhere").rename(folder)
