"""Entry point of the command line: register the commands and turn errors into exit codes."""

from __future__ import annotations

import io
import signal
import sys
import traceback
from importlib import metadata
from types import FrameType
from typing import Annotated, NoReturn

import typer

from unmirage.cli.align import align_command
from unmirage.cli.attack import attack_command
from unmirage.cli.audit import audit_command
from unmirage.cli.calibrate import calibrate_command
from unmirage.cli.console import EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_USAGE, fail, messages_shown
from unmirage.cli.convert import convert_command
from unmirage.cli.demo import demo_command
from unmirage.cli.doctor import doctor_command
from unmirage.cli.evaluate import evaluate_command
from unmirage.cli.explain import explain_command
from unmirage.cli.followers import spoken_once
from unmirage.cli.graft import graft_command
from unmirage.cli.judge import judge_command
from unmirage.cli.options import expanded
from unmirage.cli.prepare import prepare_command
from unmirage.cli.report import export_command, report_command
from unmirage.cli.schema import schema_command
from unmirage.cli.search import search_command
from unmirage.cli.stress import stress_command
from unmirage.cli.study import app as study_app
from unmirage.cli.study_pretrained import pretrained_command
from unmirage.cli.study_unlearning import unlearning_command
from unmirage.errors import INSTALL_MODELS, MODEL_PACKAGES, UserError

app = typer.Typer(
    name="unmirage",
    help="Find the safety mirage in a vision-language model's safety data and in the model, and remove it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
# In the order of `unmirage --help`.
for _command in (
    demo_command,
    audit_command,
    attack_command,
    search_command,
    explain_command,
    convert_command,
    graft_command,
    prepare_command,
    align_command,
    stress_command,
    evaluate_command,
    judge_command,
    calibrate_command,
    report_command,
    export_command,
    schema_command,
    doctor_command,
):
    app.command(_command.__name__.removesuffix("_command"))(expanded(_command))
study_app.command("pretrained")(expanded(pretrained_command))
study_app.command("unlearning")(expanded(unlearning_command))
app.add_typer(study_app, name="study")


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
    """Run the command line; exit 0 success, 1 internal error, 2 usage or data, 3 gate, 4 partial, 130 interrupted."""
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
            app(prog_name="unmirage")
    except UserError as error:
        fail(str(error), EXIT_USAGE)
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
