"""Measure how likely given answers are under a model."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from unmirage.align.config import AlignConfig
from unmirage.align.dataset import EncodedSamples, PassCollator, Rows
from unmirage.align.forward import raw_outputs, spoken
from unmirage.align.objective import Stream
from unmirage.data.images import Pictures
from unmirage.models.huggingface import HuggingFaceVLM
from unmirage.records import Sample


@torch.no_grad()
def answer_losses(
    vlm: HuggingFaceVLM, samples: Sequence[Sample], images: Pictures, batch_size: int = 16
) -> list[float]:
    """Return the loss of each sample's answer: the mean of -log pi(token | before) over its tokens, in nats.

    Args:
        vlm: the model; dropout is switched off.
        samples: queries with answers.
        images: their pictures.
        batch_size: samples per pass.
    """
    model, optimizations = vlm.model, AlignConfig().optimizations
    rows = Rows(EncodedSamples(samples, vlm.processor, images))
    collator = PassCollator(
        pad_token_id=vlm.processor.tokenizer.pad_token_id,
        image_token_id=getattr(model.config, "image_token_id", None),
        plan=(("retain",),),
        tokens={"retain": "answer"},
    )
    training = model.training
    model.eval()
    found: list[float] = []
    try:
        for start in range(0, len(samples), batch_size):
            some = [rows[number] for number in range(start, min(start + batch_size, len(samples)))]
            batch = collator.batch({"retain": some}).to(model.device)
            raw = raw_outputs(model, batch, {"retain": frozenset({"log_probs"})}, 1, optimizations)["retain"]
            outputs = spoken(model, batch, "retain", raw)
            stream = Stream(len(some), batch.loss_rows("retain"), outputs)
            found += (-stream.means(outputs.log_probs)).tolist()
    finally:
        model.train(training)
    return found
