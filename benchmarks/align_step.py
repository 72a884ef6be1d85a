"""Measure time and memory of a training step, compared with the algorithm of the paper's code.

    python benchmarks/align_step.py --json [--shape cpu | 7b] [--only npo_lora,npo_full,rmu] [--steps 2] [--keep FILE]

A step has one forget and one retain sample, each with an image of 576 tokens and about 60 tokens of text. Model,
samples, order, precision, optimizer (AdamW, gradients clipped at 1) and learning rate are the same for all sides. The
sides run one after the other, each in its own process. Three methods:

- npo_lora: NPO, adapters of rank 128 on all linear modules of language model and projector;
- npo_full: NPO, all weights of language model and projector;
- rmu: RMU with cross-entropy, training the projector and the MLP outputs of layers 5 to 7.

Three sides:

- official: the algorithm of the paper's code, reimplemented below. Every step runs a frozen copy of the whole model and
  encodes every image again. Every forward pass computes all layers and the logits of all tokens, all decoder layers are
  checkpointed, and one backward pass follows all forward passes. One improvement over the original: NPO's
  cross-entropy and retain term share one forward pass, which the original runs twice.
- ours: `unmirage.align.align` with the losses of the paper's code (`compat: official`) and its optimizations, with only
  as many checkpointed layers as needed to keep peak memory below that of official (`checkpointing` in the JSON).
- ours with all decoder layers checkpointed, like official.

`ratio` is official's seconds divided by ours, `ratio_same_checkpointing` the same with all layers checkpointed; `fits`
is whether our peak memory is at most official's. Caching reference outputs and image features (`fill_s` for one forget
and one retain sample) is not part of a step. `ratio_amortised` includes it for a single epoch of 1,000 steps over 2,000
samples (`epoch_s`). Seconds are medians over the measured steps, from the end of one backward pass to the end of the
next, without the first step. GiB are the peak of the whole process including caching, with glibc configured to release
large freed tensors (on a GPU: the peak of allocated tensors). `loss_diff` is the largest difference between the losses
of official and ours in any step.

Weights are random. `cpu` is a LLaVA of about 420 M parameters in float32 with 24 layers. Relative to the decoder, its
vision tower and output layer cost as much as in LLaVA-1.5-7B (4 % and 2 %). It is narrow, so adapters of rank 128 and
activations are larger relative to its weights. `7b` has the shape of LLaVA-1.5-7B, for a GPU: bfloat16 computation,
trained weights in float32. There, `floor_s` is the time of the minimum computation of the method at 790 TFLOP/s, plus
the optimizer's memory traffic at 4.3 TB/s for npo_full; `over_floor` is our time divided by it. A side that runs out of
memory is null.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from peft import LoraConfig, inject_adapter_in_model
from PIL import Image
from random_llava import SHAPE_7B, make_vlm
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from unmirage.align import AlignConfig, AlignData, NpoConfig, RmuConfig, align
from unmirage.align.config import LoraSettings, Optimizations
from unmirage.align.sampler import Order
from unmirage.data import ImageFolder
from unmirage.models import HuggingFaceVLM
from unmirage.models.conversation import Conversation
from unmirage.models.encoding import collate, encode_example
from unmirage.records import Sample
from unmirage.run.files import write_text_atomic
from unmirage.run.machine import describe_machine

EDGE = 336
SHAPES = {
    "cpu": {
        "vision": {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 5, "num_attention_heads": 8},
        "text": {"hidden_size": 1152, "intermediate_size": 3104, "num_hidden_layers": 24, "num_attention_heads": 18},
        "image_size": EDGE,
        "vocab_size": 6656,
    },
    "7b": SHAPE_7B,
}
RANK, ALPHA, LAYER, SCALE, DOWN_LAYERS = 128, 256, 7, 10.0, (5, 6, 7)
LEARNING_RATES = {"npo_lora": 1.1e-5, "npo_full": 5e-7, "rmu": 1e-5}
BETAS = {"npo_lora": 0.7, "npo_full": 0.9}
# Share of the decoder layers that ours checkpoints, so that its peak stays below official's.
CHECKPOINTING = {"npo_lora": 0.0, "npo_full": 0.0, "rmu": 0.0}
FLOORS = {"npo_lora": 0.045, "npo_full": 0.108, "rmu": 0.033}  # one H200, LLaVA-1.5-7B
SIDES = ("official", "ours", "ours_checkpointed")
# Of glibc: large tensors go back to the system when they are freed, so that a peak is what is in use, not fragments.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
OUT_OF_MEMORY: dict[str, Any] = dict.fromkeys(("step_s", "steps_s", "gib", "fill_s", "losses"))
WARM_UP = 1
EPOCH_SAMPLES = 2000
WORDS = (
    "the small red door opens when light falls on a metal plate near window and people walk by with two bags".split()
)


def make_data(count: int, folder: Path, edge: int = EDGE) -> AlignData:
    """Write noise images, and return forget and retain samples about them."""
    numbers, draw = np.random.default_rng(0), random.Random(0)

    def sample(stream: str, number: int) -> Sample:
        name = f"{stream}-{number}"
        pixels = numbers.integers(0, 256, (edge, edge, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
        query, answer = (" ".join(draw.choices(WORDS, k=words)) for words in (18, 26 + number % 5))
        return Sample(
            id=name, record=name, query=query, answer=answer, image=f"{name}.png", refused=False, label_source="field"
        )

    forget, retain = ([sample(stream, number) for number in range(count)] for stream in ("forget", "retain"))
    return AlignData(retain=retain, forget=forget, images=ImageFolder(folder))


@dataclass
class Measured:
    """Measurements of a side: end time and loss of each step, and seconds of caching for a pair of samples."""

    ends: list[float]
    losses: list[float]
    fill_s: float = 0.0

    def step_ended(self, loss: float) -> None:
        self.ends.append(now())
        self.losses.append(loss)


def now() -> float:
    """Return the time after synchronizing the accelerator."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


