"""Measure training and attack on one GPU of 80 to 141 GB at full size, within ten minutes.

    python benchmarks/gpu.py [--keep FILE] [--only align,attack,recipe] [--minutes 10]
    python benchmarks/gpu.py --tiny     # the same code on the CPU, with tiny models, in about 90 seconds

Weights are random, with the shapes of LLaVA-1.5-7B and Qwen2.5-VL-7B. Sections, each in a process of its own:

- align:SHAPE:METHOD: seconds and peak memory of a step with one forget and one retain sample, for the methods and
  settings of align_step.py (ours, nothing checkpointed). `floor_s` is the least time at 790 TFLOP/s in bfloat16, plus
  the optimizer's memory traffic at 4.3 TB/s for npo_full: for LLaVA by the minimal algorithm's operations, for Qwen by
  those that `align --dry-run` counts. `over_floor` is the measured time divided by it. `estimate_gib` is the memory
  that `align --dry-run` predicts.
- attack:SHAPE: queries per second with K = 3 queries about an image and 32 new tokens, as in attack_throughput.py, and
  the share of texts that equal those of `model.generate` in batches.
- recipe:NAME: two optimizer steps of each file in recipes/, with two micro-batches each.

A section that needs more memory than the GPU has, by the estimate, is skipped with that reason. One that fails or takes
longer than its limit is recorded with its reason, the others follow, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import align_step
import attack_throughput
import torch
from gpu_shapes import FULL, LLAVA, LLAVA_13B, QWEN, TINY, Shape
from provenance import hand_on, made_by

from unmirage.align import AlignConfig, AlignData, align
from unmirage.align.estimate.run import estimate
from unmirage.data import ImageFolder
from unmirage.errors import one_line
from unmirage.models import HuggingFaceVLM
from unmirage.workflows.settings import resolve

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "src/unmirage/recipes"
GIB = 2**30
RATE, BANDWIDTH = 790e12, 4.3e12  # of one H200, in bfloat16 operations and bytes per second
ROOM_GIB = 4.0  # of the CUDA context and of fragments, beside the estimate
METHODS = ("npo_lora", "npo_full", "rmu")
LIMITS = {"align": 90.0, "attack": 90.0, "recipe": 60.0}  # seconds of a section
Figures = dict[str, Any]


class DoesNotFitError(Exception):
    """A section needs more memory than the GPU has."""


def vlm_of(shape: Shape, name: str, device: str, texts: Sequence[str] = ()) -> HuggingFaceVLM:
    """Return a model of a shape with random weights."""
    make, sizes = shape
    return make(name, sizes, texts or [" ".join(align_step.WORDS)], device)


def planned(shape: Shape, data: AlignData, config: AlignConfig, device: str) -> tuple[float, float]:
    """Return the estimated memory in GiB and the operations of a step.

    Raises:
        DoesNotFitError: the GPU has less.
    """
    skeleton = vlm_of(shape, "skeleton", "meta")
    if device == "cuda":
        skeleton.model.to(torch.bfloat16)
    found = estimate(skeleton, data, config)
    needs = next(memory.total for memory in found.memory if memory.gpus == 1) / GIB
    if device == "cuda":
        has = torch.cuda.get_device_properties(0).total_memory / GIB
        if needs + ROOM_GIB > has:
            raise DoesNotFitError(f"needs about {needs:.0f} GiB, and this GPU has {has:.0f}")
    return needs, found.step_tflop * 1e12


def align_section(shape_name: str, method: str, *, tiny: bool) -> Figures:
    """Return time and memory of a training step."""
    shape, device = (TINY if tiny else FULL)[shape_name], device_of(tiny)
    steps = 3 if tiny else 8
    with tempfile.TemporaryDirectory() as folder:
        data = align_step.make_data(steps, Path(folder), shape[1]["image_size"])
        config = align_step.config_of(method, steps)
        needs, operations = planned(shape, data, config, device)
        vlm = vlm_of(shape, shape_name, device)
        trained = trained_count(vlm, config)
        measured = align_step.run_ours(method, vlm, data, steps, 0.0)
    step_s = statistics.median(align_step.gaps(measured.ends)[align_step.WARM_UP - 1 :])
    # AdamW reads weight, gradient and two moments, and writes weight and moments, all in float32.
    traffic = trained * 7 * 4 / BANDWIDTH if method == "npo_full" else 0.0
    floor = align_step.FLOORS[method] if shape_name == LLAVA and not tiny else operations / RATE + traffic
    return {
        "step_s": step_s,
        "floor_s": floor,
        "over_floor": step_s / floor,
        "peak_gib": align_step.peak_gib(),
        "estimate_gib": needs,
        "fill_s": measured.fill_s,
        "first_loss": measured.losses[0],
    }


def trained_count(vlm: HuggingFaceVLM, config: AlignConfig) -> int:
    """Return the number of weights in the trained parts, without adapters."""
    parts = ("language_model", "multi_modal_projector", "lm_head", "merger")
    assert set(config.trainable) <= {"language", "projector"} or config.method.name == "rmu"
    return sum(one.numel() for name, one in vlm.model.named_parameters() if any(part in name for part in parts))


def attack_section(shape_name: str, *, tiny: bool) -> Figures:
    """Return the throughput of the attack."""
    shape, device = (TINY if tiny else FULL)[shape_name], device_of(tiny)
    pictures, rows, alone = (4, 6, 2) if tiny else (64, 96, 8)
    texts = [text for subject in attack_throughput.SUBJECTS for text in (f"Share {subject}.", f"What is {subject}?")]
    vlm = vlm_of(shape, shape_name, device, texts)
    with torch.no_grad():  # only tokens that have a text are said, so that texts can differ
        vlm.model.lm_head.weight[len(vlm.processor.tokenizer) :] = 0
    with tempfile.TemporaryDirectory() as folder:
        images = ImageFolder(Path(folder))
        queries = attack_throughput.make_queries(pictures, Path(folder), shape[1]["image_size"])
        ways = attack_throughput.generated, attack_throughput.ours
        for way in ways:  # once before the clock runs
            way(vlm, queries[: attack_throughput.SHOTS], images, attack_throughput.SHOTS)
        one_s, _ = attack_throughput.timed(lambda: ways[0](vlm, queries[:alone], images, 1))
        batched_s, batched = attack_throughput.timed(lambda: ways[0](vlm, queries, images, rows))
        ours_s, ours = attack_throughput.timed(lambda: ways[1](vlm, queries, images, rows))
    return {
        "ours_qps": len(queries) / ours_s,
        "over_batch1": (one_s / alone) / (ours_s / len(queries)),
        "over_batched": batched_s / ours_s,
        "equal_share": sum(ours[key].strip() == text for key, text in batched.items()) / len(queries),
        "peak_gib": align_step.peak_gib(),
        "said_words": sum(len(text.split()) for text in ours.values()),
        "queries": len(queries),
        "batch_size": rows,
        "new_tokens": attack_throughput.NEW_TOKENS,
    }


def recipe_section(name: str, *, tiny: bool) -> Figures:
    """Return time and memory of two steps of a recipe."""
    shape, device = (TINY if tiny else FULL)[LLAVA_13B if "13b" in name else LLAVA], device_of(tiny)
    recipe: AlignConfig = resolve(AlignConfig, RECIPES / f"{name}.yaml", {"steps": 2}, None)
    micro = min(recipe.micro_batch_size or recipe.batch_size, 2 if tiny else recipe.batch_size)
    batch = min(recipe.batch_size, 2 * micro)
    config = recipe.model_copy(update={"batch_size": batch, "micro_batch_size": micro})
    with tempfile.TemporaryDirectory() as folder:
        data = align_step.make_data(batch, Path(folder), shape[1]["image_size"])
        if config.method.name == "sft":
            data = AlignData(retain=data.retain, forget=(), images=data.images)
        needs, _ = planned(shape, data, config, device)
        vlm = vlm_of(shape, name, device)
        ends: list[float] = []
        result = align(vlm, data, config, partial(_note_step, ends))
    if result.stopped or result.steps != 2:
        raise RuntimeError(f"ended after {result.steps} steps: {result.stopped}")
    return {
        "step_s": ends[1] - ends[0],
        "peak_gib": align_step.peak_gib(),
        "estimate_gib": needs,
        "batch_size": batch,
        "loss": [sum(parts.values()) for parts in result.parts],
    }


def _note_step(ends: list[float], stage: str, _done: int, _total: int) -> None:
    if stage == "align":
        ends.append(align_step.now())


def device_of(tiny: bool) -> str:
    """Return the device; raise an error if a full-size section would run on a CPU."""
    if tiny:
        return "cpu"
    if not torch.cuda.is_available():
        raise RuntimeError("torch finds no GPU; --tiny runs the same code on the CPU")
    return "cuda"


_SHAPES = (LLAVA, QWEN)
SECTIONS: dict[str, Callable[..., Figures]] = {
    **{f"align:{one}:{method}": partial(align_section, one, method) for one in _SHAPES for method in METHODS},
    **{f"attack:{one}": partial(attack_section, one) for one in _SHAPES},
    **{f"recipe:{file.stem}": partial(recipe_section, file.stem) for file in sorted(RECIPES.glob("*.yaml"))},
}


def run_section(name: str, tiny: bool, into: Path) -> None:
    """Run a section in this process, and write its outcome to a file."""
    if tiny:
        torch.set_num_threads(1)
    try:
        outcome: Figures = {"outcome": "done", **SECTIONS[name](tiny=tiny)}
    except DoesNotFitError as error:
        outcome = {"outcome": "skipped", "why": str(error)}
    except Exception as error:  # one section must not end the others
        traceback.print_exc()
        outcome = {"outcome": "failed", "why": f"{type(error).__name__}: {one_line(error)}"}
    into.write_text(json.dumps(outcome), encoding="utf-8")


def in_own_process(name: str, tiny: bool, limit: float) -> Figures:
    """Return the outcome of a section that may take `limit` seconds."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads that have nothing to do
        into = Path(folder) / "outcome.json"
        process = multiprocessing.get_context("fork").Process(target=run_section, args=(name, tiny, into))
        process.start()
        process.join(max(limit, 0.0))
        late = process.is_alive()
        if late:
            process.kill()
        process.join()
        if late:
            outcome: Figures = {"outcome": "failed", "why": f"took longer than {limit:.3g} s"}
        elif into.is_file():
            outcome = json.loads(into.read_text("utf-8"))
        else:
            outcome = {"outcome": "failed", "why": f"its process ended with exit code {process.exitcode}"}
    return outcome | {"seconds": time.monotonic() - started, "limit_s": limit}


