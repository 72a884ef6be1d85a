"""A model's directory or hub id in, a directory out whose every file has been looked at before anything is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import snapshot_download
from safetensors import SafetensorError, safe_open

from unmirage.errors import UserError
from unmirage.run.json_files import read_object

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_WANTED = ["*.json", "*.jinja", "*.model", "*.txt", "*.safetensors"]  # no pickles, and code only where it is trusted
_UNWANTED = ["*/*.safetensors", "consolidated*.safetensors", "*.fp16.safetensors"]  # the same weights once more
_NAMED = 3  # keys in a message


def local_folder(source: str | Path, revision: str | None, *, trust_remote_code: bool) -> Path:
    """Return the directory of a model; that of a hub id is fetched first, without its code unless that is trusted.

    Raises:
        UserError: there is none, or code is to be run of which nobody has said which.
    """
    folder = Path(source)
    if folder.exists():
        if revision is not None:
            raise UserError(f"revision '{revision}': names a commit on the hub, and '{source}' is a directory")
        return folder
    if len(folder.parts) != 2 or str(source).startswith((".", "/", "~")):
        raise UserError(f"model '{source}': no such directory, and not a hub id of the form owner/name")
    if trust_remote_code and not _COMMIT.fullmatch(revision or ""):
        raise UserError(
            f"model '{source}': its code is run from one commit only; valid: --trust-remote-code together with "
            f"--revision and the 40 digits of the commit that you have read, not {revision!r}"
        )
    try:
        return Path(
            snapshot_download(
                str(source),
                revision=revision,
                allow_patterns=[*_WANTED, "*.py"] if trust_remote_code else _WANTED,
                ignore_patterns=_UNWANTED,
            )
        )
    except (OSError, ValueError) as error:  # not there, not allowed, no network
        raise UserError(f"model '{source}': cannot be loaded: {one_line(error)}") from error


def check_folder(folder: Path) -> None:
    """Refuse a directory that holds no model, or only weights that would have to be unpickled."""
    if is_adapter(folder):
        return
    if not (folder / "config.json").is_file():
        raise UserError(f"model '{folder}': no config.json; a Hugging Face model directory is expected")
    if not _has_weights(folder):
        pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
        found = f"only {pickled[0]}, which is never unpickled" if pickled else "no weights"
        raise UserError(f"model '{folder}': {found}; convert to safetensors with save_pretrained()")


def check_weights(folder: Path) -> None:
    """Refuse a model's directory whose weights are not all there: a shard is missing, cut off, or lacks a tensor.

    Only what each file says of itself is read, so this costs nothing beside loading.
    """
    if (folder / _WEIGHTS).is_file():
        _tensors(folder / _WEIGHTS)
        return
    index = read_object(folder / _INDEX).get("weight_map")
    if not isinstance(index, dict) or not index:
        raise UserError(f"{folder / _INDEX}: weight_map is no map of tensors to files")
    for shard in sorted(set(map(str, index.values()))):
        file = folder / shard
        if Path(shard).name != shard:
            raise UserError(f"{folder / _INDEX}: '{shard}' is not in this directory; valid: file names alone")
        if not file.is_file():
            raise UserError(f"model '{folder}': {shard} is missing, which {_INDEX} names; fetch it again")
        missing = {key for key, where in index.items() if where == shard} - _tensors(file)
        if missing:
            raise UserError(f"{file}: lacks {some(missing)}, for which {_INDEX} names it; fetch both again")


def _tensors(file: Path) -> set[str]:
    """Return the names of a file's tensors; its header says how long it must be."""
    try:
        with safe_open(file, framework="pt") as held:
            return set(held.keys())
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"model '{file.parent}': cannot be loaded: {file.name} is corrupt or cut off ({one_line(error)})"
        ) from error


def check_code(folder: Path, *, trust_remote_code: bool) -> None:
    """Refuse a directory that brings code of its own, unless that is trusted; and code of another repository always.

    A config that names its own classes is refused even where the library knows a model of that kind: it would be
    another model than the one that its makers have tested.
    """
    for file, target in _own_classes(folder):
        if "--" in target:
            raise UserError(f"{file}: auto_map names {target}, code of another repository, which is never run")
        if not trust_remote_code:
            raise UserError(
                f"{file}: auto_map names {target}, code that comes with the model and is not run; once you have read "
                "it: --trust-remote-code, for a hub id with --revision COMMIT"
            )


def _own_classes(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in sorted(folder.glob("*.json")):
        if file.name.endswith("config.json"):
            mapped = read_object(file).get("auto_map") or {}
            for targets in mapped.values() if isinstance(mapped, dict) else [mapped]:
                for target in targets if isinstance(targets, list) else [targets]:
                    if target is not None:
                        yield file, str(target)


def is_adapter(folder: Path) -> bool:
    """Tell a directory of an adapter from one of a whole model."""
    if not (folder / ADAPTER_CONFIG).is_file():
        return False
    if _has_weights(folder):
        raise UserError(f"'{folder}': holds a model and an adapter; valid: either, or the adapter in a subfolder")
    return True


def _has_weights(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (_WEIGHTS, _INDEX))


def some(keys: set[str]) -> str:
    """Return the first of some keys, and how many more there are."""
    first = sorted(keys)[:_NAMED]
    return ", ".join(first) + (f" and {len(keys) - len(first)} more" if len(keys) > len(first) else "")


def one_line(error: Exception) -> str:
    """Return what an error says, in one line that is not too long."""
    return " ".join(str(error).split())[:400]
