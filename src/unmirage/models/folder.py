"""Find a model's directory, or download it from the hub, and check its files before anything is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError
from safetensors import SafetensorError, safe_open

from unmirage.errors import UserError, one_line
from unmirage.run.files import read_json, read_object
from unmirage.run.paths import FOLDER, kind_of, meant, quoted

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_WANTED = ["*.json", "*.jinja", "*.model", "*.txt", "*.safetensors"]  # no pickles; code only if trusted
_UNWANTED = ["*/*.safetensors", "consolidated*.safetensors", "*.fp16.safetensors"]  # duplicates of the weights
_NAMED = 3  # keys that a message lists


def local_folder(source: str | Path, revision: str | None, *, trust_remote_code: bool) -> Path:
    """Return the directory of a model. A hub id is downloaded first, and its code only if that is trusted.

    Raises:
        UserError: the model does not exist, or its code is trusted without a fixed commit.
    """
    if (folder := Path(source)).exists():
        if revision is not None:
            raise UserError(
                f"revision '{revision}': only hub ids have revisions, and '{source}' is a directory; leave it out"
            )
        if folder.is_file():
            hint = _grafted(source) or ". Are the arguments swapped?"
            raise UserError(f"model '{source}': is a file; give the directory of a Hugging Face model{hint}")
        return folder
    if hint := _grafted(source):
        raise UserError(f"model '{source}': no such directory{hint}")
    check_hub_id("model", str(source))
    if trust_remote_code and not _COMMIT.fullmatch(revision or ""):
        raise UserError(
            f"model '{source}': code from the hub needs a fixed commit, got {revision!r}; add --revision with the "
            "40 hex digits of the commit whose code you have read, or drop --trust-remote-code"
        )
    wanted = [*_WANTED, "*.py"] if trust_remote_code else _WANTED
    return downloaded("model", str(source), revision=revision, allow_patterns=wanted, ignore_patterns=_UNWANTED)


def _grafted(source: str | Path) -> str:
    """Return a hint if `source` is a text decoder that `unmirage graft` makes a VLM of; else ""."""
    from unmirage.models.graft.named import WHEELS

    if Path(source).suffix != ".gguf" and str(source) not in WHEELS:
        return ""
    return f"; `unmirage graft {quoted(source)} --out DIR` makes one of this text decoder"


def check_hub_id(what: str, source: str) -> None:
    """Check that `source` has the form owner/name; `what` describes it in the message."""
    if len(Path(source).parts) != 2 or source.startswith((".", "/", "~")):
        fix = "give a directory or a hub id owner/name"
        hint = meant(source)
        raise UserError(
            f"{what} '{source}': no such folder, nor a hub model of that name; {fix}" + (f".{hint}" if hint else "")
        )


def downloaded(what: str, source: str, **options: Any) -> Path:
    """Return the directory of a hub id's snapshot; `options` are those of `snapshot_download`."""
    try:
        return Path(snapshot_download(source, **options))
    except (OSError, ValueError) as error:  # does not exist, access denied, no network
        raise UserError(f"{what} '{source}': cannot be loaded: {_of_hub(source, error)}") from error


def _of_hub(source: str, error: OSError | ValueError) -> str:
    """Return why the hub gave no model, and what to do."""
    if isinstance(error, GatedRepoError):
        return f"access is restricted; accept its terms at https://huggingface.co/{source}, then run `hf auth login`"
    if isinstance(error, RepositoryNotFoundError):
        return f"no such folder, nor a hub model of that name (a private one needs `hf auth login`).{meant(source)}"
    if isinstance(error, LocalEntryNotFoundError):
        reason = "offline (HF_HUB_OFFLINE)" if constants.HF_HUB_OFFLINE else f"not reached ({one_line(error, 120)})"
        return f"no such folder, nor a hub model of that name in the cache; the hub is {reason}.{meant(source)}"
    return one_line(error)


