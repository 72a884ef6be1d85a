"""Find pictures and numbers inside the nested values of Arrow tables, guided by the types of their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal


def pictures_in(kind: Any) -> Literal["", "flat", "nested"]:
    """Return whether a column's cells are pictures ("flat"), or lists and structs with pictures in them ("nested")."""
    if _is_picture(kind):
        return "flat"
    return "nested" if any(pictures_in(part) for part in _parts(kind)) else ""


def replaced(value: Any, kind: Any, replace: Callable[[Any], Any]) -> Any:
    """Return a value of a column with its pictures replaced, in the order in which the file has them.

    Args:
        value: as Arrow converts it to Python.
        kind: the column's type, a `pyarrow.DataType`.
        replace: returns what takes the place of a picture, which is bytes or a dictionary. Null stays None.
    """
    if value is None or not pictures_in(kind):
        return value
    if _is_picture(kind):
        return replace(value)
    parts = list(_parts(kind))
    if isinstance(value, dict):
        names = [kind.field(index).name for index in range(kind.num_fields)]
        known = dict(zip(names, parts, strict=True))
        return {name: replaced(one, known[name], replace) if name in known else one for name, one in value.items()}
    return [replaced(one, parts[0], replace) for one in value]


def has_floats(kind: Any) -> bool:
    """Return whether a column has floating-point numbers, which may be NaN."""
    import pyarrow.types as types

    return bool(types.is_floating(kind)) or any(has_floats(part) for part in _parts(kind))


def without_nan(value: Any) -> Any:
    """Return the value with None for each NaN in it."""
    if isinstance(value, float):
        return value if value == value else None
    if isinstance(value, list):
        return [without_nan(one) for one in value]
    return {name: without_nan(one) for name, one in value.items()} if isinstance(value, dict) else value


def _is_picture(kind: Any) -> bool:
    """Return whether cells are bytes, or structs `{bytes, path}`."""
    import pyarrow.types as types

    if types.is_struct(kind):
        return any(part.name == "bytes" and _is_bytes(part.type) for part in _fields(kind))
    return _is_bytes(kind)


def _is_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _fields(kind: Any) -> Iterator[Any]:
    return (kind.field(index) for index in range(kind.num_fields))


def _parts(kind: Any) -> Iterator[Any]:
    """Yield the types of a struct's fields, or of a list's items."""
    import pyarrow.types as types

    if types.is_struct(kind):
        yield from (field.type for field in _fields(kind))
    elif any(is_list(kind) for is_list in (types.is_list, types.is_large_list, types.is_fixed_size_list)):
        yield kind.value_type
