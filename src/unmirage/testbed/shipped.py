"""The shipped base model of world 0, which saves training it in the demo."""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

from unmirage.errors import UserError
from unmirage.run import new_folder
from unmirage.run.files import write_json_atomic
from unmirage.testbed.settings import StudySettings

COMMAND = "unmirage demo --train-base"
_WEIGHTS, _MADE = "model.safetensors", "made.json"


def shipped_folder() -> Path:
    """Return the folder of the shipped model; it may not exist."""
    return Path(str(files("unmirage.testbed"))) / "base_world_0"


def shipped_base(data: Path, settings: StudySettings, seed: int) -> Path | None:
    """Return the shipped model's folder if it was made from the same data, settings and seed; None otherwise.

    Raises:
        UserError: the hash of the weights differs from the recorded one.
    """
    folder = shipped_folder()
    if not (folder / _MADE).is_file():
        return None
    made = json.loads((folder / _MADE).read_text(encoding="utf-8"))
    if made["made_from"] != _made_from(data, settings, seed):
        return None
    if _sha256(folder / _WEIGHTS) != made["sha256"]:
        raise UserError(
            f"{folder / _WEIGHTS}: file is corrupt, its hash differs from the recorded one; reinstall unmirage, or "
            f"retrain it with `{COMMAND}`"
        )
    return folder


def ship(model: Path, data: Path, settings: StudySettings, seed: int, commit: str) -> None:
    """Copy a trained base model into the package, with hash, settings and the command that reproduces it."""
    target = shipped_folder()
    shutil.rmtree(target, ignore_errors=True)
    with new_folder(target) as new:
        for file in model.iterdir():
            if file.name != "README.md" and not file.name.startswith("unmirage_"):
                shutil.copyfile(file, new / file.name)
        made = {
            "command": COMMAND,
            "commit": commit,
            "sha256": _sha256(new / _WEIGHTS),
            "made_from": _made_from(data, settings, seed),
        }
        write_json_atomic(new / _MADE, made)


def _made_from(data: Path, settings: StudySettings, seed: int) -> dict[str, Any]:
    """Return everything that determines the weights; pictures follow from the world's settings and the corpus."""
    return {
        "base.json": _sha256(data / "base.json"),
        "seed": seed,
        **settings.model_dump(mode="json", include={"world", "corpus", "vision", "base"}),
    }


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
