"""Alignment: SFT baselines and unlearning on Hugging Face VLMs."""

from unmirage.align.config import AlignConfig
from unmirage.align.methods import METHODS, NpoConfig, RmuConfig, SftConfig
from unmirage.align.plan import AlignData
from unmirage.align.run import AlignResult, align

__all__ = [
    "METHODS",
    "AlignConfig",
    "AlignData",
    "AlignResult",
    "NpoConfig",
    "RmuConfig",
    "SftConfig",
    "align",
]
