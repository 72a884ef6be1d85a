"""A folder or the id of a repository on the hub in, a folder out."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download

from unmirage.errors import UserError

# Weights and small files; no code, no weights for other frameworks.
_WANTED = ("*.json", "*.safetensors", "*.model", "*.jinja")


def local_folder(option: str, source: str, *, from_pickle: bool) -> Path:
    """Return the folder of a checkpoint; only an id of the form owner/name is looked up on the hub.

    Args:
        option: what the user gave it as, for messages.
        source: folder or id.
        from_pickle: fetch pickles too.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    if folder.exists() or len(folder.parts) != 2 or source.startswith((".", "/", "~")):
        raise UserError(f"{option} '{source}': no such folder, and not a hub id of the form owner/name")
    try:
        return Path(snapshot_download(source, allow_patterns=[*_WANTED, *(["*.bin"] if from_pickle else [])]))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{option} '{source}': no such folder, and not to be had from the hub ({reason})") from None