def check_folder(folder: Path) -> None:
    """Check that a directory holds a model whose weights need no unpickling."""
    if is_adapter(folder):
        return
    if not (folder / "config.json").is_file():
        hint = ". Are the arguments swapped?" if (kind := kind_of(folder)) != FOLDER else ""
        told = "no config.json" if kind == FOLDER else f"no config.json; it is {kind}"
        raise UserError(f"model '{folder}': {told}; give the directory of a Hugging Face model{hint}")
    if not _has_weights(folder):
        pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
        found = f"has only {pickled[0]}, a pickle, which is never loaded" if pickled else "has no weights"
        raise UserError(f"model '{folder}': {found}; save it in safetensors with save_pretrained()")


def check_weights(folder: Path) -> None:
    """Check that a model's weights are complete: no shard is missing or truncated, and none lacks a tensor.

    Reads file headers only, so the cost is small compared with loading.
    """
    if (folder / _WEIGHTS).is_file():
        _tensors(folder / _WEIGHTS)
        return
    index = read_object(folder / _INDEX).get("weight_map")
    if not isinstance(index, dict) or not index:
        raise UserError(f"{folder / _INDEX}: weight_map does not map tensors to files; download it again")
    for shard in sorted(set(map(str, index.values()))):
        file = folder / shard
        if Path(shard).name != shard:
            raise UserError(f"{folder / _INDEX}: '{shard}' is not in this directory; use file names without a path")
        if not file.is_file():
            raise UserError(f"model '{folder}': {shard}, listed in {_INDEX}, is missing; download it again")
        missing = {key for key, where in index.items() if where == shard} - _tensors(file)
        if missing:
            raise UserError(f"{file}: lacks {some(missing)}, which {_INDEX} lists for it; download both again")


def _tensors(file: Path) -> set[str]:
    """Return the names of a file's tensors. Truncated files are detected from the header."""
    try:
        with safe_open(file, framework="pt") as held:
            return set(held.keys())
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"model '{file.parent}': cannot be loaded: {file.name} is corrupt or truncated ({one_line(error)})"
        ) from error


def check_code(folder: Path, *, trust_remote_code: bool) -> None:
    """Check that a directory runs no untrusted code, and never code from another repository.

    A config with its own classes is rejected even if the library supports that model type: the library's class may
    differ from the published model.
    """
    for file, target in _own_classes(folder):
        if "--" in target:
            raise UserError(f"{file}: auto_map refers to {target}, code in another repository, which is never run")
        if not trust_remote_code:
            raise UserError(
                f"{file}: auto_map refers to {target}, code that comes with the model and is not run; read it, then "
                "pass --trust-remote-code (for a hub id with --revision COMMIT)"
            )


def _own_classes(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in sorted(folder.glob("*.json")):
        if file.name.endswith("config.json"):
            # Other files may hold a list, such as the data_config.json of sentence encoders.
            found = read_object(file) if file.name == "config.json" else read_json(file, constants=True)
            mapped = (found.get("auto_map") if isinstance(found, dict) else None) or {}
            for targets in mapped.values() if isinstance(mapped, dict) else [mapped]:
                for target in targets if isinstance(targets, list) else [targets]:
                    if target is not None:
                        yield file, str(target)


def is_adapter(folder: Path) -> bool:
    """Return whether a directory holds a LoRA adapter rather than a whole model."""
    if not (folder / ADAPTER_CONFIG).is_file():
        return False
    if _has_weights(folder):
        raise UserError(f"'{folder}': holds a model and an adapter; move the adapter to its own directory")
    return True


def _has_weights(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (_WEIGHTS, _INDEX))


def some(keys: set[str]) -> str:
    """Return the first few keys, and how many more there are."""
    first = sorted(keys)[:_NAMED]
    return ", ".join(first) + (f" and {len(keys) - len(first)} more" if len(keys) > len(first) else "")