# Ours.


def config_of(method: str, steps: int, checkpointing: float = 0.0) -> AlignConfig:
    """Return the settings of a training with the losses of the paper's code."""
    losses = {
        "npo": NpoConfig(compat="official", retain_term="npo", beta=BETAS.get(method, 1.0)),
        "rmu": RmuConfig(compat="official", layer=LAYER, scale=SCALE),
    }
    rmu_trains = ("projector", f"down_proj:{DOWN_LAYERS[0]}-{DOWN_LAYERS[-1]}")
    return AlignConfig(
        method=losses[method.split("_")[0]],
        learning_rate=LEARNING_RATES[method],
        batch_size=1,
        steps=steps,
        schedule="constant",
        warmup=0.0,
        trainable=rmu_trains if method == "rmu" else ("language", "projector"),
        lora=LoraSettings(rank=RANK, alpha=ALPHA) if method == "npo_lora" else None,
        checkpointing=checkpointing,
        optimizations=Optimizations(passes="separate"),
        collapse_nats=None,
    )


def run_ours(method: str, vlm: HuggingFaceVLM, data: AlignData, steps: int, checkpointing: float) -> Measured:
    """Train with `align`, and take the time at each progress report."""
    config = config_of(method, steps, checkpointing)
    measured = Measured([], [])
    rows: list[list[float]] = []  # when each row was looked at beforehand, one list a cache

    def watch(stage: str, done: int, _total: int) -> None:
        if stage == "align":
            measured.ends.append(now())
            return
        if done == 1:
            rows.append([])
        rows[-1].append(now())

    result = align(vlm, data, config, watch)
    measured.losses = [sum(parts.values()) for parts in result.parts]
    measured.fill_s = sum(statistics.median(gaps(times)) for times in rows)
    return measured


def gaps(times: Sequence[float]) -> list[float]:
    """Return the differences of consecutive times, in seconds."""
    return [after - before for before, after in itertools.pairwise(times)]


# The official algorithm.


def run_official(method: str, vlm: HuggingFaceVLM, data: AlignData, steps: int) -> Measured:
    """Train with the algorithm of the paper's code."""
    model = vlm.model
    reference = copy.deepcopy(model).eval().requires_grad_(False)
    trained = official_trainable(model, method)
    for layer in model.model.language_model.layers:
        layer.gradient_checkpointing = True
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
    model.train()
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATES[method], weight_decay=0.0)
    loss_of = rmu_loss if method == "rmu" else npo_loss
    autocast = torch.autocast("cuda", torch.bfloat16) if model.device.type == "cuda" else nullcontext()
    measured = Measured([], [])
    for forget, retain in list(official_batches(vlm, data, steps)):
        with autocast:
            loss = loss_of(method, model, reference, forget, retain)
        loss.backward()
        measured.step_ended(loss.item())
        del loss
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return measured


def official_trainable(model: Any, method: str) -> list[torch.nn.Parameter]:
    """Make the parameters of the method trainable, in float32, and return them."""
    model.requires_grad_(False)
    if method == "npo_lora":
        parts = ("model.language_model.", "model.multi_modal_projector.")
        linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
        targets = [name for name in linear if name.startswith(parts)]
        torch.manual_seed(0)
        adapter = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=targets, bias="none")
        inject_adapter_in_model(adapter, model)
    elif method == "npo_full":
        for part in (model.model.language_model, model.model.multi_modal_projector, model.lm_head):
            part.requires_grad_(True)
    else:
        model.model.multi_modal_projector.requires_grad_(True)
        for layer in DOWN_LAYERS:
            model.model.language_model.layers[layer - 1].mlp.down_proj.weight.requires_grad_(True)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.data = parameter.data.float()
    return trained


