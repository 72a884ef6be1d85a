"""Training on preference pairs: with every way to save work, broken off and continued, and with a retain set."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.align.runs import ADAPTERS, Ran, assert_close, assert_same, loaded, weights_of

from unmirage.align import AlignConfig, AlignData, align
from unmirage.align.config import Optimizations
from unmirage.align.estimate.run import estimate
from unmirage.align.methods import DpoConfig, NpoConfig, RmuConfig, make_method
from unmirage.align.plan import check_data, preferred, stream_samples, suited
from unmirage.data.split import forget, retain
from unmirage.errors import UserError

SETTINGS: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 4, "steps": 3, "warmup": 0.0}
ROWS = 5


def data_for(tiny, *, kept: bool = False) -> AlignData:
    """Return pairs of a refusal and a harmful answer, all with images, and a retain set if it is `kept`."""
    safety = tiny.samples("safety")
    pairs = [replace(one, rejected="You need amber, moss and tin.") for one in safety if one.refused][:ROWS]
    kept_rows = retain(safety, tiny.samples("general"))[:ROWS] if kept else ()
    return AlignData(retain=kept_rows, images=tiny.images, pairs=pairs)


def run(tiny, data: AlignData, config: AlignConfig, work: Path | None = None, progress: Any = None) -> Ran:
    vlm = loaded(tiny)
    result = align(vlm, data, config, progress, work)
    return Ran(result, weights_of(vlm.model))


@pytest.fixture(scope="module")
def as_it_comes(tiny):
    """Return the run of a loss and an adapter with everything on, made once."""

    @cache
    def get(loss: str, adapter: str) -> Ran:
        config = AlignConfig(method=DpoConfig(loss=loss), lora=ADAPTERS[adapter], **SETTINGS)
        return run(tiny, data_for(tiny, kept=adapter == "full"), config)

    return get


@pytest.mark.parametrize(
    ("loss", "adapter", "variant"),
    [
        ("dpo", "lora", {"optimizations": Optimizations(cache_reference=False)}),
        ("ipo", "full", {"optimizations": Optimizations(cache_reference=False, cache_images=False)}),
        ("ipo", "lora", {"optimizations": Optimizations(cache_reference=False, adapter_off=False)}),
        ("dpo", "full", {"optimizations": Optimizations(passes="separate"), "micro_batch_size": 1}),
        ("simpo", "lora", {"micro_batch_size": 2, "checkpointing": 1.0}),
    ],
)
def test_work_saved_or_cut_up_changes_nothing(tiny, as_it_comes, loss: str, adapter: str, variant: dict) -> None:
    config = AlignConfig(method=DpoConfig(loss=loss), lora=ADAPTERS[adapter], **SETTINGS, **variant)
    other = run(tiny, data_for(tiny, kept=adapter == "full"), config)
    assert_close(as_it_comes(loss, adapter), other, weights_of(loaded(tiny).model))


def test_first_losses_are_those_of_equal_policy_and_reference(as_it_comes) -> None:
    first = {loss: as_it_comes(loss, "lora").parts[0] for loss in ("dpo", "ipo")}
    assert first["dpo"] == {"forget": pytest.approx(0.693147, abs=1e-5)}
    assert first["ipo"] == {"forget": pytest.approx((1 / (2 * 0.1)) ** 2, rel=1e-5)}
    assert list(as_it_comes("dpo", "full").parts[0]) == ["forget", "cross_entropy"]
    assert as_it_comes("dpo", "lora").parts[-1]["forget"] < 0.69


@pytest.mark.parametrize(("loss", "adapter"), [("ipo", "full"), ("dpo", "lora")])
def test_broken_off_and_continued_is_bitwise_the_same(tiny, tmp_path: Path, loss: str, adapter: str) -> None:
    config = AlignConfig(method=DpoConfig(loss=loss), lora=ADAPTERS[adapter], **SETTINGS, save_every=1)
    data = data_for(tiny, kept=True)

    def stop(stage: str, done: int, _total: int) -> None:
        if (stage, done) == ("align", 2):
            raise KeyboardInterrupt

    whole = run(tiny, data, config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tiny, data, config, tmp_path / "work", stop)
    assert_same(run(tiny, data, config, tmp_path / "work"), whole)


def test_caches_are_those_of_the_loss_and_hold_each_image_once(tiny, tmp_path: Path) -> None:
    names: dict[str, list[str]] = {}
    for loss in ("dpo", "simpo"):
        config = AlignConfig(method=DpoConfig(loss=loss), lora=ADAPTERS["lora"], **{**SETTINGS, "steps": 1})
        run(tiny, data_for(tiny), config, tmp_path / loss)
        names[loss] = sorted(path.name.rsplit("-", 1)[0] for path in (tmp_path / loss / "caches").glob("*.bin"))
    assert names == {"dpo": ["forget-features", "forget-log_probs", "prefer-log_probs"], "simpo": ["forget-features"]}


def test_pairs_of_the_fixed_answers_are_the_fixed_answers(tiny) -> None:
    """The older preference is that of pairs whose chosen answers are dealt to the forget set."""
    safety = tiny.samples("safety")
    harmful = forget(safety, {one.id: "You need amber, moss and tin." for one in safety})[:ROWS]
    config = AlignConfig(method=DpoConfig(gamma=0), **SETTINGS)
    chosen = preferred(harmful, make_method(config.method).preferred(), config.seed)
    pairs = [replace(one, rejected=other.answer) for one, other in zip(chosen, harmful, strict=True)]
    fixed = AlignData(retain=(), images=tiny.images, forget=harmful)
    assert_same(run(tiny, replace(fixed, forget=(), pairs=pairs), config), run(tiny, fixed, config))


def test_without_a_retain_set_the_loss_is_that_of_the_pairs_alone(tiny) -> None:
    data, config = data_for(tiny), AlignConfig(method=DpoConfig())
    assert suited(config, data).method.gamma == 0
    assert suited(config, data_for(tiny, kept=True)) is config
    asked = AlignConfig(method=DpoConfig(gamma=0.5))
    assert suited(asked, data) is asked
    with pytest.raises(UserError, match="retain: the set is empty"):
        align(loaded(tiny), data, asked)


def test_streams_have_the_rejected_and_the_chosen_answers(tiny) -> None:
    streams = stream_samples(make_method(DpoConfig()), data_for(tiny, kept=True), 0)
    assert list(streams) == ["forget", "prefer", "retain"]
    assert {one.answer for one in streams["forget"]} == {"You need amber, moss and tin."}
    assert [one.answer for one in streams["prefer"]] == [one.answer for one in data_for(tiny).pairs]


def test_estimate_counts_both_answers(tiny) -> None:
    plan = estimate(tiny.model, data_for(tiny), AlignConfig(method=DpoConfig(), **SETTINGS))
    assert [(one.stream, one.samples) for one in plan.lengths] == [("forget", ROWS), ("prefer", ROWS)]
    kept = [(one.stream, one.what) for one in plan.disk]
    assert kept == [("forget", "image features"), ("forget", "log-probs"), ("prefer", "log-probs")]


@pytest.mark.parametrize(
    ("method", "change", "message"),
    [
        (NpoConfig(), {}, "pairs: method 'npo' does not learn from pairs; valid: dpo"),
        (RmuConfig(layer=2), {}, "pairs: method 'rmu' does not learn from pairs"),
        (DpoConfig(), {"forget": "pairs"}, "pairs: method 'dpo' learns from pairs or from a forget set"),
        (DpoConfig(), {"pairs": ()}, "harmful responses to forget, or preference pairs"),
        (DpoConfig(), {"rejected": " "}, r"the answer is empty \(5 such samples\)"),
    ],
)
def test_what_does_not_fit(tiny, method: Any, change: dict[str, Any], message: str) -> None:
    data = data_for(tiny, kept=True)
    if "forget" in change:
        data = replace(data, forget=data.pairs)
    if "pairs" in change:
        data = replace(data, pairs=())
    if "rejected" in change:
        data = replace(data, pairs=[replace(one, rejected=change["rejected"]) for one in data.pairs])
    with pytest.raises(UserError, match=message):
        check_data(make_method(method), loaded(tiny).model, data, AlignConfig(method=method))
