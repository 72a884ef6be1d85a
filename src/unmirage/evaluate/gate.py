"""Evaluate conditions such as `--fail-if 'asr.after>0.15 or utility<0.75'` on a result."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unmirage.errors import UserError
from unmirage.evaluate.gate_names import BOUNDS, MODELS, VALUE, Names, suggestion
from unmirage.text.printable import clean

_COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_PART = r'(?:[\w-]+|"[^"]+")'
_COMPARISON = re.compile(rf"\s*({_PART}(?:\.{_PART})*)\s*(>=|<=|>|<)\s*([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)")
_PERCENT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*%")
_JOIN = re.compile(r"\s+(or|and)\s+", re.IGNORECASE)
_NOTHING = object()
RELEVANCE = "relevance"


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
        holds: whether the alternative holds for all verdicts that the missing ones could be; None if it holds only for
            some of them ("undecided"), or is not estimable.
        undecided: whether the missing verdicts decide.
        found: the compared values, such as "npo: asr.after is 0.31", or what is undecided or not estimable.
    """

    alternative: str
    model: str | None
    holds: bool | None
    undecided: bool = False
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number of a result, with its bounds if verdicts are missing.

    Attributes:
        value: the number; None if it is not estimable.
        least, most: minimum and maximum over all verdicts that the missing ones could be; equal for a plain number.
        missing: trials without a verdict.
    """

    value: float | None
    least: float
    most: float
    missing: int = 0

    @classmethod
    def of(cls, rate: Mapping[str, Any]) -> Number | None:
        """Return the number of a rate or another object with a value; None if it is not estimable."""
        value = rate[VALUE]
        bounds = [rate.get(name) for name in BOUNDS]
        least, most = (value if one is None else one for one in bounds)
        return None if least is None else cls(value=value, least=least, most=most, missing=rate.get("invalid") or 0)

    def compared(self, sign: str, limit: float) -> bool | None:
        """Return whether the comparison holds; None if it depends on missing verdicts."""
        first, last = (_COMPARE[sign](one, limit) for one in (self.least, self.most))
        return first if first == last else None

    def __str__(self) -> str:
        if self.least == self.most:
            return f"{self.most:g}"
        shown = "not estimable" if self.value is None else f"{self.value:g}"
        return f"{shown} (bounds {self.least:g} to {self.most:g}, {self.missing} missing)"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of all conditions.

    Attributes:
        failed, undecided: a line for each condition that holds, and for each that missing verdicts leave undecided.
        passed: the other conditions.
    """

    failed: Sequence[str] = ()
    undecided: Sequence[str] = ()
    passed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Values:
    """Values of a name: one value, of one model or of the whole result (`model`), or one value per model."""

    by_model: Mapping[str | None, Number | None]
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


def check_relevance(condition: str, *, measured: bool) -> None:
    """Raise `UserError` if `condition` is about relevance, which is not measured."""
    for _, group in _parsed(condition):
        for one in group:
            if not measured and RELEVANCE in (one.parts[-1], *one.parts[-2:-1]):
                raise UserError(f"--fail-if: {_line(one.name)} is measured only with --encoder DIR; add it")


def gate_outcome(conditions: Iterable[str], document: Mapping[str, Any]) -> Outcome:
    """Return which conditions hold, and which hold or not depending on missing verdicts.

    Args:
        conditions: NAME>NUMBER with >, >=, < or <=, joined by `and` and `or`; `and` binds tighter. Dots separate the
            keys of nested objects: "predictability.words.test". A rate is compared by its value; if verdicts are
            missing, by each value between its bounds, which decide only together. If the result has models, a name
            without a model, such as "asr.after", is checked for each of them. Double-quote parts with characters other
            than letters, digits, _ and -: '"npo + int8".utility'.
        document: the result, as `--json` prints it.

    Raises:
        UserError: a condition is malformed, or no condition holds and one has a value that is not estimable.
    """
    failed, undecided, unknown, passed = [], [], [], []
    for condition in conditions:
        checks = checked(condition, document)
        if broken := dict.fromkeys(check.found for check in checks if check.holds):
            failed.append(f"gate '{condition.strip()}' failed: {'; '.join(broken)}")
        elif lacking := [check.found for check in checks if check.holds is None and not check.undecided]:
            unknown.append(lacking[0])
        elif unclear := dict.fromkeys(check.found for check in checks if check.undecided):
            undecided.append(f"gate '{condition.strip()}' is undecided: {'; '.join(unclear)}")
        else:
            passed.append(condition)
    if unknown and not failed:
        raise UserError(f"--fail-if: {unknown[0]}")
    return Outcome(failed, undecided, passed)


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
        percent = _as_share(condition)
        valid = "NAME>NUMBER with >, >=, < or <="
        raise UserError(f"--fail-if: {condition!r} is not a condition; valid: {valid}{percent}")
    return [(condition[own[0].start() : own[-1].end()].strip(), [_comparison(one) for one in own]) for own in groups]


def _as_share(condition: str) -> str:
    """Return how to write the percentages of a condition; "" if it has none."""
    found = _PERCENT.search(condition)
    if not found:
        return ". Write a percentage as a share: 0.2 for 20%" if "%" in condition else ""
    meant = _PERCENT.sub(lambda one: f"{float(one[1]) / 100:g}", condition)
    return f". Write a percentage as a share: {meant!r}"


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


def _check(
    text: str, model: str | None, group: list[Comparison], values: list[Number | None], start: str = ""
) -> Check:
    """Return the outcome of comparisons that must all hold, in three-valued logic."""
    both = list(zip(group, values, strict=True))
    holds = [None if value is None else value.compared(one.sign, one.limit) for one, value in both]
    unknown = [f"{_line(one.name)} is not estimable from these data" for one, value in both if value is None]
    known = [f"{_line(one.name)} is {value}" for one, value in both if value is not None]
    if False in holds or not unknown:
        all_hold = False if False in holds else None if None in holds else True
        return Check(
            alternative=text, model=model, holds=all_hold, undecided=all_hold is None, found=start + " and ".join(known)
        )
    return Check(alternative=text, model=model, holds=None, found=start + " and ".join(unknown))


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
    """Return the `Number` at a path, None if it is not estimable, `_NOTHING` if the path does not exist."""
    if value is None:
        return None  # the data lack this value; the name itself is valid
    if not isinstance(value, Mapping):
        plain = not parts and isinstance(value, int | float) and not isinstance(value, bool)
        return Number(value=value, least=value, most=value) if plain else _NOTHING
    if VALUE in value and (not parts or parts == (VALUE,)):
        return Number.of(value)
    if len(parts) == 1 and parts[0] in BOUNDS and VALUE in value and parts[0] not in value:
        return _number((), value[VALUE])  # documents leave out the bounds if no verdict is missing
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
