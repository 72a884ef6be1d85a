"""All alignment methods. A new one is a module here and a line in `METHODS`, or an entry point "unmirage.methods"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny, ValidationError

from unmirage.align.methods.dpo import Dpo, DpoConfig
from unmirage.align.methods.gradient_ascent import Ga, GaConfig, GradDiff, GradDiffConfig, KlMin, KlMinConfig
from unmirage.align.methods.npo import Npo, NpoConfig, SimNpo, SimNpoConfig
from unmirage.align.methods.rmu import AdaptiveRmu, AdaptiveRmuConfig, Rmu, RmuConfig
from unmirage.align.methods.sft import Sft, SftConfig, TaskVector, TaskVectorConfig
from unmirage.align.objective import Method, MethodConfig, Part, Parts
from unmirage.registry import InvalidError, Registry, has

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


def _check_config(entry: Any) -> None:
    if not isinstance(entry, type) or not issubclass(entry, MethodConfig) or "name" not in entry.model_fields:
        shown = entry.__name__ if isinstance(entry, type) else repr(entry)
        raise InvalidError(f"got {shown}; valid: a subclass of MethodConfig with a field 'name'")


def _parts(found: Any, *_: Any, **__: Any) -> Parts:
    if not isinstance(found, dict) or not all(isinstance(one, Part) for one in found.values()):
        raise InvalidError(f"it returned {found!r}; valid: a dict of Part")
    return found


METHOD_CONFIGS: Registry[type[MethodConfig]] = Registry(
    "method",
    "unmirage.methods",
    {name: config for name, (config, _) in METHODS.items()},
    _check_config,
    made=has("a Method, from make() of the config", Method),
    results={"forget": _parts, "retain": _parts},
)


def _validated(value: Any) -> Any:
    """Return the config of a method: unchanged, or as an instance of the class registered under its name."""
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping):
        return value
    name = str(value.get("name", SftConfig().name))
    config = METHOD_CONFIGS.find(name)
    with METHOD_CONFIGS.running(name, "failed in its settings", (ValidationError,)):
        return config.model_validate(dict(value))


# The config of any registered method, and any other config that is passed as an object.
AnyMethodConfig = Annotated[SerializeAsAny[MethodConfig], BeforeValidator(_validated)]


def make_method(config: MethodConfig) -> Method:
    """Return the method of a config; other packages create theirs in `MethodConfig.make`."""
    if config.name in METHODS and isinstance(config, METHODS[config.name][0]):
        return METHODS[config.name][1](config)
    return METHOD_CONFIGS.create(config.name, config.make)
