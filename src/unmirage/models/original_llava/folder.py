"""Find a local checkpoint folder, or download it from the hub."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download

from unmirage.errors import UserError

# Weights and small files; no code and no weights for other frameworks.
_WANTED = ("*.json", "*.safetensors", "*.model", "*.jinja")


def local_folder(option: str, source: str, *, from_pickle: bool) -> Path:
    """Return the folder of a checkpoint; an id of the form owner/name is downloaded from the hub.

    Args:
        option: name of the option, for messages.
        source: folder or hub id.
        from_pickle: download pickles too.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    if folder.exists() or len(folder.parts) != 2 or source.startswith((".", "/", "~")):
        raise UserError(f"{option} '{source}': no such folder, and not a hub id; give a folder or a hub id owner/name")
    try:
        return Path(snapshot_download(source, allow_patterns=[*_WANTED, *(["*.bin"] if from_pickle else [])]))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{option} '{source}': no such folder, and the download failed ({reason})") from None
