"""Samples with several images, with one and with none in one batch: each counts as it does alone."""

# ruff: noqa: F811  (fixtures of another room are imported, and taken as arguments)
from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.models.conftest import Family, _one_thread, family, family_images  # noqa: F401

from unmirage.align import AlignConfig, AlignData, RmuConfig
from unmirage.align.config import Optimizations
from unmirage.align.forward import PassBatch, Raw, raw_outputs
from unmirage.align.methods import make_method
from unmirage.align.plan import make_collator, make_rows, stream_samples
from unmirage.data import ImageFolder
from unmirage.records import Placed, Sample

LAYER = 3  # attends to text alone in Llama 3.2 Vision too


def samples() -> list[Sample]:
    """Return samples with one image, none, two, and one before which there is text."""
    images: list[tuple[str | None, tuple[Placed, ...]]] = [
        ("0.png", ()),
        (None, ()),
        ("1.png", (Placed("1.png", 0), Placed("2.png", 0))),
        ("3.png", (Placed("3.png", 5),)),
    ]
    return [
        Sample(
            id=f"s{at}", record=f"s{at}", query="Name it, please.", answer=f"It is {at}.", image=image, images=placed,
            refused=False, label_source="field",
        )
        for at, (image, placed) in enumerate(images)
    ]  # fmt: skip


def read(family: Family, images: ImageFolder, rows: list[Sample]) -> tuple[PassBatch, Raw]:
    config = AlignConfig(method=RmuConfig(layer=LAYER), batch_size=len(rows))
    method = make_method(config.method)
    held = make_rows(
        stream_samples(method, AlignData(retain=rows, forget=rows, images=images), 0), family.processor, images, config
    )
    collator = make_collator(family.model, family.processor, method, config, one_pass=True)
    (batch,) = collator([{name: one[at] for name, one in held.items()} for at in range(len(rows))])
    needs: Any = {"retain": frozenset({"log_probs", "hidden"})}
    with torch.inference_mode():
        return batch, raw_outputs(family.model, batch, needs, LAYER, Optimizations())["retain"]


@pytest.mark.parametrize("family", ["mllama", "molmo2", "minicpmv4.6", "idefics2"], indirect=True)
def test_each_sample_counts_as_it_does_alone(family: Family, family_images: ImageFolder) -> None:
    batch, together = read(family, family_images, samples())
    alone = [read(family, family_images, [one])[1] for one in samples()]
    for kind in ("final", "hidden"):
        expected = torch.cat([getattr(one, kind) for one in alone])
        torch.testing.assert_close(getattr(together, kind), expected, rtol=0, atol=2e-4)
    assert len(batch.inputs["input_ids"]) == 2 * len(alone)
