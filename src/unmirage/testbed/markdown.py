"""Write a table between two markers of a Markdown file, without changing the rest."""

from __future__ import annotations

from pathlib import Path

from unmirage.errors import UserError
from unmirage.run.files import write_text_atomic


def markers(name: str) -> tuple[str, str]:
    """Return the marker lines of a table."""
    return f"<!-- {name} table: begin -->", f"<!-- {name} table: end -->"


def check_markers(file: Path, name: str) -> None:
    """Check that a table can be written into a file, before the work that produces it.

    Raises:
        UserError: the file exists without the two markers, each once and in order; or it is a folder.
    """
    if file.is_dir():
        raise UserError(f"{file}: is a folder; name a Markdown file")
    begin, end = markers(name)
    old = file.read_text(encoding="utf-8") if file.exists() else f"{begin}\n{end}"
    if old.count(begin) != 1 or old.count(end) != 1 or old.index(begin) > old.index(end):
        raise UserError(f"{file}: the lines '{begin}' and '{end}' are missing; add them where the table belongs")


def write_between_markers(file: Path, name: str, text: str) -> None:
    """Put `text` between the two markers of a Markdown file; create the file if it is missing.

    Raises:
        UserError: the file exists without the two markers, each once and in order.
    """
    check_markers(file, name)
    begin, end = markers(name)
    if not file.exists():
        write_text_atomic(file, f"# Results\n\n{begin}\n\n{text}\n{end}\n")
        return
    old = file.read_text(encoding="utf-8")
    before, rest = old.split(begin)
    write_text_atomic(file, f"{before}{begin}\n\n{text}\n{end}{rest.split(end)[1]}")
