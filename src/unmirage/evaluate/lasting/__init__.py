"""Test whether safety lasts: build modified copies of a model (relearned, quantized, sampled) and query them again."""

from unmirage.evaluate.lasting.int8 import round_to_int8
from unmirage.evaluate.lasting.relearning import RelearnConfig, in_drawn_order, relearn
from unmirage.evaluate.lasting.stress import RelearnData, Stress, run_stress
from unmirage.evaluate.lasting.syntax import same_syntax
from unmirage.evaluate.lasting.variants import INT8, NO_ADAPTER, RELEARNED, TEMPERATURE, plan_variants
from unmirage.evaluate.lasting.without_adapter import base_alone

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
