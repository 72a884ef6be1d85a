"""Alignment on two processes: the same losses and weights as on one, by DDP and by FSDP2; one writes, all end."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser
from safetensors.torch import load_file
from tests.align.new_families import built

from unmirage.align import AlignConfig
from unmirage.align.arguments import cut
from unmirage.align.methods import make_method
from unmirage.align.plan import passes
from unmirage.errors import UserError

WORKER = Path(__file__).parent / "distributed_worker.py"
ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "src/unmirage/recipes/accelerate"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="torch was built without gloo"),
]

FAST = {"learning_rate": 1e-3, "batch_size": 4, "steps": 2, "warmup": 0.0}
UNEVEN = {"name": "npo", "ce": 0, "retain_term": "representation", "layer": 2}
LORA = {"rank": 4, "alpha": 8}
SHARDED = ("sft", "npo", "npo-lora", "rmu", "uneven", "qwen3.5", "qwen3-vl-moe")
NPO, RMU = {"name": "npo"}, {"name": "rmu", "layer": 2}


def _runs(folder: str) -> dict[str, dict]:
    """Return what is run on one process and on two; `texts` leaves a process without a picture now and then."""
    return {
        "sft": {"config": FAST | {"micro_batch_size": 1}, "texts": True},
        "npo": {"config": FAST | {"steps": 4, "save_every": 2, "method": NPO, "micro_batch_size": 1}, "work": folder},
        "npo-live": {"config": FAST | {"method": NPO, "optimizations": {"cache_reference": False}}},
        "npo-lora": {"config": FAST | {"method": NPO, "lora": LORA, "optimizations": {"cache_reference": False}}},
        "rmu": {"config": FAST | {"method": RMU, "micro_batch_size": 1}},
        "rmu-lora": {"config": FAST | {"method": RMU | {"ce": 0}, "lora": LORA}},
        "dpo": {"config": FAST | {"method": {"name": "dpo"}}},
        # Other families, with all savings; rows without a picture leave out tower and projector.
        "qwen3.5": {"config": FAST | {"method": NPO, "micro_batch_size": 1}, "texts": True, "family": "qwen3.5"},
        "qwen3.5-rmu": {"config": FAST | {"method": RMU}, "family": "qwen3.5"},
        "qwen3-vl-moe": {"config": FAST | {"method": NPO, "micro_batch_size": 1}, "family": "qwen3-vl-moe"},
        "qwen3-vl-moe-lora": {
            "config": FAST | {"method": NPO, "lora": LORA, "optimizations": {"cache_reference": False}},
            "family": "qwen3-vl-moe",
        },
        # The second pass ends at a layer that the first does not: weights above get their gradient before the last.
        "uneven": {
            "config": FAST
            | {
                "method": NPO | {"ce": 0, "retain_term": "representation", "layer": 2},
                "optimizations": {"passes": "separate"},
            }
        },
    }


@pytest.fixture(scope="module")
def one(tiny, tmp_path_factory):
    """Return the folder of what one process makes of all runs."""
    folder = tmp_path_factory.mktemp("one")
    spec = importlib.util.spec_from_file_location("distributed_worker", WORKER)
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    job = {"model": str(tiny.model), "data": str(tiny.data), "out": str(folder)}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name, run in _runs("work").items():
        worker.make_run(job, name, run)
    torch.set_num_threads(threads)
    return folder


def _spawn(tiny, folder: Path, runs: dict[str, dict], *, fsdp: bool = False) -> subprocess.CompletedProcess:
    job = {"model": str(tiny.model), "data": str(tiny.data), "out": str(folder), "runs": runs, "fsdp": fsdp}
    file = folder / "job.json"
    file.write_text(json.dumps(job), encoding="utf-8")
    command = ("torch.distributed.run", "--standalone", "--nproc_per_node=2", str(WORKER), str(file))
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": paths}
    for _ in range(3):
        # One run lost a worker to SIGABRT, without a Python traceback, while the other waited in Gloo. It could not be
        # reproduced. Only an abort is repeated, and shown; failures of our code are exceptions.
        done = subprocess.run(
            [sys.executable, "-m", *command], env=environment, timeout=300, capture_output=True, text=True
        )
        if "(SIGABRT)" not in done.stderr:
            break
        print(done.stderr)
        for made in folder.iterdir():
            if made != file:
                shutil.rmtree(made) if made.is_dir() else made.unlink()
    return done


@pytest.fixture(scope="module")
def two(tiny, tmp_path_factory):
    """Return the folder of what two processes make of them, of a resumed run, of two that must fail, and the last."""
    folder = tmp_path_factory.mktemp("two")
    runs = _runs("work")
    runs["npo-again"] = runs["npo"] | {"drop": "step-4"}
    runs["diverges"] = {"config": FAST, "broken": True}
    runs["missing"] = {"config": FAST | {"optimizations": {"cache_images": False}}, "missing": True}
    return folder, _spawn(tiny, folder, runs)


@pytest.fixture(scope="module")
def shards(tiny, tmp_path_factory):
    """Return the folder of what two processes make of them with the model in shards."""
    folder = tmp_path_factory.mktemp("shards")
    runs = {name: run for name, run in _runs("work").items() if name in SHARDED}
    runs["npo-again"] = runs["npo"] | {"drop": "step-4"}
    runs["half"] = {"config": FAST | {"precision": "bfloat16", "method": NPO, "trainable": ["language"]}, "half": True}
    runs["diverges"] = {"config": FAST, "broken": True}
    done = _spawn(tiny, folder, runs, fsdp=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def _same(tiny, first: Path, second: Path, name: str) -> None:
    """Check that two folders hold equal losses of a run, and weights that were moved to the same place."""
    parts = [json.loads((folder / f"{name}.json").read_text("utf-8"))["parts"] for folder in (first, second)]
    weights = [load_file(folder / f"{name}.safetensors") for folder in (first, second)]
    assert [sorted(step) for step in parts[0]] == [sorted(step) for step in parts[1]]
    for expected, found in zip(*parts, strict=True):
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)  # the rounding of a loss of some tens
    assert weights[0].keys() == weights[1].keys()
    family = _runs("")[name].get("family")
    before = (built(family) if family else tiny.load()).model.state_dict()
    moved = sum((weights[0][key] - one).square().sum() for key, one in before.items()).sqrt()
    apart = sum((weights[0][key] - weights[1][key]).square().sum() for key in weights[0]).sqrt()
    # Adam makes as much of a gradient that is nothing but rounding as of any other, so single weights may differ.
    assert apart < 1e-3 * moved
    assert moved > 0.02


@pytest.mark.parametrize("name", _runs(""))
def test_two_processes_do_what_one_does(tiny, one, two, name: str) -> None:
    _same(tiny, one, two[0], name)


@pytest.mark.parametrize("name", SHARDED)
def test_shards_do_what_one_whole_does(tiny, one, shards, name: str) -> None:
    _same(tiny, one, shards, name)
    assert json.loads((shards / f"{name}.json").read_text("utf-8"))["by"] == "DistributedType.FSDP"


@pytest.mark.parametrize("sharded", [False, True], ids=["ddp", "fsdp"])
def test_a_resumed_run_is_the_unbroken_one_to_the_bit(request, sharded: bool) -> None:
    folder = request.getfixturevalue("shards") if sharded else request.getfixturevalue("two")[0]
    first, again = (load_file(folder / f"{name}.safetensors") for name in ("npo", "npo-again"))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert (folder / "npo.json").read_text("utf-8") == (folder / "npo-again.json").read_text("utf-8")


@pytest.mark.parametrize("sharded", [False, True], ids=["ddp", "fsdp"])
def test_the_work_directory_is_written_once(request, sharded: bool) -> None:
    folder = request.getfixturevalue("shards") if sharded else request.getfixturevalue("two")[0]
    steps = [json.loads(line)["step"] for line in (folder / "work" / "log.jsonl").read_text("utf-8").splitlines()]
    assert steps == [1, 2, 3, 4]
    assert sorted(path.name for path in (folder / "work" / "checkpoints").glob("step-*")) == ["step-2", "step-4"]


@pytest.mark.parametrize("sharded", [False, True], ids=["ddp", "fsdp"])
def test_guards_stop_all_processes_together(request, sharded: bool) -> None:
    folder = request.getfixturevalue("shards") if sharded else request.getfixturevalue("two")[0]
    texts = [(folder / f"diverges.{rank}.diverged").read_text("utf-8") for rank in (0, 1)]
    assert texts[0] == texts[1]
    assert "training diverged at step 1" in texts[0]


def test_a_mistake_that_one_process_meets_ends_all(two) -> None:
    folder, done = two
    assert done.returncode != 0
    assert "no such picture" in done.stderr
    assert not (folder / "missing.json").exists()


def test_shards_are_put_together_in_the_type_of_the_base(shards) -> None:
    weights = load_file(shards / "half.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
    first = json.loads((shards / "half.json").read_text("utf-8"))["parts"][0]
    assert first["forget"] == pytest.approx(13.8629, abs=0.01)  # 2 / beta * ln 2


def test_a_step_is_dealt_evenly_or_not_at_all() -> None:
    assert cut(AlignConfig(batch_size=8, micro_batch_size=2), 2) == (2, 2)
    assert cut(AlignConfig(batch_size=8), 2) == (4, 1)
    with pytest.raises(UserError, match=r"batch_size: 4 rows cannot be split evenly over 3 processes"):
        cut(AlignConfig(batch_size=4), 3)


def test_deepspeed_sees_one_pass() -> None:
    config = AlignConfig(method=RMU)
    method = make_method(config.method)
    assert passes(method, config, one_pass=True) == (("forget", "retain"),)
    with pytest.raises(UserError, match=r"optimizations.passes: 'separate' does not work under DeepSpeed"):
        passes(method, AlignConfig(method=RMU, optimizations={"passes": "separate"}), one_pass=True)


@pytest.mark.parametrize(
    ("name", "kind"), [("single", "NO"), ("ddp", "MULTI_GPU"), ("fsdp2", "FSDP"), ("zero3", "DEEPSPEED")]
)
def test_accelerate_reads_the_recipes(name: str, kind: str) -> None:
    file = str(RECIPES / f"{name}.yaml")
    config = load_config_from_file(file)
    assert config.distributed_type == kind
    assert config.num_machines == 1
    assert config.num_processes == (1 if name == "single" else 8)
    if name == "fsdp2":
        assert config.fsdp_config["fsdp_version"] == 2
        assert not config.fsdp_config["fsdp_cpu_ram_efficient_loading"]
    if name == "zero3":
        assert config.deepspeed_config["zero_stage"] == 3
        assert not config.deepspeed_config["zero3_init_flag"]
    for number in () if name == "single" else range(1, 9):
        # What `accelerate launch` makes of the command that the file and docs/scale.md show.
        words = ["--config_file", file, "--num_processes", str(number), "-m", "unmirage", "align", "MODEL"]
        options = launch_command_parser().parse_args(words)
        assert (options.num_processes, options.module) == (number, True)
        assert (options.training_script, options.training_script_args) == ("unmirage", ["align", "MODEL"])


def test_the_recipes_of_accelerate_are_all_tested_and_described() -> None:
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    assert {file.stem for file in RECIPES.glob("*.yaml")} == {"single", "ddp", "fsdp2", "zero3"}
    assert all(f"recipes/accelerate/{file.name}" in text for file in RECIPES.glob("*.yaml"))
