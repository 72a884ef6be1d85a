"""All alignment methods. A new one is one module here and one line in `METHODS`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unmirage.align.methods.adaptive_rmu import AdaptiveRmu, AdaptiveRmuConfig
from unmirage.align.methods.dpo import Dpo, DpoConfig
from unmirage.align.methods.ga import Ga, GaConfig
from unmirage.align.methods.grad_diff import GradDiff, GradDiffConfig
from unmirage.align.methods.kl_min import KlMin, KlMinConfig
from unmirage.align.methods.npo import Npo, NpoConfig
from unmirage.align.methods.rmu import Rmu, RmuConfig
from unmirage.align.methods.sft import Sft, SftConfig
from unmirage.align.methods.sim_npo import SimNpo, SimNpoConfig
from unmirage.align.methods.task_vector import TaskVector, TaskVectorConfig
from unmirage.align.objective import Method, MethodConfig
from unmirage.errors import unknown

__all__ = [
    "METHODS",
    "AdaptiveRmuConfig",
    "AnyMethodConfig",
    "DpoConfig",
    "GaConfig",
    "GradDiffConfig",
    "KlMinConfig",
    "NpoConfig",
    "RmuConfig",
    "SftConfig",
    "SimNpoConfig",
    "TaskVectorConfig",
    "make_method",
    "method_config_class",
]

METHODS: dict[str, tuple[type[MethodConfig], type[Method]]] = {
    "adaptive-rmu": (AdaptiveRmuConfig, AdaptiveRmu),
    "dpo": (DpoConfig, Dpo),
    "ga": (GaConfig, Ga),
    "grad-diff": (GradDiffConfig, GradDiff),
    "kl-min": (KlMinConfig, KlMin),
    "npo": (NpoConfig, Npo),
    "rmu": (RmuConfig, Rmu),
    "sft": (SftConfig, Sft),
    "sim-npo": (SimNpoConfig, SimNpo),
    "task-vector": (TaskVectorConfig, TaskVector),
}

AnyMethodConfig = Annotated[
    AdaptiveRmuConfig
    | DpoConfig
    | GaConfig
    | GradDiffConfig
    | KlMinConfig
    | NpoConfig
    | RmuConfig
    | SftConfig
    | SimNpoConfig
    | TaskVectorConfig,
    Field(discriminator="name"),
]


def method_config_class(name: str) -> type[MethodConfig]:
    """Return the config class of a method, or raise `UserError` with the known names."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return METHODS[name][0]


def make_method(config: AnyMethodConfig) -> Method:
    """Return the method that a config describes."""
    build: type[Method] = METHODS[config.name][1]
    return build(config)
