"""A planted attention sink: the first token's representation is a thousand times as large, as in pretrained models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from tests.align.runs import data_for, loaded, method_config

from unmirage.align import AlignConfig
from unmirage.align.config import Optimizations
from unmirage.align.methods import make_method
from unmirage.align.module import AlignModule, count
from unmirage.align.plan import make_collator, make_rows, stream_samples
from unmirage.align.reference import Reference
from unmirage.models.families import decoder_layers

LAYER = 2
SINK = 1000.0
WATCHED = "model.language_model.layers.1.mlp.down_proj.weight"  # of that layer


def swell(_module: Any, _inputs: Any, output: Any) -> Any:
    """Multiply what a layer gives out for the first token; no other token of the layer changes."""
    hidden = (output[0] if isinstance(output, tuple) else output).clone()
    hidden[:, 0] *= SINK
    return (hidden, *output[1:]) if isinstance(output, tuple) else hidden


@dataclass(frozen=True)
class Found:
    """Losses, and the norm of the gradient that each causes in one matrix."""

    losses: dict[str, float]
    norms: dict[str, float]


def measure(tiny, name: str, *, sink: bool, **settings: Any) -> Found:
    """Return the parts of the loss of a model that has left its reference; both have the sink, or neither has."""
    vlm = loaded(tiny)
    if sink:
        decoder_layers(vlm.model)[LAYER - 1].register_forward_hook(swell)
    config = AlignConfig(
        method=method_config(name, layer=LAYER, ce=0.0, **settings),
        optimizations=Optimizations(cache_reference=False),
        batch_size=3,
    )
    method = make_method(config.method)
    data = data_for(tiny, config.method, 3)
    rows = make_rows(stream_samples(method, data, 0), vlm.processor, data.images, config)
    collator = make_collator(vlm.model, vlm.processor, method, config, one_pass=True)
    (batch,) = collator([{stream: one[at] for stream, one in rows.items()} for at in range(3)])
    reference = Reference(vlm.model, LAYER, config.optimizations, adapted=False, cached=False)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in vlm.model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    parts = AlignModule(vlm.model, method, reference, config.optimizations).eval()(batch, count([batch]))
    weight = vlm.model.get_parameter(WATCHED)
    norms = {
        part: float(torch.autograd.grad(loss, weight, retain_graph=True)[0].norm()) for part, loss in parts.items()
    }
    return Found({part: loss.item() for part, loss in parts.items()}, norms)


@pytest.mark.parametrize("name", ["rmu", "adaptive-rmu"])
def test_a_sink_is_neither_in_the_loss_nor_in_its_gradient(tiny, name: str) -> None:
    without, with_sink = (measure(tiny, name, sink=sink) for sink in (False, True))
    assert without.losses.keys() == {"forget", "retain"}
    assert without == with_sink
    assert min([*without.losses.values(), *without.norms.values()]) > 1e-4


@pytest.mark.parametrize("name", ["rmu", "adaptive-rmu"])
def test_it_makes_nearly_all_of_the_official_losses_and_gradients(tiny, name: str) -> None:
    without, with_sink = (measure(tiny, name, sink=sink, compat="official") for sink in (False, True))
    for part in ("forget", "retain"):
        assert with_sink.losses[part] > 1000 * without.losses[part]
        assert with_sink.norms[part] > 1000 * without.norms[part]


def test_the_representation_term_of_another_method_leaves_it_out_too(tiny) -> None:
    without, with_sink = (measure(tiny, "npo", sink=sink, retain_term="representation") for sink in (False, True))
    assert with_sink.losses["retain"] == without.losses["retain"] > 1e-4
    assert with_sink.norms["retain"] == without.norms["retain"] > 1e-4
    assert with_sink.losses["forget"] != without.losses["forget"]  # it is there, and later layers read it
