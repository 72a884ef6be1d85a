"""`unmirage schema`: list the documents that the package writes, or print the JSON Schema of one."""

from __future__ import annotations

from typing import Annotated

import typer

from unmirage.cli.console import new_table, out, print_json


def schema_command(
    name: Annotated[str, typer.Argument(help="Document, such as results; without it, all are listed.")] = "",
) -> None:
    """Print the JSON Schema of a document."""
    from unmirage.documents import DOCUMENTS, document_of

    if name:
        print_json(document_of(name).json_schema())
        return
    table = new_table("document", "file", "written by", left=3)
    for one in DOCUMENTS:
        kind = document_of(one)
        table.add_row(one, kind.FILE, kind.WRITER)
    out.print(table)
