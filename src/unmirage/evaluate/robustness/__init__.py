"""Test whether safety lasts: build modified copies of a model (relearned, quantized, sampled) and query them again."""

from unmirage.evaluate.robustness.relearning import RelearnConfig, in_drawn_order, relearn
from unmirage.evaluate.robustness.stress import RelearnData, Stress, run_stress
from unmirage.evaluate.robustness.syntax import same_syntax
from unmirage.evaluate.robustness.variants import (
    INT8,
    NO_ADAPTER,
    RELEARNED,
    TEMPERATURE,
    base_alone,
    plan_variants,
    round_to_int8,
)

__all__ = [
    "INT8",
    "NO_ADAPTER",
    "RELEARNED",
    "TEMPERATURE",
    "RelearnConfig",
    "RelearnData",
    "Stress",
    "base_alone",
    "in_drawn_order",
    "plan_variants",
    "relearn",
    "round_to_int8",
    "run_stress",
    "same_syntax",
]
