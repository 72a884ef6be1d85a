"""Find the setting that an unknown name means: a typo, an abbreviation, or a name of other training programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from unmirage.errors import closest

# Names in TRL, transformers and peft.
_ELSEWHERE = {
    "per_device_train_batch_size": "batch_size",
    "train_batch_size": "batch_size",
    "num_train_epochs": "epochs",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    "max_steps": "steps",
    "num_steps": "steps",
    "warmup_ratio": "warmup",
    "save_steps": "save_every",
    "r": "lora.rank",
    "lora_r": "lora.rank",
    "lora_alpha": "lora.alpha",
    "dtype": "precision",
}
_MOST = 12  # valid names that a message lists


def hint_for(model: type[BaseModel], place: Sequence[int | str], values: Mapping[str, Any]) -> str:
    """Return "did you mean 'learning_rate'?", or the valid names if none is like the unknown one.

    Args:
        model: the settings.
        place: keys that lead to the unknown name, which is the last.
        values: the settings that were given, which decide among alternatives, such as methods.
    """
    groups, given = [model], values
    for key in place[:-1]:
        default = next(filter(None, (_default_name(group, str(key)) for group in groups)), None)
        found = given.get(str(key), {})
        given = found if isinstance(found, Mapping) else {}
        groups = [one for group in groups for one in _groups(group, str(key))]
        name = given.get("name") or default
        named = [one for one in groups if _named(one) == name]
        groups = named or groups
    names = list(dict.fromkeys(name for group in groups for name in group.model_fields))
    unknown, above = str(place[-1]), "".join(f"{key}." for key in place[:-1])
    nested = [f"{name}.{inner}" for name in names for group in groups for inner in _inner(group, name)]
    if guess := _guess(unknown, names, nested):
        return f"did you mean '{above}{guess}'?"
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"valid: {', '.join(names[:_MOST])}{more}"


def _guess(unknown: str, names: Sequence[str], nested: Sequence[str]) -> str:
    """Return the name that is meant; "" for none."""
    name = unknown.replace("-", "_").lower()
    if (other := _ELSEWHERE.get(name)) in (*names, *nested):
        return str(other)
    for one in names:  # lr, bs
        if len(name) > 1 and name == "".join(part[0] for part in one.split("_")):
            return one
    return next((one for one in nested if one.rpartition(".")[2] == name), "") or closest(name, names)


def _groups(model: type[BaseModel], name: str) -> list[type[BaseModel]]:
    """Return the classes of settings that a field may hold."""
    field = model.model_fields.get(name)
    return list(_models(field.annotation)) if field else []


def _inner(model: type[BaseModel], name: str) -> Iterator[str]:
    for group in _groups(model, name):
        yield from group.model_fields


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for one in annotation.__subclasses__():  # a method's settings are those of any method
            yield from _models(one)
    for one in get_args(annotation):
        yield from _models(one)


def _default_name(model: type[BaseModel], field: str) -> Any:
    """Return the name of the method that a field holds by default; None for another field."""
    found = model.model_fields.get(field)
    return getattr(found.get_default(call_default_factory=True), "name", None) if found else None


def _named(model: type[BaseModel]) -> Any:
    """Return the name of a method's settings, which tells them from those of others; None for other settings."""
    field = model.model_fields.get("name")
    return field.default if field else None
