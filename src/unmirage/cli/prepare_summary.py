"""Print a summary of prepare.json and set the exit status. Harmful responses are never shown."""

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
    """Print the number of responses per model, and the contents of the sets."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("responses from", overflow="fold")
    for name in _COLUMNS:
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for name, counts in found["models"].items():
        table.add_row(plain(name), *(f"{counts[column]:,}" for column in _COLUMNS))
    out.print(table)
    for line in (*_forget(found["forget"]), *_retain(found["retain"])):
        out.print(line, markup=False, soft_wrap=True)


def _forget(counts: Mapping[str, Any]) -> list[str]:
    lines = [f"{counts['file']}: {counts['rows']:,} of {counts['asked']:,} unsafe queries, with a harmful response"]
    lines += _indented({f"left out, {reason}": number for reason, number in counts["left_out"].items()})
    lines += [f"  {kind}: {own['rows']:,} of {own['asked']:,}" for kind, own in counts["by_kind"].items()]
    lines += _indented({f"harm {grade} of 5": number for grade, number in counts["by_harm"].items()})
    lines += _indented({"responses truncated by --max-new-tokens": counts["cut_off"]})
    return lines


def _retain(counts: Mapping[str, Any]) -> list[str]:
    wanted = "" if counts["wanted"] is None else f" of {counts['wanted']:,} wanted"
    lines = [f"{counts['file']}: {counts['rows']:,}{wanted}, {counts['from_general']:,} of them general"]
    lines += _indented({f"left out, {reason}": number for reason, number in counts["left_out"].items()})
    lines += _indented({"general samples skipped because their picture cannot be read": counts["general_passed_over"]})
    return lines


def _indented(counts: Mapping[str, int]) -> list[str]:
    return [f"  {text}: {number:,}" for text, number in counts.items() if number]


def end(found: Mapping[str, Any], folder: Path) -> None:
    """Print the next step; exit with the status for partial results, or for sets that cannot be trained on."""
    for source in found["sources"]:
        if source["set_aside"]:
            err.print(f"{source['file']}: {source['set_aside']} records were skipped", markup=False, soft_wrap=True)
    if not found["complete"]:
        fail(f"partial: {'; '.join(_gaps(found))}; run the same command again to try again", EXIT_PARTIAL)
    forget, retain = found["forget"], found["retain"]
    if not forget["rows"]:
        why = ", ".join(f"{number:,} {reason}" for reason, number in forget["left_out"].items() if number)
        raise UserError(f"no harmful response to forget ({why}); use models that comply, such as one before alignment")
    if not retain["rows"]:
        raise UserError("no safe sample to retain; add --general FILE with answers and readable pictures")
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
            said.append(f"{counts['failed']} of {counts['asked']} queries have no response from {plain(name)}")
        if counts["no_verdict"]:
            said.append(f"{counts['no_verdict']} responses of {plain(name)} have no verdict")
    if found["first_failure"]:
        said[-1] += f" (the first: {plain(found['first_failure'], 300)})"
    if unreadable := found["retain"]["left_out"]["no picture"]:
        said.append(
            f"{unreadable} safe samples have no picture ({plain(found['retain']['first_without_picture'], 300)})"
        )
    return said
