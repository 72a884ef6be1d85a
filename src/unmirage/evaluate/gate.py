"""Evaluate conditions such as `--fail-if 'asr.after>0.15 or utility<0.75'` on a result."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from unmirage.errors import UserError
from unmirage.evaluate.gate_names import MODELS, VALUE, Names, suggestion
from unmirage.text.printable import clean

_COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_PART = r'(?:[\w-]+|"[^"]+")'
_COMPARISON = re.compile(rf"\s*({_PART}(?:\.{_PART})*)\s*(>=|<=|>|<)\s*([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)")
_JOIN = re.compile(r"\s+(or|and)\s+", re.IGNORECASE)
_NOTHING = object()


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison NAME>NUMBER; the name as written, and split into parts."""

    name: str
    parts: tuple[str, ...]
    sign: str
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Outcome of one alternative (an operand of `or`) for one model.

    Attributes:
        alternative: text of the alternative.
        model: the model; None if the alternative is about the whole result or several models.
        holds: True if the alternative holds; None if it is not estimable.
        found: the compared values, such as "npo: asr.after is 0.31", or what is not estimable.
    """

    alternative: str
    model: str | None
    holds: bool | None
    found: str


@dataclass(frozen=True, slots=True)
class _Values:
    """Values of a name: one value, of one model or of the whole result (`model`), or one value per model."""

    by_model: Mapping[str | None, float | None]
    model: str | None = None
    of_each: bool = False


def check_gate(condition: str, names: Names | None = None) -> None:
    """Raise `UserError` if `condition` is malformed, or if it cannot be meant.

    Args:
        names: the numbers of the result; a name must be one of them, and the threshold of a share at most 1. None to
            check the names later, against the result.
    """
    for _, group in _parsed(condition):
        for one in group:
            problem = names and names.problem(_line(one.name), one.parts, one.limit)
            if problem:
                raise UserError(f"--fail-if: {problem}")


def broken_gate(condition: str, document: Mapping[str, Any]) -> str | None:
    """Return a message with the values if `condition` holds; None if it does not.

    Args:
        condition: NAME>NUMBER with >, >=, < or <=, joined by `and` and `or`; `and` binds tighter. Dots separate the
            keys of nested objects: "predictability.words.test". A rate is compared by its value. If the result has
            models, a name without a model, such as "asr.after", is checked for each of them. Double-quote parts with
            characters other than letters, digits, _ and -: '"npo + int8".utility'.
        document: the result, as `--json` prints it.
    """
    checks = checked(condition, document)
    broken = dict.fromkeys(check.found for check in checks if check.holds)
    if broken:
        return f"gate '{condition.strip()}' failed: {'; '.join(broken)}"
    for check in checks:
        if check.holds is None:
            raise UserError(f"--fail-if: {check.found}")
    return None


def checked(condition: str, document: Mapping[str, Any]) -> list[Check]:
    """Return the outcome of each alternative of `condition`, for each of its models.

    An unknown name raises `UserError`. An `and` is false if one side is false, even if the other is not estimable.
    """
    return [check for text, group in _parsed(condition) for check in _checks(text, group, document)]


def _parsed(condition: str) -> list[tuple[str, list[Comparison]]]:
    """Return the alternatives, each with its text and the comparisons that must all hold."""
    groups: list[list[re.Match[str]]] = []
    at, joined = 0, "or"
    while match := _COMPARISON.match(condition, at):
        if joined == "or":
            groups.append([])
        groups[-1].append(match)
        at = match.end()
        join = _JOIN.match(condition, at)
        if not join:
            break
        at, joined = join.end(), join[1].lower()
    if not match or condition[at:].strip():
        percent = ". Write a percentage as a share: 0.2 for 20%" if "%" in condition else ""
        valid = "NAME>NUMBER with >, >=, < or <="
        raise UserError(f"--fail-if: {condition!r} is not a condition; valid: {valid}{percent}")
    return [(condition[own[0].start() : own[-1].end()].strip(), [_comparison(one) for one in own]) for own in groups]


def _comparison(match: re.Match[str]) -> Comparison:
    name, sign, limit = match.groups()
    return Comparison(name, tuple(part.strip('"') for part in re.findall(_PART, name)), sign, float(limit))


def _checks(text: str, group: list[Comparison], document: Mapping[str, Any]) -> Iterator[Check]:
    found = [_values(one, document) for one in group]
    if any(one.of_each for one in found):
        for model in document[MODELS]:
            values = [one.by_model[model if one.of_each else one.model] for one in found]
            yield _check(text, model, group, values, start=f"{_line(model)}: ")
    else:
        about = {one.model for one in found}
        values = [one.by_model[one.model] for one in found]
        yield _check(text, about.pop() if len(about) == 1 else None, group, values)


def _check(text: str, model: str | None, group: list[Comparison], values: list[float | None], start: str = "") -> Check:
    both = list(zip(group, values, strict=True))
    unknown = [f"{_line(one.name)} is not estimable from these data" for one, value in both if value is None]
    known = [f"{_line(one.name)} is {value:g}" for one, value in both if value is not None]
    fails = any(value is not None and not _COMPARE[one.sign](value, one.limit) for one, value in both)
    holds = False if fails else None if unknown else True
    found = start + " and ".join(unknown if holds is None else known)
    return Check(alternative=text, model=model, holds=holds, found=found)


def _values(one: Comparison, document: Mapping[str, Any]) -> _Values:
    models: Mapping[str, Any] = document.get(MODELS) or {}
    parts = one.parts[1:] if models and one.parts[0] == MODELS else one.parts
    for end in range(len(parts), 0, -1):  # model names may contain dots
        name = ".".join(parts[:end])
        if name in models and (value := _number(parts[end:], models[name])) is not _NOTHING:
            return _Values({name: value}, name)
    by_model = {name: _number(parts, rates) for name, rates in models.items()}
    if any(value is not _NOTHING for value in by_model.values()):
        return _Values({name: None if value is _NOTHING else value for name, value in by_model.items()}, of_each=True)
    value = _number(one.parts, document)
    if value is _NOTHING:
        valid = _valid(document, models)
        raise UserError(
            f"--fail-if: unknown metric {one.name!r}; valid: {', '.join(valid)}{suggestion(one.name, valid)}"
        )
    return _Values({None: value})


def _number(parts: tuple[str, ...], value: Any) -> Any:
    """Return the number at a path, None if it is not estimable, `_NOTHING` if the path does not exist."""
    if value is None:
        return None  # the data lack this value; the name itself is valid
    if not isinstance(value, Mapping):
        plain = not parts and isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if plain else _NOTHING
    if not parts:
        return _number((), value[VALUE]) if VALUE in value else _NOTHING
    for end in range(len(parts), 0, -1):
        key = ".".join(parts[:end])
        if key in value and (found := _number(parts[end:], value[key])) is not _NOTHING:
            return found
    return _NOTHING


def _line(name: str) -> str:
    """Return a name without line breaks, for a one-line message."""
    return " ".join(clean(name).split())


def _valid(document: Mapping[str, Any], models: Mapping[str, Any]) -> list[str]:
    """Return the valid names of a condition: the metrics of any model, if there are models."""
    if not models:
        return _names(document)
    return list(dict.fromkeys(name for rates in models.values() for name in _names(rates)))


def _names(document: Mapping[str, Any], prefix: str = "") -> list[str]:
    names = []
    for key, value in document.items():
        name = prefix + (key if re.fullmatch(_PART, key) else f'"{key}"')
        if isinstance(value, Mapping) and VALUE not in value:
            names += _names(value, f"{name}.")
        elif value is None or (isinstance(value, Mapping | int | float) and not isinstance(value, bool)):
            names.append(name)
    return names