def official_batches(vlm: HuggingFaceVLM, data: AlignData, steps: int) -> Iterator[tuple[dict[str, Tensor], ...]]:
    """Yield the forget and the retain batch of each step, in the order of ours."""
    streams = {"forget": data.forget, "retain": data.retain}
    orders = {name: Order(name, len(samples), 0) for name, samples in streams.items()}
    for step in range(steps):
        yield tuple(
            official_batch(vlm, samples[orders[name].sample_at(step)], data) for name, samples in streams.items()
        )


def official_batch(vlm: HuggingFaceVLM, sample: Sample, data: AlignData) -> dict[str, Tensor]:
    """Return the model inputs of a sample, with the ids of its answer as `labels`."""
    example = encode_example(vlm.processor, Conversation.of(sample, data.images.open), sample.answer)
    batch = collate([example], vlm.processor.tokenizer.pad_token_id)
    del batch["query_mask"]
    return {key: tensor.to(vlm.model.device) for key, tensor in batch.items()}


def npo_loss(method: str, model: Any, reference: Any, forget: dict[str, Tensor], retain: dict[str, Tensor]) -> Tensor:
    """Return -(2/beta) log sigmoid(beta (l_f - l_f_ref)) + l_r + (2/beta) log sigmoid(beta (l_r - l_r_ref)).

    l is the mean cross-entropy of the answer's tokens.
    """
    beta = BETAS[method]
    forget_loss = answer_loss(model, forget)
    with torch.no_grad():
        forget_reference = answer_loss(reference, forget)
    retain_loss = answer_loss(model, retain)
    with torch.no_grad():
        retain_reference = answer_loss(reference, retain)
    forgotten = -(2 / beta) * F.logsigmoid(beta * (forget_loss - forget_reference))
    kept = (2 / beta) * F.logsigmoid(beta * (retain_loss - retain_reference))
    return forgotten + retain_loss + kept


def rmu_loss(_method: str, model: Any, reference: Any, forget: dict[str, Tensor], retain: dict[str, Tensor]) -> Tensor:
    """Return |h(forget) - c v|^2 + |h(retain) - h_ref(retain)|^2 + cross-entropy(retain), means over all positions."""
    forget_hidden = hidden_states(model, forget)
    vector = torch.rand(forget_hidden.shape[-1], generator=torch.Generator().manual_seed(0)).to(forget_hidden.device)
    target = (SCALE * vector / vector.norm()).expand_as(forget_hidden)
    retain_hidden = hidden_states(model, retain)
    with torch.no_grad():
        retain_reference = hidden_states(reference, retain)
    misdirected = F.mse_loss(forget_hidden.float(), target)
    moved = F.mse_loss(retain_hidden.float(), retain_reference.float())
    return misdirected + moved + answer_loss(model, retain)


def answer_loss(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """Return the mean cross-entropy of the answer's tokens, from logits at all tokens in float32."""
    inputs = {key: tensor for key, tensor in batch.items() if key != "labels"}
    logits = model(**inputs, use_cache=False).logits.float()
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten())


