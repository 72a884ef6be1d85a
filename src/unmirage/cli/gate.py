"""`--fail-if 'shortcut_gap>0.2'`: a condition on a result in, the reason to fail out."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from typing import Any

from unmirage.errors import UserError

_COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_GATE = re.compile(r"\s*([\w.-]+)\s*(>=|<=|>|<)\s*([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)\s*")


def check_gate(condition: str) -> None:
    """Raise `UserError` if `condition` is none; what it names is looked up only when there is a result."""
    _parsed(condition)


def broken_gate(condition: str, document: Mapping[str, Any]) -> str | None:
    """Return a line that says that `condition` holds and with which value; None if it does not hold.

    Args:
        condition: NAME>NUMBER, with > >= < or <=; dots lead into the document: "predictability.words.test"
        document: the result, as `--json` prints it.
    """
    name, sign, limit = _parsed(condition)
    value = _number(name, document)
    return f"gate '{condition.strip()}' failed: {name} is {value:g}" if _COMPARE[sign](value, float(limit)) else None


def _parsed(condition: str) -> tuple[str, str, str]:
    match = _GATE.fullmatch(condition)
    if not match:
        raise UserError(f"--fail-if: {condition!r} is no condition; valid: NAME>NUMBER with >, >=, < or <=")
    name, sign, limit = match.groups()
    return name, sign, limit


def _number(name: str, document: Mapping[str, Any]) -> float:
    value: Any = document
    for part in name.split("."):
        if value is None:
            break  # what the data do not have is no mistake in the name
        value = value.get(part, document) if isinstance(value, Mapping) else document
    if value is None:
        raise UserError(f"--fail-if: {name} is not estimable from these data")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"--fail-if: no number is called {name!r}; valid: {', '.join(_names(document))}")
    return float(value)


def _names(document: Mapping[str, Any], prefix: str = "") -> list[str]:
    names = []
    for key, value in document.items():
        if isinstance(value, Mapping):
            names += _names(value, f"{prefix}{key}.")
        elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            names.append(prefix + key)
    return names
