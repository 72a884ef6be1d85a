"""The parts of a model in a training: which are trained fully, which by adapters, and each part's own settings.

`trainable` is a list of parts with one mode for all (adapters with `lora`, else full), or a mapping of parts to modes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import AfterValidator, PlainSerializer, ValidatorFunctionWrapHandler, WrapValidator

from unmirage.models.structure import down_projections, part_of

if TYPE_CHECKING:
    from unmirage.align.config import AlignConfig

PARTS = ("language", "projector", "vision")
Mode = Literal["lora", "full", "frozen"]
_MODES: tuple[str, ...] = get_args(Mode)
_FROZEN = "audio"  # of models that hear: the training data has no sound
_DOWN = re.compile(r"down_proj:(\d+)(?:-(\d+))?")
_VALID = f"{', '.join(PARTS)}, down_proj:5 or down_proj:5-7"


def down_layers(part: str) -> list[int]:
    """Return the 1-based layers in "down_proj:5-7" or "down_proj:5"; empty for another part."""
    found = _DOWN.fullmatch(part)
    if found is None:
        return []
    first = int(found[1])
    return list(range(first, int(found[2] or first) + 1))


def known_part(part: str) -> str:
    """Return a part's name; raise ValueError if it is unknown."""
    if part in PARTS or min(down_layers(part), default=0) > 0:
        return part
    if part == _FROZEN:
        raise ValueError(
            "'audio' stays frozen, because training data has no sound; leave it out, or write audio: frozen"
        )
    raise ValueError(f"unknown part '{part}'; valid: {_VALID} (1-based layers)")


def _some(parts: tuple[str, ...]) -> tuple[str, ...]:
    if not parts:
        raise ValueError(f"empty, so nothing would be trained; valid: {_VALID}")
    return parts


def _or_modes(value: Any, listed: ValidatorFunctionWrapHandler) -> Any:
    """Validate a mapping of parts to modes, and pass anything else on to the validation of a list."""
    if not isinstance(value, Mapping):
        return listed(value)
    for part, mode in value.items():
        if part != _FROZEN or mode != "frozen":
            known_part(str(part))
        if mode not in _MODES:
            raise ValueError(f"unknown mode '{mode}' of '{part}'; valid: {', '.join(_MODES)}")
    if not set(value.values()) - {"frozen"}:
        raise ValueError("all parts are frozen, so nothing would be trained; write lora or full for one of them")
    return dict(value)


Part = Annotated[str, AfterValidator(known_part)]
Trainable = Annotated[
    tuple[Part, ...], AfterValidator(_some), WrapValidator(_or_modes), PlainSerializer(lambda value: value)
]


def modes(config: AlignConfig) -> dict[str, Mode]:
    """Return the mode of each named part; parts without a name are frozen."""
    return named_modes(config.trainable, adapts=config.lora is not None)


def named_modes(trainable: Collection[str], *, adapts: bool) -> dict[str, Mode]:
    """Return the modes in a value of `trainable`; `adapts`: parts of a list get adapters."""
    if isinstance(trainable, Mapping):
        return dict(trainable)
    return dict.fromkeys(trainable, "lora" if adapts else "full")


def trains(config: AlignConfig, part: str) -> bool:
    """Return whether some weights of a part are trained."""
    return modes(config).get(part, "frozen") != "frozen"


def adapters_alone(config: AlignConfig) -> bool:
    """Return whether nothing but adapters is trained, so that the model without them is the model before training."""
    return config.lora is not None and not config.lora.modules_to_save and "full" not in modes(config).values()


def told(config: AlignConfig) -> str:
    """Return the trained parts for a sentence, with their modes if these differ."""
    found = {part: mode for part, mode in modes(config).items() if mode != "frozen"}
    if len(set(found.values())) == 1:
        return ", ".join(found)
    return ", ".join(f"{part}: {mode}" for part, mode in found.items())


def check_own(what: str, own: Collection[str], found: Mapping[str, Mode], wanted: Collection[Mode]) -> None:
    """Raise ValueError if a setting by part names one that it has no effect on.

    Args:
        what: the setting.
        own: the parts that it names.
        found: mode of each part.
        wanted: modes of the parts that it may name.
    """
    valid = [part for part, mode in found.items() if mode in wanted]
    for part in own:
        if part in valid:
            continue
        if part not in found:
            known_part(part)
        mode = found.get(part, "frozen")
        is_so = "is frozen" if mode == "frozen" else "is trained fully"
        raise ValueError(f"'{part}' {is_so}, so {what} has no effect on it; valid: {', '.join(valid) or 'none'}")


def owners(model: Any, named: Collection[str]) -> Callable[[str], str]:
    """Return a function of a parameter's name: the entry of `trainable` that decides on it.

    An entry of layers decides on its matrices; the part decides on all else. The names of adapters work too.

    Args:
        model: the model.
        named: the entries.
    """
    matrices = {
        name.removesuffix(".weight").removesuffix(".base_layer"): entry
        for entry in named
        for name in down_projections(model, down_layers(entry))
    }

    def owner(name: str) -> str:
        module = next((one for one in matrices if name.startswith(f"{one}.")), None)
        if module is not None and not name.endswith(".bias"):
            return matrices[module]
        return part_of(model, name)

    return owner


def rates(model: Any, config: AlignConfig) -> dict[str, float]:
    """Return the learning rate of each trained parameter whose part has its own."""
    if not config.learning_rates:
        return {}
    owner = owners(model, modes(config))
    names = [name for name, one in model.named_parameters() if one.requires_grad]
    return {name: config.learning_rates[part] for name in names if (part := owner(name)) in config.learning_rates}
