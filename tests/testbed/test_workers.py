"""Arms in processes of their own: the same weights as in one process, their progress, and a training that diverges."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from unmirage.align import AlignConfig, NpoConfig
from unmirage.align.methods import GradDiffConfig
from unmirage.data import load_samples
from unmirage.data.overlap import Way, fingerprints_of
from unmirage.data.training_record import read_training_record
from unmirage.run import Run
from unmirage.testbed.study import Seeds, open_study
from unmirage.testbed.workers import Training, train_all

FAST = {"learning_rate": 1e-3, "batch_size": 8, "steps": 4}
ARMS = {
    "sft-posthoc": AlignConfig(**FAST),
    "npo-mixed": AlignConfig(method=NpoConfig(), **FAST),
    "wild": AlignConfig(method=GradDiffConfig(), learning_rate=0.3, batch_size=8, steps=60, collapse_nats=0.01),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory, small_study):
    """Return a study that is ready to train its arms."""
    path = tmp_path_factory.mktemp("workers") / "study"
    with open_study(path, small_study, Seeds.all(0), lambda *_: None) as study:
        study.prepare()
        yield study


@pytest.fixture(scope="module")
def trainings(study):
    return [Training(name, study.seeded(config), study.learned_by(name, config)) for name, config in ARMS.items()]


@pytest.fixture(scope="module")
def threads():
    """Return the numbers of threads that trainings in this process ran with; the process itself has two."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield set()
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(study, trainings, threads, tmp_path_factory):
    """Return, by number of processes: the run, what became of each arm, and every report of progress."""
    found = {}
    for workers in (1, 2):
        run = Run(tmp_path_factory.mktemp(f"workers-{workers}"))
        shutil.copytree(study.run.model("base"), run.model("base"))
        steps = []

        def report(*step, to=steps, here=workers == 1):
            to.append(step)
            if here:
                threads.add(torch.get_num_threads())

        done = list(train_all(trainings, run, report, workers))
        found[workers] = (run, {one.name: one for one in done}, steps)
    return found


def test_two_processes_give_the_weights_of_one(trained):
    for name in ("sft-posthoc", "npo-mixed"):
        one, two = (load_file(trained[workers][0].model(name) / "model.safetensors") for workers in (1, 2))
        base = load_file(trained[1][0].model("base") / "model.safetensors")
        assert one.keys() == two.keys() == base.keys()
        assert all(torch.equal(one[key], two[key]) for key in one)
        assert not all(torch.equal(one[key], base[key]) for key in one)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_training_that_diverges_is_reported_and_leaves_no_model(trained, workers):
    run, done, _ = trained[workers]
    assert set(done) == set(ARMS)
    assert done["sft-posthoc"].stopped == done["npo-mixed"].stopped == ""
    assert done["wild"].stopped.startswith("training diverged at step ")
    assert {path.name for path in (run.path / "models").iterdir()} == {"base", "sft-posthoc", "npo-mixed"}
    assert all(one.seconds > 0 for one in done.values())


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_of_every_training_arrives_in_order(trained, workers):
    _, done, steps = trained[workers]
    for name in ("sft-posthoc", "npo-mixed"):
        assert [step[1:] for step in steps if step[0] == f"{name}: align"] == [(step, 4) for step in range(1, 5)]
    diverged = int(done["wild"].stopped.split("step ")[1].split(":")[0])
    seen = [done for stage, done, _ in steps if stage == "wild: align"]
    assert seen == list(range(1, len(seen) + 1))
    assert diverged - 1 <= len(seen) <= diverged


def test_a_training_runs_with_one_thread_and_leaves_the_number_as_it_was(trained, threads):
    assert threads == {1}
    assert torch.get_num_threads() == 2  # the last training in this process diverged


def test_models_remember_what_they_were_aligned_on_and_no_more(study, trained):
    """Of the evaluation data they know no picture and no device; of the safety data, what their own set has."""
    run = trained[2][0]
    safety, test = (
        fingerprints_of(load_samples(study.run.data / f"{name}.json").samples, study.images)
        for name in ("safety", "test")
    )
    for name, own in {"sft-posthoc": 360, "npo-mixed": 360 + 60}.items():
        record = read_training_record(run.model(name))
        assert record is not None
        assert (record.samples, record.complete) == (own, True)
        counts = record.count(test)
        assert {way for way in Way if counts[way].shared} == {Way.QUERY}  # "... of this device" about any device
        assert counts[Way.GROUP].total == len(test) == 30
        assert record.count(safety)[Way.PICTURE_AND_QUERY].shared == len(safety) == 360
    assert read_training_record(run.model("base")) is None
    made = json.loads((run.model("npo-mixed") / "unmirage_align.json").read_text())
    assert made["settings"]["method"]["name"] == "npo"
