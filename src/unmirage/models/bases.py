"""What an adapter was trained on: its record, and whether a base model is the same."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from unmirage.errors import UserError, one_line
from unmirage.models.folder import ADAPTER_CONFIG, is_adapter, some
from unmirage.run.files import read_object
from unmirage.run.fingerprint import folder_fingerprint
from unmirage.run.model import ADAPTER_RECORD, TRAINED_BESIDE

log = logging.getLogger(__name__)
_TOLD = 3  # files that a message names


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The record of an adapter's base, which `unmirage align` writes.

    Attributes:
        base: the base as the user gave it.
        model_type: its type; "" if it is not recorded.
        files: what tells it from others: a hash by file name, or hub id and commit.
        beside: tensors that were trained besides the adapter, in a file of their own.
    """

    base: str = ""
    model_type: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Recorded | None:
        """Return the record in an adapter's directory; None for adapters of other tools."""
        file = folder / ADAPTER_RECORD
        if not file.is_file():
            return None
        held = read_object(file)
        files = held.get("files")
        return cls(
            base=str(held.get("base", "")),
            model_type=str(held.get("model_type", "")),
            files={str(name): str(one) for name, one in files.items()} if isinstance(files, dict) else {},
            beside=tuple(map(str, held.get("beside", ()))),
        )


def about_base(model: Any, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a record for a base model in memory, and the identity of its files."""
    return {"model_type": model.config.model_type, "files": dict(files)}


def identity(source: str, commit: str, base: str | None = None) -> dict[str, str]:
    """Return the identity of a loaded model: a hash by file name, or the commit of a hub id.

    The identity of an adapter includes the files of its base model.

    Args:
        source: directory or hub id.
        commit: of a hub id.
        base: what replaces the base that an adapter names.
    """
    folder = Path(source)
    if not folder.is_dir():
        return {"hub": source, "commit": commit}
    if not is_adapter(folder):
        return folder_fingerprint(folder)
    below = identity(base or base_of(folder), commit)
    return folder_fingerprint(folder) | {f"base/{file}": digest for file, digest in below.items()}


def base_of(folder: Path) -> str:
    """Return the base model of an adapter: the path of a directory, or the hub id in the adapter's config.

    A relative path is resolved against the adapter's directory first, and then against the working directory. If
    neither exists, the path in the adapter's record is used.

    Raises:
        UserError: the config names no base, or the named base does not exist.
    """
    config, recorded = folder / ADAPTER_CONFIG, Recorded.read(folder)
    named = read_object(config).get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise UserError(f"{config}: base_model_name_or_path is missing; set it to the base's path or hub id")
    for path in (folder / named, Path(named)):
        if path.exists():
            if path.resolve() == folder.resolve():
                raise UserError(
                    f"{config}: base_model_name_or_path is the adapter itself; set it to the base's path or hub id"
                )
            return str(path)
    if len(Path(named).parts) == 2 and not named.startswith((".", "/", "~")):
        return named
    if recorded and recorded.base and Path(recorded.base).exists():
        log.warning("%s: '%s' does not exist; '%s' of %s is the base", config, named, recorded.base, ADAPTER_RECORD)
        return recorded.base
    raise UserError(
        f"{config}: base_model_name_or_path '{named}' is neither a hub id nor a directory, relative to {folder} or to "
        "the working directory; name the base with --base DIR"
    )


def whole_model(source: str, base: str | None = None) -> str:
    """Return the directory or hub id of the model below an adapter and its adapters; `source` itself if it is none.

    Args:
        source: directory or hub id.
        base: what replaces the base that `source` names.

    Raises:
        UserError: an adapter is its own base, or `base` is given and `source` is no adapter.
    """
    above: list[str] = []
    if base is not None and not is_adapter(Path(source)):
        raise UserError(f"base '{base}': model '{source}' is no adapter, so it has no base; leave --base out")
    while is_adapter(Path(source)):
        above.append(os.path.realpath(source))
        source, base = base or base_of(Path(source)), None
        if os.path.realpath(source) in above:
            raise UserError(
                f"adapter '{source}': is its own base, through {len(above) - 1} other adapters; "
                "correct base_model_name_or_path in adapter_config.json"
            )
    return source


def check_type(folder: Path, model: Any) -> None:
    """Check that an adapter was trained on a model of this type.

    Names and shapes of two families may agree, so that their adapters could be merged without an error.

    Raises:
        UserError: the record, or the class that peft recorded, is that of another type.
    """
    own, recorded = model.config.model_type, Recorded.read(folder)
    types = {recorded.model_type} if recorded and recorded.model_type else _types_of_class(folder)
    if types and own not in types:
        raise UserError(
            f"adapter '{folder}': was trained on a model of type '{min(types)}', but the base has type '{own}'; "
            "name its own base with --base DIR"
        )


def _types_of_class(folder: Path) -> set[str]:
    """Return the model types whose class peft recorded as the base's; empty if it is none of transformers' VLMs."""
    mapped = read_object(folder / ADAPTER_CONFIG).get("auto_mapping")
    name = mapped.get("base_model_class") if isinstance(mapped, dict) else None
    return {kind for kind, one in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.items() if one == name}


def note_base(folder: Path, base: str, commit: str) -> None:
    """Log a line if the base of an adapter is not the one that it was trained on, or if that cannot be told.

    Args:
        folder: directory of the adapter.
        base: the base that is used.
        commit: its commit, for a hub id.
    """
    recorded = Recorded.read(folder)
    if recorded is None or not recorded.files:
        return
    now = identity(base, commit)
    if ("hub" in now) != ("hub" in recorded.files):
        was = recorded.files.get("hub", recorded.base)
        log.warning(
            "adapter '%s': was trained on '%s'; whether its base '%s' has the same weights is unknown",
            folder,
            was,
            base,
        )
        return
    changed = [name for name in sorted({*now, *recorded.files}) if now.get(name) != recorded.files.get(name)]
    if changed:
        more = f" and {len(changed) - _TOLD} more" if len(changed) > _TOLD else ""
        log.warning(
            "adapter '%s': its base '%s' is not the one that it was trained on; %s%s differ",
            folder,
            base,
            ", ".join(changed[:_TOLD]),
            more,
        )


def trained_beside(folder: Path, model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors that were trained besides an adapter and are in a file of their own; {} for none.

    Raises:
        UserError: the file is missing or damaged, or the model lacks one of the tensors.
    """
    recorded, file = Recorded.read(folder), folder / TRAINED_BESIDE
    names = set(recorded.beside) if recorded else set()
    if not names and not file.is_file():
        return {}
    if not file.is_file():
        raise UserError(f"{file}: is missing, but {ADAPTER_RECORD} lists {some(names)}; copy the whole adapter again")
    try:
        held: dict[str, Tensor] = load_file(file)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file}: file is corrupt or truncated ({one_line(error)}); copy the adapter again") from error
    if names != held.keys():
        raise UserError(f"{file}: has other tensors than {ADAPTER_RECORD} lists; copy the whole adapter again")
    own = dict(model.named_parameters())
    if unfit := {name for name, one in held.items() if name not in own or own[name].shape != one.shape}:
        raise UserError(f"{file}: the base has no weights for {some(unfit)}; use the base that it was trained on")
    return held
