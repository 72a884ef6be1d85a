"""Whatever work is left out, and however a step is cut up, every method learns the same."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from tests.align.runs import ADAPTERS, OFF, Ran, assert_close, data_for, loaded, method_config, run, weights_of

from unmirage.align import METHODS, AlignConfig, align
from unmirage.align.config import Optimizations
from unmirage.align.methods import make_method
from unmirage.align.plan import looks_inside

# Four micro-batches of one row make a step; fewer samples than rows, so that the second pass begins within a step.
SETTINGS: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 4, "steps": 3, "warmup": 0.0}
ROWS = 5
VARIANTS: dict[str, dict[str, Any]] = {
    "all": {"optimizations": OFF},
    "cache_reference": {"optimizations": Optimizations(cache_reference=False)},
    "adapter_off": {"optimizations": Optimizations(adapter_off=False)},
    "reference is a copy": {"optimizations": Optimizations(cache_reference=False, adapter_off=False)},
    "stop_early": {"optimizations": Optimizations(stop_early=False)},
    "answer_logits": {"optimizations": Optimizations(answer_logits=False)},
    "cache_images": {"optimizations": Optimizations(cache_images=False)},
    "joint": {"optimizations": Optimizations(passes="joint")},
    "separate": {"optimizations": Optimizations(passes="separate")},
    "micro-batches of 1": {"micro_batch_size": 1},
    "micro-batches of 2": {"micro_batch_size": 2},
    "rows of a step by length": {"micro_batch_size": 2, "order": "within-steps"},
    "half the layers again": {"checkpointing": 0.5},
    "all layers again": {"checkpointing": 1.0},
}


def _matters(variant: str, name: str, adapter: str) -> bool:
    """Tell whether a variant of a run is another computation."""
    method = make_method(method_config(name))
    compares = bool(method.needs("forget") | (method.needs("retain") if method.retains else frozenset()))
    inside, sides = looks_inside(method), method.forgets and method.retains
    return {
        "cache_reference": compares,
        "adapter_off": compares and adapter == "lora",
        "reference is a copy": compares and adapter == "lora",
        "stop_early": inside,
        "joint": inside,
        "separate": sides and not inside,
        "micro-batches of 2": name in ("npo", "rmu"),
        "rows of a step by length": name in ("sft", "npo", "rmu") and adapter == "full",
        "half the layers again": adapter == "full",
        "all layers again": adapter == "lora",
    }.get(variant, True)


CASES = [
    (name, adapter, variant)
    for name in METHODS
    for adapter in ADAPTERS
    for variant in VARIANTS
    if _matters(variant, name, adapter)
]


@pytest.fixture(scope="module")
def as_it_comes(tiny):
    """Return the run of a method with everything on, made once."""

    @cache
    def get(name: str, adapter: str) -> Ran:
        config = AlignConfig(method=method_config(name), lora=ADAPTERS[adapter], **SETTINGS)
        return run(tiny, config, rows=ROWS)

    return get


@pytest.mark.parametrize(("name", "adapter", "variant"), CASES)
def test_work_saved_or_cut_up_changes_nothing(tiny, as_it_comes, name: str, adapter: str, variant: str) -> None:
    config = AlignConfig(method=method_config(name), lora=ADAPTERS[adapter], **SETTINGS, **VARIANTS[variant])
    assert_close(as_it_comes(name, adapter), run(tiny, config, rows=ROWS), weights_of(loaded(tiny).model))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("npo", {"retain_term": "npo"}),
        ("npo", {"retain_term": "npo", "separate_retain": True}),
        ("rmu", {}),
        ("rmu", {"separate_retain": True}),
        ("adaptive-rmu", {}),
    ],
)
@pytest.mark.parametrize("variant", ["all", "joint", "separate", "half the layers again"])
def test_saving_changes_nothing_of_the_official_losses(tiny, name: str, settings: dict, variant: str) -> None:
    """Padding counts in the means of the paper's code, so what a stream is padded with must not."""
    method = method_config(name, compat="official", **settings)
    ran = [run(tiny, AlignConfig(method=method, **SETTINGS, **how), rows=ROWS) for how in ({}, VARIANTS[variant])]
    assert_close(*ran, weights_of(loaded(tiny).model))


def test_the_official_losses_do_depend_on_the_micro_batch(tiny) -> None:
    """What `compat` is there to show: its NPO is another one when the same step is cut otherwise."""
    method = method_config("npo", compat="official", retain_term="npo")
    whole, cut = (
        run(tiny, AlignConfig(method=method, micro_batch_size=size, **SETTINGS), rows=ROWS) for size in (4, 1)
    )
    assert abs(whole.parts[1]["forget"] - cut.parts[1]["forget"]) > 1e-4


def test_dropout_of_the_adapter_leaves_the_reference_alone(tiny) -> None:
    """What the reference says is the same whether it was asked before or is asked in the midst of training."""
    lora = ADAPTERS["lora"].model_copy(update={"dropout": 0.5})
    settings = SETTINGS | {"learning_rate": 1e-2}
    cached, asked, plain = (
        run(
            tiny, AlignConfig(method=method_config("npo"), lora=one, optimizations=optimizations, **settings), rows=ROWS
        )
        for one, optimizations in (
            (lora, Optimizations()),
            (lora, Optimizations(cache_reference=False)),
            (ADAPTERS["lora"], Optimizations()),
        )
    )
    assert [step["forget"] for step in asked.parts] == pytest.approx(
        [step["forget"] for step in cached.parts], rel=1e-4
    )
    assert abs(plain.parts[2]["forget"] / cached.parts[2]["forget"] - 1) > 1e-3


def test_a_picture_that_several_samples_show_is_looked_at_once(tiny) -> None:
    config = AlignConfig(method=method_config("sft"), micro_batch_size=2, **SETTINGS)
    data = data_for(tiny, config.method, ROWS)
    first, second = data.retain[0], data.retain[1]
    assert None not in (first.image, second.image)
    assert first.image != second.image
    shared = tuple(
        replace(sample, image=(first.image, second.image, None)[number % 3])
        for number, sample in enumerate(data.retain)
    )
    data = replace(data, retain=shared)

    def trained(optimizations: Optimizations) -> tuple[Ran, list[int]]:
        vlm = loaded(tiny)
        looks: list[int] = []
        vlm.model.model.vision_tower.embeddings.patch_embedding.register_forward_pre_hook(
            lambda _module, given: looks.append(len(given[0]))
        )
        told: list[tuple[str, int, int]] = []
        result = align(
            vlm, data, config.model_copy(update={"optimizations": optimizations}), lambda *step: told.append(step)
        )
        if optimizations.cache_images:
            assert [step for step in told if step[0] == "caching reference outputs"] == [
                ("caching reference outputs", 1, 2),
                ("caching reference outputs", 2, 2),
            ]
        return Ran(result, weights_of(vlm.model)), looks

    kept, looks = trained(Optimizations())
    looked_again, all_looks = trained(Optimizations(cache_images=False))
    assert looks == [1, 1]
    assert sum(all_looks) > 2
    assert_close(kept, looked_again, weights_of(loaded(tiny).model))
