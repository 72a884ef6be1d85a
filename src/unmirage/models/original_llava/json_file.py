"""A JSON file of a checkpoint in, an object out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unmirage.errors import UserError


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds; a `UserError` names the file where there is none."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; valid: the folder of a whole checkpoint")
    try:
        document = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error})") from None
    if not isinstance(document, dict):
        raise UserError(f"{path}: holds no object; valid: {{...}}")
    return document
