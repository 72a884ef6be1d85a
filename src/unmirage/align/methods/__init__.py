"""All alignment methods. A new one is one module here and one line in `METHODS`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unmirage.align.methods.npo import Npo, NpoConfig
from unmirage.align.methods.rmu import Rmu, RmuConfig
from unmirage.align.methods.sft import Sft, SftConfig
from unmirage.align.objective import Method, MethodConfig
from unmirage.errors import unknown

__all__ = [
    "METHODS",
    "AnyMethodConfig",
    "NpoConfig",
    "RmuConfig",
    "SftConfig",
    "make_method",
    "method_config_class",
]

METHODS: dict[str, tuple[type[MethodConfig], type[Method]]] = {
    "npo": (NpoConfig, Npo),
    "rmu": (RmuConfig, Rmu),
    "sft": (SftConfig, Sft),
}

AnyMethodConfig = Annotated[SftConfig | NpoConfig | RmuConfig, Field(discriminator="name")]


def method_config_class(name: str) -> type[MethodConfig]:
    """Return the config class of a method, or raise `UserError` with the known names."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return METHODS[name][0]


def make_method(config: AnyMethodConfig) -> Method:
    """Return the method that a config describes."""
    build: type = METHODS[config.name][1]
    method: Method = build(config)
    return method
