"""Print tables, JSON, log messages and errors on the terminal; define the exit codes."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from unmirage.text.printable import short

EXIT_INTERNAL = 1
EXIT_USAGE = 2
EXIT_GATE = 3
EXIT_PARTIAL = 4
EXIT_INTERRUPTED = 130
EXIT_CODES = {
    0: "success",
    EXIT_INTERNAL: "internal error, with a traceback",
    EXIT_USAGE: "wrong usage or data; one line names the fix",
    EXIT_GATE: "a gate (--fail-if) failed",
    EXIT_PARTIAL: "partial: some queries have no response or verdict, or a gate is undecided",
    EXIT_INTERRUPTED: "interrupted; the same command resumes",
}

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def plain(text: str, longest: int = 60) -> Text:
    """Return `text` as one clean line of at most `longest` characters, for rich."""
    # Joiners, which pages need to shape words, make terminals miscount columns.
    return Text("".join(character for character in short(text, longest) if character.isprintable()))


def new_table(*heads: str, left: int = 0, **style: Any) -> Table:
    """Return an empty table whose first column is left-aligned, and the others right-aligned.

    Args:
        heads: heads of the columns.
        left: number of columns at the end that are left-aligned too.
        style: arguments of `rich.table.Table`.
    """
    usual: dict[str, Any] = {"box": box.SIMPLE_HEAD, "title_justify": "left", "caption_justify": "left"}
    made = Table(**usual | style)
    for place, head in enumerate(heads):
        made.add_column(head, justify="right" if 0 < place < len(heads) - left else "left")
    return made


def say(line: str) -> None:
    """Print a line on stderr as it is."""
    err.print(line, markup=False, soft_wrap=True)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout.

    Non-ASCII characters are escaped if stdout cannot encode them, or if the text has a lone surrogate.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, allow_nan=False, indent=2)
    sys.stdout.write(text + "\n")


def end_partial(reasons: Sequence[str]) -> None:
    """Exit with the status for partial results if samples were left out."""
    if reasons:
        fail(f"partial: {len(reasons)} samples were left out because their pictures cannot be read", EXIT_PARTIAL)


def end_by_gate(document: Mapping[str, Any], conditions: Sequence[str], partial: Sequence[str] = ()) -> None:
    """Exit with the status for a failed gate, else with that for partial results if a gate is undecided.

    Args:
        document: the result that the conditions are about.
        conditions: gates, as `--fail-if` takes them.
        partial: what the result lacks, one line each; the status is that for partial results then.
    """
    from unmirage.evaluate.collapse import asr_warnings
    from unmirage.evaluate.gate import gate_outcome

    found = gate_outcome(conditions, document)
    for warning in asr_warnings(document, found.passed):
        say(f"warning: {warning}")
    if found.failed:
        for line in (*partial, *found.undecided):
            say(line)
        fail("; ".join(found.failed), EXIT_GATE)
    if lines := [*partial, *found.undecided]:
        for line in lines[:-1]:
            say(line)
        fail(lines[-1], EXIT_PARTIAL)


class _Messages(logging.Handler):
    """Print the library's log messages on stderr, one line each."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


@contextmanager
def messages_shown() -> Iterator[None]:
    """Print the library's log messages from level INFO on stderr while the block runs."""
    logger = logging.getLogger("unmirage")
    before = logger.level, logger.propagate
    handler = _Messages()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def fail(message: str, status: int) -> NoReturn:
    """Print one line on stderr and exit with `status`."""
    err.print(f"unmirage: {message}", style="bold red", markup=False, soft_wrap=True)
    raise SystemExit(status)
