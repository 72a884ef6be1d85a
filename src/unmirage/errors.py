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
    return UserError(f"unknown {kind} '{name}'; valid: {', '.join(valid)}.{did_you_mean(name, valid)}")


def closest(name: str, choices: Iterable[str]) -> str:
    """Return the one of `choices` that is most like `name`; "" if none is like it."""
    return next(iter(difflib.get_close_matches(name, list(choices), n=1)), "")


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the closest of `choices`; "" if none is close."""
    found = closest(name, choices)
    return f" Did you mean '{found}'?" if found else ""


def one_line(error: BaseException, most: int = 400) -> str:
    """Return an error's message on one line, at most `most` characters."""
    return " ".join(str(error).split())[:most]
