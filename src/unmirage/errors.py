"""Mistakes that a user can mend: one line each, with the valid choices."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Only commands that load a model need these packages.
MODEL_PACKAGES = ("accelerate", "peft", "tokenizers", "torch", "transformers")
INSTALL_MODELS = "Install the packages for models: pip install 'unmirage[models]'"


class UserError(ValueError):
    """Bad input or usage. The message is one line that names what is wrong and what would be right.

    The command line prints it without a traceback and exits with status 2.
    """


def unknown(kind: str, name: str, choices: Iterable[str]) -> UserError:
    """Return the error for a name that is not among the known ones.

    Args:
        kind: what the name stands for, such as "judge".
        name: what the user wrote.
        choices: all valid names.
    """
    valid = sorted(choices)
    close = difflib.get_close_matches(name, valid, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return UserError(f"unknown {kind} '{name}'; valid: {', '.join(valid)}.{hint}")
