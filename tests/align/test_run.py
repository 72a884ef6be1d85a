"""Alignment runs on the untrained tiny VLM: what changes, what must not, and what the losses start at."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tests.align.runs import ADAPTERS, assert_same, data_for, loaded, method_config, run, weights_of

from unmirage.align import METHODS, AlignConfig, AlignData, align
from unmirage.errors import UserError
from unmirage.models.families import part_of

FAST: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 4, "steps": 3}
ROWS = 5


def _changed(tiny, config: AlignConfig) -> set[str]:
    start, ran = weights_of(loaded(tiny).model), run(tiny, config, rows=ROWS)
    return {name for name, tensor in ran.weights.items() if not torch.equal(tensor, start[name])}


@pytest.mark.parametrize("name", METHODS)
def test_only_the_trainable_parts_change(tiny, name: str) -> None:
    config = AlignConfig(method=method_config(name), trainable=("language",), **FAST)
    assert {part_of(loaded(tiny).model, weight) for weight in _changed(tiny, config)} == {"language"}


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("parts", [("projector",), ("vision",), ("language", "projector"), ("vision", "language")])
def test_any_parts_can_train(tiny, adapter: str, parts: tuple[str, ...]) -> None:
    config = AlignConfig(trainable=parts, lora=ADAPTERS[adapter], **FAST)
    assert {part_of(loaded(tiny).model, weight) for weight in _changed(tiny, config)} == set(parts)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_down_projections_can_train_alone(tiny, adapter: str) -> None:
    config = AlignConfig(
        method=method_config("rmu"), trainable=("down_proj:1-2", "projector"), lora=ADAPTERS[adapter], **FAST
    )
    language = {name for name in _changed(tiny, config) if part_of(loaded(tiny).model, name) == "language"}
    assert language == {f"model.language_model.layers.{at}.mlp.down_proj.weight" for at in (0, 1)}


def test_a_layer_that_the_model_lacks_is_refused(tiny) -> None:
    with pytest.raises(UserError, match=r"layer 5: the model has no such layer; valid: 1 to 4"):
        run(tiny, AlignConfig(trainable=("down_proj:4-9",), **FAST), rows=ROWS)


STARTS = {
    "npo": {"forget": 2 / 0.1 * math.log(2), "retain": 0},
    "dpo": {"forget": math.log(2)},
    "rmu": {"retain": 0},
    "adaptive-rmu": {"retain": 0},
    "kl-min": {"retain": 0},
}


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("name", STARTS)
def test_losses_start_where_policy_and_reference_agree(tiny, name: str, adapter: str) -> None:
    """2/beta ln 2 for NPO, ln 2 for DPO, nothing for what is kept; and then they leave it."""
    config = AlignConfig(method=method_config(name), lora=ADAPTERS[adapter], warmup=0, **FAST)
    parts = run(tiny, config, rows=ROWS).parts
    for part, value in STARTS[name].items():
        assert parts[0][part] == pytest.approx(value, rel=1e-6, abs=1e-6)
        assert abs(parts[-1][part] - value) > 1e-5


@pytest.mark.parametrize("name", METHODS)
def test_what_is_trained_down_goes_down(tiny, name: str) -> None:
    config = AlignConfig(method=method_config(name), learning_rate=1e-3, batch_size=5, steps=12, warmup=0)
    losses = [sum(parts.values()) for parts in run(tiny, config, rows=ROWS).parts]
    assert losses[-1] < losses[0] - 0.02 * abs(losses[0])


def test_sft_learns_its_answers(tiny) -> None:
    parts = run(tiny, AlignConfig(learning_rate=3e-3, batch_size=8, steps=25)).parts
    assert parts[-1]["cross_entropy"] < 0.5 * parts[0]["cross_entropy"]


@pytest.mark.parametrize("tokens", ["query", "all"])
def test_the_forget_loss_can_cover_the_query(tiny, tokens: str) -> None:
    answer, other = (
        run(tiny, AlignConfig(method=method_config("ga", loss_tokens=which), **FAST), rows=ROWS)
        for which in ("answer", tokens)
    )
    assert abs(answer.parts[0]["forget"] - other.parts[0]["forget"]) > 1e-3


@pytest.mark.parametrize("name", ["npo", "rmu"])
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_same_seed_same_weights_other_seed_other_weights(tiny, name: str, adapter: str) -> None:
    first, again, other = (
        run(tiny, AlignConfig(method=method_config(name), lora=ADAPTERS[adapter], seed=seed, **FAST), rows=ROWS)
        for seed in (1, 1, 2)
    )
    assert_same(first, again)
    assert any(not torch.equal(tensor, other.weights[weight]) for weight, tensor in first.weights.items())


def test_bfloat16_arithmetic_follows_float32(tiny) -> None:
    settings = {"method": method_config("npo"), "warmup": 0.0} | FAST
    exact, rounded = (run(tiny, AlignConfig(precision=p, **settings), rows=ROWS) for p in ("float32", "bfloat16"))
    for one, other in zip(exact.parts, rounded.parts, strict=True):
        assert sum(other.values()) == pytest.approx(sum(one.values()), rel=0.03)
    assert exact.parts[1]["cross_entropy"] != rounded.parts[1]["cross_entropy"]


def test_progress_counts_what_is_looked_at_and_every_step(tiny) -> None:
    seen: list[tuple[str, int, int]] = []
    run(tiny, AlignConfig(method=method_config("npo"), **FAST), rows=4, progress=lambda *what: seen.append(what))
    assert seen[-3:] == [("align", 1, 3), ("align", 2, 3), ("align", 3, 3)]
    before = seen[:-3]
    assert {stage for stage, _, _ in before} == {"caching reference outputs"}
    # pictures one by one and texts four at once, of both streams
    assert [done for _, done, _ in before] == [1, 2, 3, 4, 4] * 2


def test_samples_without_a_picture_are_fine(tiny) -> None:
    from dataclasses import replace

    config = AlignConfig(method=method_config("npo"), **FAST)
    data = data_for(tiny, config.method, ROWS)
    texts = [replace(sample, image=None) for sample in data.retain]
    mixed = AlignData(retain=[*texts[:2], *data.retain[2:]], forget=data.forget, images=tiny.images)
    for retain in (texts, mixed.retain):
        result = align(loaded(tiny), replace(mixed, retain=retain), config)
        assert all(math.isfinite(value) for parts in result.parts for value in parts.values())


def test_the_result_says_what_was_done(tiny) -> None:
    result = run(tiny, AlignConfig(method=method_config("rmu", scale=5), **FAST), rows=ROWS).result
    assert (result.steps, len(result.parts), result.stopped, result.ignored) == (3, 3, "", ())
    assert result.seconds > 0
    assert result.adapter is None
    assert result.state["control"].norm().item() == pytest.approx(5, abs=1e-4)


def test_a_step_that_cannot_be_cut_is_refused(tiny) -> None:
    with pytest.raises(UserError, match=r"micro_batch_size: 3 does not divide the 4 rows .* valid: 1, 2, 4"):
        run(tiny, AlignConfig(micro_batch_size=3, **FAST), rows=ROWS)
