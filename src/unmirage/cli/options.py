"""Options that several commands share: how they are declared, and from text to values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmirage.errors import UserError

NameOption = Annotated[str | None, typer.Option(help="Name of the model in tables; default: its directory.")]
FormatOption = Annotated[str, typer.Option(help="Format of DATA.")]
ColumnsOption = Annotated[str, typer.Option(help="For tables: query=prompt,answer=output.")]
ImagesOption = Annotated[Path | None, typer.Option(help="Folder of the pictures; default: DATA's.")]
StartOption = Annotated[
    list[str] | None, typer.Option(help="How refusals begin; default: the usual ones and those of DATA.")
]


def parse_columns(text: str) -> dict[str, str]:
    """Return {"query": "prompt", ...} for "query=prompt,..."."""
    named: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        ours, equals, theirs = (piece.strip() for piece in part.partition("="))
        if not (ours and equals and theirs):
            raise UserError(f"--columns: {part!r} is not NAME=COLUMN; valid: query=prompt,answer=output")
        named[ours] = theirs
    return named