def outcomes(names: Sequence[str], tiny: bool, minutes: float) -> Iterator[tuple[str, Figures]]:
    """Yield each section with its outcome; those that no time is left for have failed."""
    end = time.monotonic() + 60 * minutes
    for name in names:
        left = end - time.monotonic()
        if left < 1:
            yield name, {"outcome": "failed", "why": f"not run: the {minutes:g} minutes are over"}
        else:
            yield name, in_own_process(name, tiny, min(LIMITS[name.split(":")[0]], left))


def line(name: str, outcome: Figures) -> str:
    """Return a one-line summary."""
    shown = ("step_s", "floor_s", "over_floor", "ours_qps", "over_batch1", "over_batched", "equal_share", "peak_gib")
    figures = [f"{key} {outcome[key]:.3g}" for key in shown if key in outcome]
    return f"{name}: {outcome['outcome']} {', '.join(figures) or outcome.get('why', '')}"


def main(words: Sequence[str] | None = None) -> int:
    """Run the sections; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="write the JSON to this file too")
    parser.add_argument("--only", default="", help="beginnings of sections, by comma")
    parser.add_argument("--minutes", type=float, default=10.0, help="limit of the whole run")
    parser.add_argument("--tiny", action="store_true", help="tiny models on the CPU")
    options = parser.parse_args(words)
    chosen = options.only.split(",")
    names = [name for name in SECTIONS if any(name.startswith(one) for one in chosen)]
    if not names:
        parser.error(f"--only {options.only}: no section; valid: {', '.join(SECTIONS)}")
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # a look for GPUs must not start CUDA before processes fork
    started = time.monotonic()
    found: dict[str, Figures] = {}
    for name, outcome in outcomes(names, options.tiny, options.minutes):
        found[name] = outcome
        print(line(name, outcome), file=sys.stderr)
    failed = [name for name, outcome in found.items() if outcome["outcome"] == "failed"]
    # After the sections: it starts CUDA.
    gpu = torch.cuda.get_device_properties(0).total_memory / GIB if torch.cuda.is_available() else None
    document = {
        "settings": {
            "tiny": options.tiny,
            "only": options.only,
            "minutes": options.minutes,
            "limits_s": LIMITS,
            "rate": RATE,
            "bandwidth": BANDWIDTH,
            "shapes": {name: sizes for name, (_, sizes) in (TINY if options.tiny else FULL).items()},
        },
        "gpu_gib": gpu,
        "sections": found,
        "failed": failed,
        "seconds": time.monotonic() - started,
        **made_by(),
    }
    hand_on(document, options.keep)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
