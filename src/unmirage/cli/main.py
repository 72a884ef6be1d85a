"""Entry point of the command line: register the commands and turn errors into exit codes."""

from __future__ import annotations

import io
import signal
import sys
import traceback
from importlib import metadata
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from unmirage.cli.commands import Commands
from unmirage.cli.console import EXIT_CODES, EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_USAGE, fail, messages_shown
from unmirage.cli.followers import spoken_once
from unmirage.errors import INSTALL_MODELS, MODEL_PACKAGES, UserError

# Typer's errors about commands and options, by their base class, which it does not export.
_USAGE: Any = next(one for one in typer.BadParameter.__mro__ if one.__name__ == "ClickException")


def _with_hyphens(name: str) -> str:
    """Let `--batch_size` be `--batch-size`."""
    return name.replace("_", "-")


_EPILOG = "Exit codes:\n" + "\n".join(f"  {code:<3} {meaning}" for code, meaning in EXIT_CODES.items())
app = typer.Typer(
    name="unmirage",
    cls=Commands,
    help="Find the safety mirage in a vision-language model's safety data and in the model, and remove it.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": _with_hyphens},
)


class _Interrupted(BaseException):
    """Ctrl-C. Typer would turn a KeyboardInterrupt into exit status 1."""


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    raise _Interrupted


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(metadata.version("unmirage"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def run() -> None:
    """Run the command line, and let only the main process of a launcher speak; see `_run`."""
    with spoken_once():
        _run()


def _run() -> None:
    """Run the command line, and end with one of `EXIT_CODES`."""
    signal.signal(signal.SIGINT, _interrupt)
    # `unmirage audit ... | head` exits silently, like other Unix filters.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without UTF-8 shows "?" for characters that it cannot encode.
            stream.reconfigure(errors="replace")
    try:
        with messages_shown():
            # Without a name, `python -m unmirage` would name itself differently in usage lines.
            status = app(prog_name="unmirage", standalone_mode=False)
        raise SystemExit(status or 0)
    except UserError as error:
        fail(str(error), EXIT_USAGE)
    except _USAGE as error:
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help, unless that has been printed
            typer.echo(error.format_message(), err=True, nl=False)
            raise SystemExit(EXIT_USAGE) from None
        see = "" if context is None else f" (`{context.command_path} --help` has all options)"
        fail(f"{error.format_message().rstrip('.')}{see}", EXIT_USAGE)
    except typer.Abort:
        fail("aborted", EXIT_INTERNAL)
    except _Interrupted:
        fail("interrupted; finished work is kept. Run the same command again to resume", EXIT_INTERRUPTED)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in MODEL_PACKAGES:
            raise
        fail(f"this command needs {error.name}, which is not installed. {INSTALL_MODELS}", EXIT_USAGE)
    except OSError as error:
        fail(f"{error.filename or 'file system'}: {error.strerror or error}", EXIT_USAGE)
    except Exception:
        traceback.print_exc()
        fail("internal error; please report the traceback above", EXIT_INTERNAL)
