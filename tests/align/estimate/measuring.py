"""What the estimates are held against: the true model's saved tensors, operations and states, on the CPU."""

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from unmirage.align import AlignData
from unmirage.align.dataset import Row
from unmirage.align.estimate.blocks import shape_of
from unmirage.align.estimate.flops import Work
from unmirage.align.estimate.lengths import sized
from unmirage.align.estimate.memory import Widths
from unmirage.align.estimate.passes import Passes
from unmirage.align.lora import choose_trainable, set_checkpointing
from unmirage.align.methods import make_method
from unmirage.align.module import AlignModule, count
from unmirage.align.plan import make_collator, make_rows, needs_reference, stream_samples
from unmirage.align.reference import Reference
from unmirage.data.split import forget, retain

# PyTorch's own counter does not know attention on the CPU.
CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_, out_shape=None, **__: (
        sdpa_flop_count(q, k, v)
    ),
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: lambda g, q, k, v, *_, out_shape=None, **__: (
        sdpa_backward_flop_count(g, q, k, v)
    ),
}


def few(tiny):
    """Return data of three samples a stream."""
    data = data_of(tiny)
    return AlignData(retain=data.retain[:3], forget=data.forget[:3], images=data.images)


def data_of(tiny, *, with_forget=True):
    safety = tiny.samples("safety")
    answers = {sample.id: "You need amber, moss and tin." for sample in safety}
    return AlignData(
        retain=retain(safety, tiny.samples("general")),
        forget=forget(safety, answers) if with_forget else (),
        images=tiny.images,
    )


@dataclass
class Step:
    """One micro-batch through the true model, and what was foretold of it."""

    saved: int
    operations: float
    foretold_saved: float
    foretold_operations: float


def take_step(vlm, data, config, rows=2, *, mixed=False):
    """Run forward and backward of one micro-batch of so many rows of each stream."""
    method, model = make_method(config.method), vlm.model
    if mixed:
        config = config.model_copy(update={"precision": "bfloat16"})
    adapter = choose_trainable(model, config)
    set_checkpointing(model, config.checkpointing)
    collator = make_collator(model, vlm.processor, method, config, one_pass=False)
    streams = stream_samples(method, data, config.seed)
    encoded = make_rows(streams, vlm.processor, data.images, config)
    cached = not needs_reference(method, streams)
    reference = Reference(model, config.method.layer, config.optimizations, adapted=adapter is not None, cached=cached)
    module = AlignModule(model, method, reference, config.optimizations)
    items = [{name: Row(one.samples[index]) for name, one in encoded.items()} for index in range(rows)]
    batches = collator(items)
    counts = count(batches)
    trained = {tuple(sorted(one.shape)) for one in model.parameters() if one.requires_grad and one.ndim == 2}
    own = {one.untyped_storage().data_ptr() for one in model.parameters()}
    seen: dict[int, int] = {}
    kept = []

    def pack(tensor):
        storage = tensor.untyped_storage()
        cast = mixed and tuple(sorted(tensor.shape)) in trained  # autocast's copies of weights are no activations
        if not cast and storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
            kept.append(tensor)
        return tensor

    peak, counter = 0, FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION)
    context = torch.autocast("cpu", torch.bfloat16) if mixed else nullcontext()
    model.train()
    with counter:
        for batch in batches:
            seen.clear()
            kept.clear()
            with context, saved_tensors_hooks(pack, lambda tensor: tensor):
                loss = torch.stack(list(module(batch, counts).values())).sum()
            peak = max(peak, sum(seen.values()))
            loss.backward()
    shape = shape_of(model)
    passes, work = Passes(shape, method, config), Work(model.to("meta"), config, collator, encoded)
    sizes = {name: sized(name, one, shape, collator, 10_000).sizes for name, one in encoded.items()}
    loads = [{name: sizes[name][:rows] for name in names} for names in collator.plan]
    widths = Widths.of(torch.bfloat16 if mixed else torch.float32, shape.embedding_dtype)
    return Step(
        saved=peak,
        operations=counter.get_total_flops(),
        foretold_saved=max(passes.held(load, widths).saved for load in loads),
        foretold_operations=sum(map(work.step, loads)),
    )
