"""Fine-tune an aligned model on a few samples, to test whether unlearned behavior returns.

Fine-tuning on a few harmful examples undoes safety training, and ordinary data may do so too (Qi et al. 2023, arXiv
2310.03693). After unlearning, part of the forget set or related data can restore the rest (Hu et al. 2024, arXiv
2406.13356). Lynch et al. 2024 (arXiv 2402.16835) list relearning as one of eight tests of unlearning.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field

from unmirage.align import AlignConfig, AlignData, SftConfig, align
from unmirage.data.images import Pictures
from unmirage.models.huggingface import HuggingFaceVLM
from unmirage.records import Sample
from unmirage.run.progress import Progress


class RelearnConfig(AlignConfig):
    """Fine-tuning settings: plain SFT with a constant learning rate and a fixed number of steps.

    The number of steps does not depend on the number of samples. Runs with 8 and 128 samples therefore differ in the
    data, not in the amount of training. All settings of `unmirage align` are valid.
    """

    method: SftConfig = SftConfig()
    learning_rate: float = Field(default=2e-5, gt=0, allow_inf_nan=False)
    batch_size: int = Field(default=8, ge=1, description="samples per step; samples repeat if there are fewer")
    steps: int = Field(default=40, ge=1, description="optimizer steps, for any number of samples")
    schedule: Literal["cosine", "linear", "constant"] = "constant"
    warmup: float = Field(default=0.0, ge=0, lt=1)


def in_drawn_order(samples: Iterable[Sample], seed: int) -> list[Sample]:
    """Return the samples with an answer in random order.

    A set of n samples consists of the first n, so smaller sets are subsets of larger ones.
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
    """Fine-tune `vlm` in place on all of `samples`. Without samples, the model stays unchanged.

    The same samples and seed give the same weights.

    Raises:
        UserError: the samples are not usable for training, or training diverged.
    """
    if samples:
        align(vlm, AlignData(retain=samples, images=images), config, progress)
