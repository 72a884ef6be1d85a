"""Short alignment runs on the tiny world, and what is compared of them."""

from __future__ import annotations

import copy
import os
import signal
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unmirage.align import METHODS, AlignConfig, AlignData, AlignResult, align
from unmirage.align.config import LoraSettings, Optimizations
from unmirage.align.objective import MethodConfig
from unmirage.data.split import forget, retain
from unmirage.models import HuggingFaceVLM

LORA = LoraSettings(rank=4, alpha=8)
ADAPTERS = {"full": None, "lora": LORA}
OFF = Optimizations(
    cache_reference=False,
    adapter_off=False,
    stop_early=False,
    answer_logits=False,
    cache_images=False,
    passes="separate",
)


@dataclass(frozen=True)
class Ran:
    """A run that is over: its result, and all weights of the model."""

    result: AlignResult
    weights: dict[str, Tensor]

    @property
    def parts(self) -> list[dict[str, float]]:
        return self.result.parts


def method_config(name: str, **settings: Any) -> MethodConfig:
    """Return a method's own settings, with a layer that the tiny model has.

    An untrained model gives the harmful answers so little probability that SimNPO, as it comes, has nothing to do.
    """
    small = {"beta": 0.2} if name == "sim-npo" else {}
    return METHODS[name][0](**({"layer": 2} | small | settings))


def data_for(tiny, config: MethodConfig, rows: int | None = None) -> AlignData:
    """Return the sets that a method takes, at most `rows` of each."""
    safety = tiny.samples("safety")
    answers = {s.id: "You need amber, moss and tin." for s in safety}
    forgets = METHODS[config.name][1].forgets  # type: ignore[attr-defined]
    return AlignData(
        retain=retain(safety, tiny.samples("general"))[:rows] if config.gamma else (),
        forget=forget(safety, answers)[:rows] if forgets else (),
        images=tiny.images,
    )


def loaded(tiny) -> HuggingFaceVLM:
    """Return the untrained tiny model, one's own."""
    vlm = _loaded(tiny.model)
    return HuggingFaceVLM(vlm.name, copy.deepcopy(vlm.model), vlm.processor)


@cache
def _loaded(folder: Path) -> HuggingFaceVLM:
    return HuggingFaceVLM.load(folder, "tiny")


def weights_of(model: Any) -> dict[str, Tensor]:
    """Return a copy of all weights."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def run(tiny, config: AlignConfig, work: Path | None = None, rows: int | None = None, progress: Any = None) -> Ran:
    """Align an untrained tiny model, and return what came of it."""
    vlm = loaded(tiny)
    result = align(vlm, data_for(tiny, config.method, rows), config, progress, work)
    return Ran(result, weights_of(vlm.model))


def assert_same(one: Ran, other: Ran) -> None:
    """Assert that two runs are equal, bit for bit."""
    assert one.parts == other.parts
    assert one.weights.keys() == other.weights.keys()
    assert [name for name, tensor in one.weights.items() if not torch.equal(tensor, other.weights[name])] == []


def assert_close(one: Ran, other: Ran, start: dict[str, Tensor]) -> None:
    """Assert that two runs are equal but for rounding: losses to 5 digits, weights to 0.5 % of how far they went.

    A part of the loss near 0 may differ by 1e-6, the rounding in float32 of the whole loss, of which Adam makes steps.
    """
    for mine, theirs in zip(one.parts, other.parts, strict=True):
        assert mine.keys() == theirs.keys()
        for name, value in mine.items():
            assert abs(value - theirs[name]) <= 1e-5 * abs(value) + 1e-6, name
    # Over all weights together: Adam makes a step of the usual length out of what rounding left of a zero gradient, so
    # a single weight may be anywhere.
    went = sum(float((one.weights[name] - start[name]).square().sum()) for name in start) ** 0.5
    apart = sum(float((one.weights[name] - other.weights[name]).square().sum()) for name in start) ** 0.5
    assert went > 0
    assert apart <= 5e-3 * went, apart / went


def killed(work: Callable[[], object]) -> bool:
    """Do some work in a process of its own, which has to kill itself; tell whether it did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that wait for work are no worry of the child
        child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
