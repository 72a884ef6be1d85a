"""One process of an alignment run: a job file in; from the first process the weights and the losses of each run out.

The same code makes the runs in one process that those in several are held against.
"""

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType
from safetensors.torch import save_file
from tests.align.new_families import built

from unmirage.align import AlignConfig, AlignData, align
from unmirage.align.guards import DivergenceError
from unmirage.align.processes import processes
from unmirage.data import ImageFolder, load_samples
from unmirage.data.split import forget, retain
from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM

ANSWER = "You need amber, moss and tin."


def make_data(folder: Path, *, forgets: bool, texts: bool) -> AlignData:
    """Return the tiny world's data; `texts`: every third row to keep has no picture."""
    safety, general = load_samples(folder / "safety.json"), load_samples(folder / "general.json")
    kept = retain(list(safety), list(general))
    if texts:
        kept = [replace(sample, image=None) if number % 3 == 0 else sample for number, sample in enumerate(kept)]
    unsafe = forget(list(safety), {sample.id: ANSWER for sample in safety}) if forgets else ()
    return AlignData(retain=kept, forget=unsafe, images=ImageFolder(folder))


class OneMissing(ImageFolder):
    """Pictures of which the second process finds none."""

    def open(self, name: str) -> Any:
        if processes().process_index == 1:
            raise UserError(f"{name}: no such picture")
        return super().open(name)


def start_of(job: dict[str, Any], spec: dict[str, Any]) -> HuggingFaceVLM:
    """Return the model that a run starts from: that of the tiny world, or one of another family."""
    if "family" not in spec:
        return HuggingFaceVLM.load(job["model"], "tiny")
    return built(spec["family"])


def make_run(job: dict[str, Any], name: str, spec: dict[str, Any]) -> None:
    """Make one run and write what came of it."""
    out, here = Path(job["out"]), processes()
    config = AlignConfig.model_validate(spec["config"])
    vlm = start_of(job, spec)
    if spec.get("half"):
        vlm.model.to(torch.bfloat16)
    if spec.get("broken"):
        with torch.no_grad():
            vlm.model.model.language_model.norm.weight.fill_(float("inf"))
    data = make_data(Path(job["data"]), forgets=config.method.name != "sft", texts=spec.get("texts", False))
    if spec.get("missing"):
        data = replace(data, images=OneMissing(Path(job["data"])))
    work = out / spec["work"] if "work" in spec else None
    if "drop" in spec and work is not None and here.is_main_process:
        shutil.rmtree(work / "checkpoints" / spec["drop"])
    here.wait_for_everyone()
    seen: list[int] = []
    try:
        result = align(vlm, data, config, lambda _stage, done, _total: seen.append(done), work)
    except DivergenceError as error:
        (out / f"{name}.{here.process_index}.diverged").write_text(str(error), encoding="utf-8")
        return
    assert result.writes == here.is_main_process == bool(seen)
    if result.writes:
        weights = {key: tensor.contiguous().clone() for key, tensor in vlm.model.state_dict().items()}
        extra = {} if result.adapter is None else {f"adapter.{key}": one for key, one in result.adapter[1].items()}
        save_file(weights | extra | result.state, out / f"{name}.safetensors")
        document = {"parts": result.parts, "steps": result.steps, "stopped": result.stopped}
        document["by"] = str(AcceleratorState().distributed_type)
        (out / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def let_cpus_shard() -> None:
    """Let accelerate use FSDP2 without an accelerator: it offers it to several GPUs only, torch to CPUs as well."""
    os.environ |= {
        "ACCELERATE_USE_FSDP": "true",
        "FSDP_VERSION": "2",
        "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
        "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
    }
    first = PartialState.__init__

    def init(self: PartialState, *arguments: Any, **options: Any) -> None:
        first(self, *arguments, **options)
        if self.distributed_type is DistributedType.MULTI_CPU:
            self.distributed_type = DistributedType.MULTI_GPU

    PartialState.__init__ = init


def main(file: Path) -> None:
    """Make all runs of a job file, one after the other."""
    torch.set_num_threads(1)
    job = json.loads(file.read_text("utf-8"))
    if job.get("fsdp"):
        let_cpus_shard()
    for name, spec in job["runs"].items():
        make_run(job, name, spec)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
