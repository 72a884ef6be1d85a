"""Flatten nested settings into names and values, and hide secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from unmirage.text.formatting import is_secret

_DEEPEST = 6


def flat(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield pairs of dotted name and value, such as ("attack.shots", "3")."""
    if isinstance(value, Mapping) and value and depth < _DEEPEST:
        for key, item in value.items():
            inner = f"{name}.{key}" if name else str(key)
            if is_secret(str(key)):
                yield inner, "[hidden]"
            else:
                yield from flat(item, inner, depth + 1)
    else:
        yield name, _said(value)


def _said(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and not any(isinstance(item, list | Mapping) for item in value):
        return ", ".join(map(_said, value))
    return json.dumps(value, ensure_ascii=False, default=str)
