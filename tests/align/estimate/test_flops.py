"""Counted operations of loads that were not counted themselves, and of filling the caches."""

import pytest
import torch
from tests.align.estimate.measuring import CPU_ATTENTION, data_of
from torch.utils.flop_counter import FlopCounterMode

from unmirage.align import AlignConfig, NpoConfig
from unmirage.align.config import Optimizations
from unmirage.align.estimate.blocks import shape_of
from unmirage.align.estimate.flops import Work
from unmirage.align.estimate.lengths import sized
from unmirage.align.estimate.run import estimate
from unmirage.align.lora import choose_trainable
from unmirage.align.methods import AdaptiveRmuConfig, make_method
from unmirage.align.module import AlignModule
from unmirage.align.plan import make_collator, make_dataset, make_rows, step_count, stream_samples
from unmirage.align.reference_cache import Memory


def test_loads_between_counted_ones_are_exact(wide, tiny, monkeypatch):
    config = AlignConfig(method=NpoConfig(), checkpointing=0.5)
    method, data = make_method(config.method), data_of(tiny)
    choose_trainable(wide.model, config)
    collator = make_collator(wide.model, wide.processor, method, config, one_pass=False)
    encoded = make_rows(stream_samples(method, data, 0), wide.processor, data.images, config)
    sizes = {name: sized(name, one, shape_of(wide.model), collator, 99).sizes for name, one in encoded.items()}
    lengths = {max(sizes[name][number].tokens for name in sizes) for number in range(24)}
    assert len(lengths) > 3
    loads = [{name: sizes[name][number : number + 2] for name in sizes} for number in range(22)]
    loads += [{name: sizes[name][number : number + 1] for name in sizes} for number in range(4)]
    runs = 0
    forward = AlignModule.forward

    def counted(*arguments):
        nonlocal runs
        runs += 1
        return forward(*arguments)

    monkeypatch.setattr(AlignModule, "forward", counted)
    wide.model.to("meta")
    work = Work(wide.model, config, collator, encoded)
    found = [work.step(load) for load in loads]
    # Rows x tokens, rows x tokens^2, image tokens, and tokens with loss.
    assert runs <= 4
    fresh = [Work(wide.model, config, collator, encoded).step(load) for load in loads]
    assert runs >= len(loads)
    assert found == pytest.approx(fresh, rel=1e-6)
    assert len(set(fresh)) > 8


@pytest.mark.parametrize("method", [NpoConfig(retain_term="kl"), AdaptiveRmuConfig(layer=2)], ids=lambda one: one.name)
@pytest.mark.parametrize("images", [True, False])
def test_caches_are_filled_with_the_operations_that_are_foretold(tiny, tmp_path, method, images):
    config = AlignConfig(
        method=method,
        batch_size=2,
        micro_batch_size=1,
        precision="float32",
        optimizations=Optimizations(cache_images=images),
    )
    data, vlm = data_of(tiny), tiny.load()
    made = make_method(config.method)
    choose_trainable(vlm.model, config)
    collator = make_collator(vlm.model, vlm.processor, made, config, one_pass=False)
    rows = make_rows(stream_samples(made, data, config.seed), vlm.processor, data.images, config)
    dataset = make_dataset(rows, step_count(data, config), config)
    with FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION) as counter, torch.no_grad():
        Memory(vlm.model, collator, config, tmp_path, "key").fill(rows, dataset, made, None, write=True)
    foretold = estimate(tiny.model, data, config).preparation_tflop * 1e12
    assert foretold == pytest.approx(counter.get_total_flops(), rel=1e-9)
