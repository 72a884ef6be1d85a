"""Options that several commands share: how they are declared, and from text to values."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from unmirage.errors import UserError
from unmirage.workflows.models import asks_server

NameOption = Annotated[str | None, typer.Option(help="Name of the model in tables; default: its directory.")]
FormatOption = Annotated[str, typer.Option(help="Format of DATA.")]
ColumnsOption = Annotated[str, typer.Option(help="For tables: query=prompt,answer=output.")]
ImagesOption = Annotated[Path | None, typer.Option(help="Folder of the pictures; default: DATA's.")]
JUDGE_SPECS = "phrases, official, exact:PATH/truth.json, endpoint:URL#model, local:MODEL or official:endpoint:URL#model"
RubricOption = Annotated[
    str, typer.Option(help="Of a language model as judge: harm (and relevance), or relevance alone, as in the paper.")
]
SeesOption = Annotated[
    bool, typer.Option("--judge-sees-pictures", help="Show a language model as judge the pictures too.")
]
SchemaOption = Annotated[
    bool,
    typer.Option("--judge-schema", help="Have a judge's server hold its replies to a JSON schema (response_format)."),
]
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


def endpoint_options(targets: Iterable[str], **values: float | None) -> dict[str, float | None]:
    """Return the settings of servers that were given, by name; None values were not.

    Raises:
        UserError: one was given, and none of `targets` is a server.
    """
    given = [key for key, value in values.items() if value is not None]
    if given and not any(map(asks_server, targets)):
        raise UserError(f"--{given[0].replace('_', '-')}: is for endpoint:URL#model-name, and none is named")
    return values
