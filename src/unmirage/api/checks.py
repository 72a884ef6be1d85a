"""Check the arguments of public functions against their annotations, without importing the annotated classes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_PLAIN: dict[str, Callable[[object], bool]] = {
    "Any": lambda _: True,
    "None": lambda value: value is None,
    "bool": lambda value: isinstance(value, bool),
    "float": lambda value: isinstance(value, Real) and not isinstance(value, bool),
    "int": lambda value: isinstance(value, Integral) and not isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    "PathLike": lambda value: isinstance(value, str | Path),
    "Encoder": callable,
    "Progress": callable,
    "LabelSource": lambda value: isinstance(value, str),
}
# What an object of a protocol has; a subclass is not needed.
_PROTOCOLS = {
    "Judge": ("name", "judge"),
    "Rewriter": ("name", "reword"),
    "VLM": ("name", "answer"),
}


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with its arguments checked.

    The annotations must be strings (`from __future__ import annotations`). Keyword arguments that `**name` collects are
    not checked.

    Raises:
        TypeError: an argument is missing, unknown, or has another type; the message names it.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: P.args, **keywords: P.kwargs) -> R:
        try:
            given = signature.bind(*args, **keywords).arguments
        except TypeError as error:
            raise TypeError(f"{function.__name__}(): {error}") from None
        for name, value in given.items():
            parameter = signature.parameters[name]
            if parameter.kind is not parameter.VAR_KEYWORD and not _fits(value, parameter.annotation):
                wanted = parameter.annotation.replace("PathLike", "path")
                raise TypeError(f"{function.__name__}(): {name}: expected {wanted}, got {type(value).__name__}")
        return function(*args, **keywords)

    return call


def _fits(value: object, annotation: str) -> bool:
    return any(_fits_one(value, one) for one in _split(annotation, " | "))


def _fits_one(value: object, annotation: str) -> bool:
    name, _, inner = annotation.removesuffix("]").partition("[")
    if name == "Sequence":
        return isinstance(value, Sequence) and not isinstance(value, str) and all(_fits(one, inner) for one in value)
    if name == "Mapping":
        key, kept = _split(inner, ", ")
        return isinstance(value, Mapping) and all(_fits(a, key) and _fits(b, kept) for a, b in value.items())
    if name in _PROTOCOLS:
        return all(hasattr(value, one) for one in _PROTOCOLS[name])
    return _PLAIN[name](value) if name in _PLAIN else name in {one.__name__ for one in type(value).__mro__}


def _split(annotation: str, mark: str) -> list[str]:
    """Split at the marks outside of brackets."""
    parts: list[str] = []
    for piece in annotation.split(mark):
        if parts and parts[-1].count("[") > parts[-1].count("]"):
            parts[-1] += mark + piece
        else:
            parts.append(piece)
    return parts
