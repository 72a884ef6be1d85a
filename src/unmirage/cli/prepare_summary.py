"""prepare.json in; a table and a few lines for people, and the exit status, out. No answer is ever shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from unmirage.cli.console import EXIT_PARTIAL, err, fail, out
from unmirage.cli.plain import plain
from unmirage.errors import UserError

_COLUMNS = ("failed", "complied", "refused", "irrelevant", "no_verdict", "chosen")


def print_summary(found: Mapping[str, Any]) -> None:
    """Print who answered what, and what went into the sets."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("answers from", overflow="fold")
    for name in _COLUMNS:
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for name, counts in found["models"].items():
        table.add_row(plain(name), *(f"{counts[column]:,}" for column in _COLUMNS))
    out.print(table)
    for line in (*_forget(found["forget"]), *_retain(found["retain"])):
        out.print(line, markup=False, soft_wrap=True)


def _forget(counts: Mapping[str, Any]) -> list[str]:
    lines = [f"{counts['file']}: {counts['rows']:,} of {counts['asked']:,} unsafe queries, with a harmful answer"]
    lines += _indented({f"left out, {reason}": number for reason, number in counts["left_out"].items()})
    lines += [f"  {kind}: {own['rows']:,} of {own['asked']:,}" for kind, own in counts["by_kind"].items()]
    lines += _indented({f"harm {grade} of 5": number for grade, number in counts["by_harm"].items()})
    lines += _indented({"answers cut off by --max-new-tokens": counts["cut_off"]})
    return lines


def _retain(counts: Mapping[str, Any]) -> list[str]:
    wanted = "" if counts["wanted"] is None else f" of {counts['wanted']:,} wanted"
    lines = [f"{counts['file']}: {counts['rows']:,}{wanted}, {counts['from_general']:,} of them general"]
    lines += _indented({f"left out, {reason}": number for reason, number in counts["left_out"].items()})
    lines += _indented({"general samples passed over, as their picture cannot be read": counts["general_passed_over"]})
    return lines


def _indented(counts: Mapping[str, int]) -> list[str]:
    return [f"  {text}: {number:,}" for text, number in counts.items() if number]


def end(found: Mapping[str, Any], folder: Path) -> None:
    """Say what to do next; end with the status for partial results, or for sets that nobody can train on."""
    for source in found["sources"]:
        if source["set_aside"]:
            err.print(f"{source['file']}: {source['set_aside']} records were set aside", markup=False, soft_wrap=True)
    if not found["complete"]:
        fail(f"partial: {'; '.join(_gaps(found))}; run the same command again to try again", EXIT_PARTIAL)
    forget, retain = found["forget"], found["retain"]
    if not forget["rows"]:
        why = ", ".join(f"{number:,} {reason}" for reason, number in forget["left_out"].items() if number)
        raise UserError(f"no harmful answer to forget ({why}); valid: models that comply, such as one before alignment")
    if not retain["rows"]:
        raise UserError("no safe sample to keep; valid: --general FILE with answers and readable pictures")
    err.print(
        f"Next: unmirage align MODEL --method npo --forget {folder / forget['file']} "
        f"--retain {folder / retain['file']} --out NEW_MODEL",
        markup=False,
        soft_wrap=True,
    )


def _gaps(found: Mapping[str, Any]) -> list[str]:
    said = []
    for name, counts in found["models"].items():
        if counts["failed"]:
            said.append(f"{counts['failed']} of {counts['asked']} queries got no answer from {plain(name)}")
        if counts["no_verdict"]:
            said.append(f"{counts['no_verdict']} answers of {plain(name)} got no verdict")
    if found["first_failure"]:
        said[-1] += f" (the first: {plain(found['first_failure'], 300)})"
    if unreadable := found["retain"]["left_out"]["no picture"]:
        said.append(
            f"{unreadable} safe samples have no picture ({plain(found['retain']['first_without_picture'], 300)})"
        )
    return said
