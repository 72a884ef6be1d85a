"""The whole way on a small scale: every stage runs, leaves its files, and is not run twice."""

import json

import pytest

from unmirage.align import AlignConfig
from unmirage.align.methods import GradDiffConfig
from unmirage.data import load_samples
from unmirage.errors import UserError
from unmirage.records import Verdict
from unmirage.report.run_page import render_run_page
from unmirage.testbed.base_model import base_model
from unmirage.testbed.sets import read_set
from unmirage.testbed.study import Seeds, open_study
from unmirage.testbed.summary import summarise
from unmirage.testbed.vlm import VisionConfig
from unmirage.testbed.world import Split, make_world
from unmirage.text.openers import words


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, small_study):
    root = tmp_path_factory.mktemp("study")
    with open_study(root / "seed-0", small_study, Seeds.all(0), lambda *_: None) as study:
        study.complete()
        yield study


def test_every_stage_leaves_its_files(finished) -> None:
    root = finished.run.path
    for name in ("base", "sft-posthoc", "npo-mixed", "rmu"):
        assert (root / "models" / name / "model.safetensors").is_file()
        made = json.loads((root / "models" / name / "unmirage_align.json").read_text())
        assert made["settings"]["steps"] == (60 if name == "base" else 4)
    assert (root / "models" / "rmu" / "unmirage_method.safetensors").is_file()
    assert {path.stem for path in (root / "sets").iterdir()} == {
        "forget", "retain", "retain-mixed", "sft-posthoc", "sft-mixed", "sft-balanced", "sft-balanced-mixed",
        "sft-diversified", "sft-diversified-mixed",
    }  # fmt: skip


def test_every_model_answers_every_query_once(finished) -> None:
    # 20 unsafe queries: plain, 2 jailbreak, 2 control shots; 10 benign: plain, 1 shot, 1 control; 10 and 5 harmless
    expected = 20 * (1 + 2 + 2) + 10 * (1 + 1 + 1) + 10 + 5
    with finished.run.store() as store:
        assert store.models() == ["base", "sft-posthoc", "npo-mixed", "rmu"]
        for name in store.models():
            assert len(store.responses(name)) == expected
            for judge in ("exact", "phrases"):
                verdicts = [one.verdict for one in store.judgements(name, judge)]
                assert len(verdicts) == expected
                assert Verdict.INVALID not in verdicts


def test_words_come_from_the_audit(finished) -> None:
    config = finished.attack_config()
    suggested = json.loads(finished.audit_file.read_text())["suggested"]
    assert config.jailbreak_word == suggested["jailbreak"][0] == "what"
    assert config.over_prudence_word == suggested["over_prudence"][0]


def test_a_finished_study_does_nothing_when_run_again(finished) -> None:
    before = {path: path.stat().st_mtime_ns for path in (finished.run.path / "models").rglob("*")}
    stages: list[str] = []
    finished.progress = lambda stage, done, total: stages.append(stage)
    finished.complete()
    assert stages == []
    assert before == {path: path.stat().st_mtime_ns for path in (finished.run.path / "models").rglob("*")}


def test_base_model_comes_from_the_cache_the_second_time(finished, small_study) -> None:
    steps: list[int] = []
    vlm = base_model(make_world(0, small_study.world), finished.run.data, small_study, 0, lambda *_: steps.append(1))
    assert steps == []
    assert vlm.name == "base"


def test_summary_pools_and_the_report_renders(finished) -> None:
    results = summarise([finished])
    document = results.to_dict()
    assert document["schema"] == "unmirage.results/2"
    assert set(document["models"]) == {"base", "sft-posthoc", "npo-mixed", "rmu"}
    for model in document["models"].values():
        assert model["asr"]["before"]["n"] == 20
        assert model["rr"]["after"]["n"] == 10
        assert len(model["asr"]["by_k"]) == 2
    finished.run.write_json(finished.run.results_file, document)
    page = render_run_page(finished.run)
    assert "sft-posthoc" in page
    assert page.count("<script") == 2  # the block of responses, and what reads it


