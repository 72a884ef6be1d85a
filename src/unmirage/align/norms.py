"""Measure how large a model's activations are, to choose the length of RMU's control vector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from unmirage.align.config import AlignConfig
from unmirage.align.dataset import EncodedSamples, PassCollator, Rows
from unmirage.align.forward import raw_outputs
from unmirage.align.sinks import mean_squares
from unmirage.data.images import Pictures
from unmirage.models.huggingface import HuggingFaceVLM
from unmirage.records import Sample


@torch.no_grad()
def median_norms(
    vlm: HuggingFaceVLM, samples: Sequence[Sample], images: Pictures, layers: Iterable[int]
) -> dict[int, float]:
    """Return the median norm of the activations on query and answer tokens, by 1-based decoder layer."""
    rows = Rows(EncodedSamples(samples, vlm.processor, images, mark_query=True))
    collator = PassCollator(
        pad_token_id=vlm.processor.tokenizer.pad_token_id,
        image_token_id=getattr(vlm.model.config, "image_token_id", None),
        plan=(("forget",),),
        tokens={"forget": "answer"},
    )
    batch = collator.batch({"forget": [rows[number] for number in range(len(rows))]}).to(vlm.model.device)
    found = {}
    for layer in layers:
        raw = raw_outputs(vlm.model, batch, {"forget": frozenset({"hidden"})}, layer, AlignConfig().optimizations)
        hidden = raw["forget"].hidden
        assert hidden is not None
        found[layer] = float((mean_squares(hidden).median() * hidden.shape[-1]).sqrt())
    return found
