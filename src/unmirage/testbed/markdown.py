"""Write a table into a Markdown file, between two markers, and leave the rest of the file as it is."""

from __future__ import annotations

from pathlib import Path

from unmirage.errors import UserError
from unmirage.run.files import write_text_atomic


def markers(name: str) -> tuple[str, str]:
    """Return the lines between which a table of this name is written."""
    return f"<!-- {name} table: begin -->", f"<!-- {name} table: end -->"


def check_markers(file: Path, name: str) -> None:
    """Check that a table of this name can be written into a file, before the work whose result it shows.

    Raises:
        UserError: the file is there, but the markers are not in it, each once and in order; or it is a folder.
    """
    if file.is_dir():
        raise UserError(f"{file}: is a folder; valid: the name of a Markdown file")
    begin, end = markers(name)
    old = file.read_text(encoding="utf-8") if file.exists() else f"{begin}\n{end}"
    if old.count(begin) != 1 or old.count(end) != 1 or old.index(begin) > old.index(end):
        raise UserError(f"{file}: the lines '{begin}' and '{end}' are missing; the table is written between them")


def write_between_markers(file: Path, name: str, text: str) -> None:
    """Put `text` between the two markers of a Markdown file, and leave the rest as it is; make the file if need be.

    Raises:
        UserError: the file is there, but the markers are not in it, each once and in order.
    """
    check_markers(file, name)
    begin, end = markers(name)
    if not file.exists():
        write_text_atomic(file, f"# Results\n\n{begin}\n\n{text}\n{end}\n")
        return
    old = file.read_text(encoding="utf-8")
    before, rest = old.split(begin)
    write_text_atomic(file, f"{before}{begin}\n\n{text}\n{end}{rest.split(end)[1]}")