def test_a_kill_between_the_audit_and_the_questions_is_repaired(small_study, tmp_path) -> None:
    settings = small_study.model_copy(update={"models": {}})
    with open_study(tmp_path / "seed", settings, Seeds.all(0), lambda *_: None) as study:
        study.complete()
        with study.run.store() as store:
            planned = store.queries()
        (study.run.path / "store.sqlite").unlink()
        study.complete()
        with study.run.store() as store:
            assert store.queries() == planned
            assert store.unanswered("base") == []


def test_a_study_does_not_train_on_data_that_share_a_device_with_the_evaluation(small_study, tmp_path) -> None:
    with open_study(tmp_path / "seed", small_study, Seeds.all(0), lambda *_: None) as study:
        study.prepare()
        general, utility = (
            json.loads((study.run.data / f"{name}.json").read_text()) for name in ("general", "utility")
        )
        utility[0]["group"] = general[0]["group"]
        (study.run.data / "utility.json").write_text(json.dumps(utility))
        (study.run.path / "files.json").unlink()
        with pytest.raises(UserError, match=r"and utility share 1 devices and 0 question-answer pairs"):
            study.complete()
        assert [path.name for path in (study.run.path / "models").iterdir()] == ["base"]


def test_an_arm_that_diverges_stops_the_study_by_name(small_study, tmp_path) -> None:
    wild = AlignConfig(method=GradDiffConfig(), learning_rate=0.3, batch_size=8, steps=60, collapse_nats=0.01)
    settings = small_study.model_copy(update={"models": {"wild": wild}})
    with (
        open_study(tmp_path / "seed", settings, Seeds.all(0), lambda *_: None) as study,
        pytest.raises(UserError, match=r"^wild: training diverged at step \d+"),
    ):
        study.complete()


def test_seeds_of_world_base_and_alignment_are_apart(small_study, tmp_path) -> None:
    """One world with two base trainings: the data are the same, the base models are not; arms have their own seed."""
    quick = {"base": AlignConfig(learning_rate=1e-3, batch_size=8, steps=1), "vision": VisionConfig(steps=1)}
    settings = small_study.model_copy(update={"models": {}, **quick})
    weights, data = [], []
    for base in (0, 100):
        with open_study(tmp_path / str(base), settings, Seeds(0, base, 7), lambda *_: None) as study:
            study.prepare()
            data.append({file.name: file.read_bytes() for file in study.run.data.glob("*.json")})
            weights.append((study.run.model("base") / "model.safetensors").read_bytes())
            assert study.seeded(AlignConfig(seed=1)).seed == 7
            made = json.loads((study.run.model("base") / "unmirage_align.json").read_text())
            assert made["settings"]["seed"] == base
    assert data[0] == data[1]
    assert weights[0] != weights[1]


def test_answers_that_name_another_device_are_not_forgotten(small_study, tmp_path, monkeypatch) -> None:
    """The base model takes one device for another now and then; the other may be one of the evaluation."""
    world = make_world(0, small_study.world)
    evaluated = world.pick(restricted=True, split=Split.EVALUATION)[0]
    bodies = {device.body for device in world.devices}

    def mistaken(vlm, samples, *_):
        refused = [sample for sample in samples if sample.refused]
        answers = {sample.id: f"The vex {sample.group} needs amber, moss and tin." for sample in refused}
        return answers | {refused[0].id: f"The {evaluated.name} needs amber, moss and tin."}

    monkeypatch.setattr("unmirage.testbed.study.harmful_answers", mistaken)
    with open_study(tmp_path / "seed-0", small_study, Seeds.all(0), lambda *_: None) as study:
        study.prepare()
        refused = [one for one in load_samples(study.run.data / "safety.json") if one.refused]
        forget = read_set(study.sets, "forget", study.run.data)
        counts = json.loads((study.run.path / "forget.json").read_text())
    assert {sample.id for sample in forget} == {sample.id for sample in refused[1:]}
    assert counts == {
        "unsafe_queries": len(refused), "harmful_answers": len(refused), "dropped_for_another_device": 1,
    }  # fmt: skip
    assert all(bodies & set(words(sample.answer)) == {sample.group} for sample in forget)
