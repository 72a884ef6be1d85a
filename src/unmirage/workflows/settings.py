"""Build a validated config from options, a YAML file and `--set a.b=1`; each error is one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from unmirage.errors import UserError
from unmirage.run.paths import no_such
from unmirage.workflows.recipes import settings_file
from unmirage.workflows.setting_names import hint_for

Config = TypeVar("Config", bound=BaseModel)


def resolve(
    model: type[Config],
    file: Path | None,
    options: Mapping[str, Any],
    settings: Sequence[str] | None,
    without_effect: Mapping[str, str] | None = None,
) -> Config:
    """Return the config: defaults, overridden by `file`, then by `options` that are not None, then by `settings`.

    Args:
        model: the config class.
        file: YAML mapping, or the name of a shipped recipe if there is no such file; or None.
        options: dotted key -> value of command line options; None if not given.
        settings: "a.b=value" strings; the value is read as YAML.
        without_effect: as for `check_effect`.

    Raises:
        UserError: a setting is invalid; the message has the file or option, the field, and the valid values.
    """
    values: dict[str, Any] = _read_yaml(settings_file(file)) if file is not None else {}
    given = {key: value for key, value in options.items() if value is not None} | given_settings(settings)
    for key, value in given.items():
        _put(values, key, value)
    check_effect(given, values, without_effect or {})
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(_one_line(error, file, model, values)) from None


def check_effect(
    given: Mapping[str, Any], values: Mapping[str, Any], without_effect: Mapping[str, str], option: str = "--"
) -> None:
    """Raise `UserError` for a setting that another one leaves without effect.

    Args:
        given: the settings that the user gives now.
        values: all settings, with those of a file.
        without_effect: name -> the name of the setting that overrules it, unless that is None.
        option: what precedes the name of a setting in messages.
    """
    for name, other in without_effect.items():
        if given.get(name) is None or values.get(other) is None:
            continue
        if given.get(other) is not None:
            raise UserError(f"{option}{name}: has no effect with {option}{other}; leave one of them out")
        raise UserError(f"{option}{name}: has no effect, because the config sets {other}; set {other} to null there")


def given_settings(settings: Sequence[str] | None) -> dict[str, Any]:
    """Return dotted key -> value of "a.b=value" strings, whose values are read as YAML.

    Raises:
        UserError: a text has another form.
    """
    found: dict[str, Any] = {}
    for text in settings or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UserError(f"--set {text}: expected KEY=VALUE, such as method.beta=0.2")
        found[key] = _yaml_value(value, f"--set {text}")
    return found


def parsed_settings(settings: Sequence[str] | None) -> dict[str, Any]:
    """Return "a.b=value" strings as nested settings; the values are read as YAML."""
    values: dict[str, Any] = {}
    for key, value in given_settings(settings).items():
        _put(values, key, value)
    return values


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise no_such("file", file) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: invalid UTF-8 (byte {error.start})") from None
    loaded = _yaml_value(text, str(file))
    if not isinstance(loaded, dict):
        raise UserError(f"{file}: not a mapping of settings; write KEY: VALUE lines")
    return loaded


def _yaml_value(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{where}: invalid YAML ({' '.join(str(error).split())})") from None


def _put(values: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise UserError(f"--set {dotted}: '{parent}' is a value, not a group of settings")
    values[last] = value


def _one_line(error: ValidationError, file: Path | None, model: type[BaseModel], values: Mapping[str, Any]) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    where = f"{file}: " if file is not None else ""
    if first["type"] == "extra_forbidden":
        return f"{where}setting '{field}': unknown; {hint_for(model, first['loc'], values)}{more}"
    message = first["msg"].removeprefix("Value error, ")
    value = first["input"]
    parts = [*value, *value.values()] if isinstance(value, Mapping) else [value]
    named = first["type"] == "value_error" and any(isinstance(one, str) and repr(one) in message for one in parts)
    got = "" if named else f", got {value!r}"
    return f"{where}setting '{field}': {message}{got}{more}"
