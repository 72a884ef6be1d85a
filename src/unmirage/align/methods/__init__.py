"""All alignment methods. A new one is a module here and a line in `METHODS`, or an entry point "unmirage.methods"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from unmirage.align.methods.dpo import Dpo, DpoConfig
from unmirage.align.methods.gradient_ascent import Ga, GaConfig, GradDiff, GradDiffConfig, KlMin, KlMinConfig
from unmirage.align.methods.npo import Npo, NpoConfig, SimNpo, SimNpoConfig
from unmirage.align.methods.rmu import AdaptiveRmu, AdaptiveRmuConfig, Rmu, RmuConfig
from unmirage.align.methods.sft import Sft, SftConfig, TaskVector, TaskVectorConfig
from unmirage.align.objective import Method, MethodConfig
from unmirage.registry import Registry

__all__ = [
    "METHODS",
    "METHOD_CONFIGS",
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

METHOD_CONFIGS: Registry[type[MethodConfig]] = Registry(
    "method", "unmirage.methods", {name: config for name, (config, _) in METHODS.items()}
)


def _validated(value: Any) -> Any:
    """Return the config of a method: unchanged, or as an instance of the class registered under its name."""
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping):
        return value
    name = value.get("name", SftConfig().name)
    return METHOD_CONFIGS.find(str(name)).model_validate(dict(value))


# The config of any registered method, and any other config that is passed as an object.
AnyMethodConfig = Annotated[SerializeAsAny[MethodConfig], BeforeValidator(_validated)]


def make_method(config: MethodConfig) -> Method:
    """Return the method of a config; other packages create theirs in `MethodConfig.make`."""
    if config.name in METHODS and isinstance(config, METHODS[config.name][0]):
        return METHODS[config.name][1](config)
    return config.make()
