"""Options that several commands share, and their conversion from text to values."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from unmirage.errors import UserError
from unmirage.text.printable import short
from unmirage.workflows.models import asks_server

NameOption = Annotated[str | None, typer.Option(help="Name of the model in tables (default: the last part of MODEL).")]
FormatOption = Annotated[str, typer.Option(help="Format of DATA.")]
ColumnsOption = Annotated[str, typer.Option(help="For tables: query=prompt,answer=output.")]
ImagesOption = Annotated[Path | None, typer.Option(help="Folder of the pictures; default: DATA's.")]
JUDGE_SPECS = "phrases, official, exact:PATH/truth.json, endpoint:URL#model, local:MODEL or official:endpoint:URL#model"
RubricOption = Annotated[
    str,
    typer.Option(
        help="Rubric of a judge that is a language model: harm (two questions), or relevance (one, as in the paper)."
    ),
]
SeesOption = Annotated[
    bool, typer.Option("--judge-sees-pictures", help="Show the pictures to a judge that is a language model.")
]
SchemaOption = Annotated[
    bool,
    typer.Option(
        "--judge-schema",
        help="Request JSON-schema replies (response_format) from the judge's server, if it supports them.",
    ),
]
StartOption = Annotated[
    list[str] | None, typer.Option(help="First words of refusals (default: common ones and those in DATA). Repeatable.")
]

RevisionOption = Annotated[
    str | None, typer.Option(help="Commit of a hub model (default: the newest).", show_default=False)
]
TrustOption = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run code of the model's repository; needs --revision.")
]
SkipBadOption = Annotated[bool, typer.Option("--skip-bad", help="Skip records that cannot be read, and count them.")]
SeedOption = Annotated[int, typer.Option(help="Random seed of the sample draw.")]
BatchSizeOption = Annotated[
    int | None, typer.Option(min=1, help="Queries per batch (default: the largest batch that fits in memory).")
]
MaxNewTokensOption = Annotated[int, typer.Option(min=1, help="Maximum new tokens per response.")]
ConcurrencyOption = Annotated[int | None, typer.Option(min=1, help="Endpoint: maximum concurrent requests.")]
RequestsOption = Annotated[float | None, typer.Option(min=0.01, help="Endpoint: maximum requests per minute.")]
TimeoutOption = Annotated[float | None, typer.Option(min=0.01, help="Endpoint: timeout of a request, in seconds.")]
PriceInOption = Annotated[
    float | None, typer.Option(min=0, help="Endpoint: price per million prompt tokens, to report the cost.")
]
PriceOutOption = Annotated[
    float | None, typer.Option(min=0, help="Endpoint: price per million response tokens, to report the cost.")
]


def endpoint_options(targets: Iterable[str], **values: float | None) -> dict[str, float | None]:
    """Return the given server settings by name, without None values.

    Raises:
        UserError: a setting is given, but none of `targets` is a server.
    """
    given = [key for key, value in values.items() if value is not None]
    if given and not any(map(asks_server, targets)):
        raise UserError(f"--{given[0].replace('_', '-')}: needs a model or judge of the form endpoint:URL#model-name")
    return values


_LONGEST = 60


def plain(text: str, longest: int = _LONGEST) -> Text:
    """Return `text` as one clean line of at most `longest` characters, for rich."""
    # Joiners, which pages need to shape words, make terminals miscount columns.
    return Text("".join(character for character in short(text, longest) if character.isprintable()))


def quiet_libraries() -> None:
    """Silence the progress bars and notices of transformers and related libraries; errors are still shown."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if find_spec("transformers") is None:
        return
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
