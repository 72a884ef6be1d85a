"""Errors that a user can fix. Each message is one line and lists the valid choices."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Only commands that load a model need these packages.
MODEL_PACKAGES = ("accelerate", "peft", "tokenizers", "torch", "transformers")
INSTALL_MODELS = "Install the packages for models: pip install 'unmirage[models]'"


class UserError(ValueError):
    """Bad input or usage. The message is one line: what is wrong, where, and what is valid.

    The command line prints it without a traceback and exits with status 2.
    """


def unknown(kind: str, name: str, choices: Iterable[str]) -> UserError:
    """Return the error for an unknown name, with the closest valid name as a hint.

    Args:
        kind: kind of name, such as "judge".
        name: the name that the user gave.
        choices: all valid names.
    """
    valid = sorted(choices)
    close = difflib.get_close_matches(name, valid, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return UserError(f"unknown {kind} '{name}'; valid: {', '.join(valid)}.{hint}")


def one_line(error: BaseException, most: int = 400) -> str:
    """Return an error's message on one line, at most `most` characters."""
    return " ".join(str(error).split())[:most]
