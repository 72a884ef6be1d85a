"""Options that several commands share: how they are declared, and from text to values."""

from __future__ import annotations

from collections.abc import Iterable
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

RevisionOption = Annotated[str | None, typer.Option(help="Commit of a hub model.", show_default=False)]
TrustOption = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run code of the model's repository; needs --revision.")
]
SkipBadOption = Annotated[bool, typer.Option("--skip-bad", help="Set records aside that cannot be read.")]
SeedOption = Annotated[int, typer.Option(help="Seed of the draw.")]
BatchSizeOption = Annotated[int | None, typer.Option(min=1, help="Queries at once; default: what memory holds.")]
MaxNewTokensOption = Annotated[int, typer.Option(min=1, help="Tokens that an answer may have.")]
ConcurrencyOption = Annotated[int | None, typer.Option(min=1, help="Endpoint: requests at a time.")]
RequestsOption = Annotated[float | None, typer.Option(min=0.01, help="Endpoint: at most so many.")]
TimeoutOption = Annotated[float | None, typer.Option(min=0.01, help="Endpoint: seconds a request may take.")]
PriceInOption = Annotated[float | None, typer.Option(min=0, help="Endpoint: price of a million prompt tokens.")]
PriceOutOption = Annotated[float | None, typer.Option(min=0, help="Endpoint: price of a million answer tokens.")]


def asks_server(spec: str) -> bool:
    """Tell whether the model or judge that `spec` names sends requests to a server."""
    return spec.removeprefix("official:").startswith("endpoint:")


def endpoint_options(targets: Iterable[str], **values: float | None) -> dict[str, float | None]:
    """Return the settings of servers that were given, by name; None values were not.

    Raises:
        UserError: one was given, and none of `targets` is a server.
    """
    given = [key for key, value in values.items() if value is not None]
    if given and not any(map(asks_server, targets)):
        raise UserError(f"--{given[0].replace('_', '-')}: is for endpoint:URL#model-name, and none is named")
    return values


def parse_columns(text: str) -> dict[str, str]:
    """Return {"query": "prompt", ...} for "query=prompt,..."."""
    named: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        ours, equals, theirs = (piece.strip() for piece in part.partition("="))
        if not (ours and equals and theirs):
            raise UserError(f"--columns: {part!r} is not NAME=COLUMN; valid: query=prompt,answer=output")
        named[ours] = theirs
    return named
