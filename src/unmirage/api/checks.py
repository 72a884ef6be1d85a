"""Check the arguments of public functions against their annotations, without importing the annotated classes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from typing import ParamSpec, TypeVar

from pydantic import ValidationError

from unmirage.errors import UserError, unknown
from unmirage.workflows.arguments import READING

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
    "Callable": callable,
    "Progress": callable,
    "Label": lambda value: isinstance(value, str),
}
# The smallest valid values of whole numbers, and the arguments that must not be empty, by name.
_LEAST = {
    "batch_size": 1,
    "limit": 1,
    "max_new_tokens": 1,
    "over_prudence_shots": 1,
    "retain_size": 1,
    "samples": 0,
    "seed": 0,
    "shots": 1,
}
_NOT_EMPTY = ("answers_from", "files", "judge", "kinds", "run", "samples")
# What an object of a protocol has; a subclass is not needed.
_PROTOCOLS = {
    "Judge": ("name", "judge"),
    "Rewriter": ("name", "reword"),
    "PictureTraining": ("train",),
    "TextEncoder": ("encode",),
    "VLM": ("name", "answer"),
}


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with its arguments checked.

    The annotations must be strings (`from __future__ import annotations`). Keyword arguments that `**name` collects are
    not checked.

    Raises:
        TypeError: an argument is missing, unknown, or has another type; the message names it.
        UserError: a number is too small, a list is empty, or a setting is wrong; the message names it.
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
            if name == "reading":
                _check_reading(value, [key for key in signature.parameters if key != name])
            _check_value(name, value)
        try:
            return function(*args, **keywords)
        except ValidationError as error:
            raise UserError(f"{function.__name__}(): {_first(error)}") from None

    return call


def _check_reading(given: Mapping[str, object], own: Sequence[str]) -> None:
    for name in given:
        if name not in READING:
            raise unknown("argument", name, [*own, *READING])
    columns = given.get("columns")
    if not _fits(columns, "Mapping[str, str] | None"):
        raise TypeError(f"columns: expected a mapping such as {{'query': 'prompt'}}, got {type(columns).__name__}")


def _check_value(name: str, value: object) -> None:
    if name in _NOT_EMPTY and isinstance(value, Sequence) and not value:
        raise UserError(f"{name}: empty; name at least one")
    least = _LEAST.get(name)
    for one in value if isinstance(value, list | tuple) else [value]:
        if least is not None and isinstance(one, Integral) and one < least:
            raise UserError(f"{name}: {one} is too small; valid: {least} or more")


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]


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