def hidden_states(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """Return the output of a layer (1, tokens, width) in a forward pass through the whole model."""
    seen: list[Tensor] = []
    layer = model.model.language_model.layers[LAYER - 1]
    handle = layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    model(**{key: tensor for key, tensor in batch.items() if key != "labels"}, use_cache=False)
    handle.remove()
    return seen[0]


# Measuring.


def run_side(method: str, side: str, shape: str, steps: int) -> dict[str, Any]:
    """Return the measurements of one side of one method; nulls if memory ran out."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    total = WARM_UP + steps
    with tempfile.TemporaryDirectory() as folder:
        data = make_data(total, Path(folder))
        try:
            vlm = make_vlm(shape, SHAPES[shape], [" ".join(WORDS)], device)
            if side == "official":
                measured = run_official(method, vlm, data, total)
            else:
                share = 1.0 if side == "ours_checkpointed" else CHECKPOINTING[method]
                measured = run_ours(method, vlm, data, total, share)
        except torch.cuda.OutOfMemoryError:
            return OUT_OF_MEMORY
    took = gaps(measured.ends)[WARM_UP - 1 :]
    return {
        "step_s": statistics.median(took),
        "steps_s": took,
        "gib": peak_gib(),
        "fill_s": measured.fill_s,
        "losses": measured.losses,
    }


def peak_gib() -> float:
    """Return the peak memory of this process, or of its tensors on a GPU."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def in_own_process(method: str, side: str, shape: str, steps: int) -> dict[str, Any]:
    """Return the result of `run_side` in a separate process."""
    command = [sys.executable, __file__, "--side", f"{method}:{side}", "--shape", shape, "--steps", str(steps)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | MALLOC)
    if done.returncode == -signal.SIGKILL:  # what the system does when memory runs out
        return OUT_OF_MEMORY
    done.check_returncode()
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{method} {side}: {result['step_s']} s a step, {result['gib']} GiB", file=sys.stderr)
    return result


def compare(method: str, shape: str, steps: int) -> dict[str, Any]:
    """Return the measurements of one method."""
    sides = {side: in_own_process(method, side, shape, steps) for side in SIDES}
    official, ours, same = (sides[side] for side in SIDES)
    figures: dict[str, Any] = {
        "ratio": over(official["step_s"], ours["step_s"]),
        "ratio_same_checkpointing": over(official["step_s"], same["step_s"]),
        "ratio_amortised": over(official["step_s"], plus(ours["step_s"], ours["fill_s"])),
        "official_s": official["step_s"],
        "ours_s": ours["step_s"],
        "ours_checkpointed_s": same["step_s"],
        "fits": None if official["gib"] is None or ours["gib"] is None else ours["gib"] <= official["gib"],
        "official_gib": official["gib"],
        "ours_gib": ours["gib"],
        "ours_checkpointed_gib": same["gib"],
        "fill_s": ours["fill_s"],
        "epoch_s": {
            side: None if one is None else EPOCH_SAMPLES // 2 * one
            for side, one in (("official", official["step_s"]), ("ours", plus(ours["step_s"], ours["fill_s"])))
        },
        "loss_diff": largest_difference(official["losses"], ours["losses"]),
        "loss_diff_same_checkpointing": largest_difference(official["losses"], same["losses"]),
        "losses": official["losses"],
        "steps_s": {side: measured["steps_s"] for side, measured in sides.items()},
        "checkpointing": CHECKPOINTING[method],
        "learning_rate": LEARNING_RATES[method],
    }
    if shape == "7b":
        figures |= {"floor_s": FLOORS[method], "over_floor": over(ours["step_s"], FLOORS[method])}
    return figures


def over(left: float | None, right: float | None) -> float | None:
    """Return left / right, if both are known."""
    return None if left is None or right is None else left / right


def plus(left: float | None, right: float | None) -> float | None:
    """Return left + right, if both are known."""
    return None if left is None or right is None else left + right


def largest_difference(left: Sequence[float] | None, right: Sequence[float] | None) -> float | None:
    """Return the largest difference between the losses of two sides in one step, if both are known."""
    return None if left is None or right is None else max(abs(a - b) for a, b in zip(left, right, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON alone on stdout")
    parser.add_argument("--shape", choices=SHAPES, default="cpu")
    parser.add_argument("--only", default=",".join(CHECKPOINTING), help="methods, by comma")
    parser.add_argument("--steps", type=int, default=2, help="steps measured, after the first")
    parser.add_argument("--keep", type=Path, help="write the JSON to this file too")
    parser.add_argument("--side", help=argparse.SUPPRESS)  # one side of one method, in this process
    options = parser.parse_args()
    if options.side:
        method, side = options.side.split(":")
        print(json.dumps(run_side(method, side, options.shape, options.steps)))
        return
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(CHECKPOINTING):
        parser.error(f"--only: {', '.join(sorted(unknown))}; valid: {', '.join(CHECKPOINTING)}")
    result: dict[str, Any] = {method: compare(method, options.shape, options.steps) for method in chosen}
    result["settings"] = settings(options.shape, options.steps)
    result["machine"] = describe_machine()
    text = json.dumps(result, indent=2)
    if options.keep:
        write_text_atomic(options.keep, text + "\n")
    print(text if options.json else "\n".join(line(method, result[method]) for method in chosen))


def settings(shape: str, steps: int) -> dict[str, Any]:
    """Return the settings that all sides share."""
    model = make_vlm(shape, SHAPES[shape], [" ".join(WORDS)], "meta").model
    return {
        "shape": shape,
        **SHAPES[shape],
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "image_tokens": model.config.image_seq_length,
        "rows_a_step": {"forget": 1, "retain": 1},
        "lora": {"rank": RANK, "alpha": ALPHA},
        "betas": BETAS,
        "rmu": {"layer": LAYER, "trains": ["projector", f"down_proj of layers {DOWN_LAYERS}"]},
        "steps_measured": steps,
        "epoch_samples": EPOCH_SAMPLES,
    }


def line(method: str, figures: dict[str, Any]) -> str:
    """Return a one-line summary."""
    shown = ("ratio", "ratio_same_checkpointing", "ratio_amortised", "official_gib", "ours_gib")
    parts = (f"{name} {'out of memory' if figures[name] is None else format(figures[name], '.2f')}" for name in shown)
    return f"{method}: {', '.join(parts)}"


if __name__ == "__main__":
    main()
