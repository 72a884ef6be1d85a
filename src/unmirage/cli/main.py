"""The command line: one module a command; this one gathers them and turns errors into exit codes."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Annotated

import typer

from unmirage.cli import audit
from unmirage.cli.console import EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_USAGE, fail
from unmirage.errors import UserError

app = typer.Typer(
    name="unmirage",
    help="Find the safety mirage in a vision-language model's safety data and in the model, and remove it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("audit")(audit.audit_command)


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
    """Run the command line; exit 0 done, 1 internal error, 2 usage or data, 3 gate, 4 partial, 130 interrupted."""
    try:
        app(standalone_mode=True)
    except UserError as error:
        fail(str(error), EXIT_USAGE)
    except OSError as error:
        fail(f"{error.filename or 'file system'}: {error.strerror or error}", EXIT_USAGE)
    except KeyboardInterrupt:
        fail("interrupted", EXIT_INTERRUPTED)
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)
        fail("internal error; please report the traceback above", EXIT_INTERNAL)
