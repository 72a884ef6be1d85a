"""A repaired model and a few samples in, the model fine-tuned on them out: does what was unlearned come back?

Fine-tuning on a handful of harmful examples undoes safety training, and ordinary data may do so too (Qi et al. 2023,
arXiv 2310.03693). After unlearning, a part of the forget set, or data that is only related, can bring back the rest (Hu
et al. 2024, arXiv 2406.13356); as a test of unlearning it is one of eight in Lynch et al. 2024 (arXiv 2402.16835).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field

from unmirage.align import AlignConfig, AlignData, SftConfig, align
from unmirage.align.run import Progress
from unmirage.data.images import Pictures
from unmirage.models.huggingface import HuggingFaceVLM
from unmirage.records import Sample


class RelearnConfig(AlignConfig):
    """How to fine-tune: plain SFT, the same number of steps whatever the number of samples.

    So a model sees 8 samples as often in all as 128, and learns them by heart: what differs between the two is the
    data, not the training. The rate is constant, for the same reason. All settings of `unmirage align` are taken.
    """

    method: SftConfig = SftConfig()
    learning_rate: float = Field(default=2e-5, gt=0, allow_inf_nan=False)
    batch_size: int = Field(default=8, ge=1, description="samples in a step; they repeat where there are fewer")
    steps: int = Field(default=40, ge=1, description="optimiser steps, for any number of samples")
    schedule: Literal["cosine", "linear", "constant"] = "constant"
    warmup: float = Field(default=0.0, ge=0, lt=1)


def in_drawn_order(samples: Iterable[Sample], seed: int) -> list[Sample]:
    """Return the samples that have an answer in random order: the first n of them are what n samples are.

    So 8 samples are among the 32, and these among the 128.
    """
    found = [sample for sample in samples if sample.answer.strip()]
    random.Random(f"relearn-{seed}").shuffle(found)
    return found


def relearn(
    vlm: HuggingFaceVLM,
    samples: Sequence[Sample],
    images: Pictures,
    config: RelearnConfig,
    progress: Progress | None = None,
) -> None:
    """Fine-tune `vlm` in place on all of `samples`; without any, it stays as it is.

    The same samples and seed give the same weights.

    Raises:
        UserError: the samples cannot be learned from, or training diverged.
    """
    if samples:
        align(vlm, AlignData(retain=samples, images=images), config, progress)
