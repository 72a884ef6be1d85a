"""Read JSON files; an error is one line that names the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from unmirage.errors import UserError


def read_json(path: Path, *, constants: bool = False) -> Any:
    """Return the JSON of a file of UTF-8 text.

    Args:
        path: the file.
        constants: accept NaN and infinities, which Python writes although they are not JSON.

    Raises:
        UserError: the file is missing or cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        return json.loads(text) if constants else json.loads(text, parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: invalid JSON (line {error.lineno}: {error.msg})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except RecursionError:
        raise UserError(f"{path}: nested too deeply to be read") from None
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object of another program's file, which may contain NaN and infinities."""
    found = read_json(path, constants=True)
    if not isinstance(found, dict):
        raise UserError(f"{path}: not a JSON object; valid: {{...}}")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"contains {name}; valid: finite numbers, or null where there is none")
