"""`unmirage card`: print a model or dataset card for a hub, or add it to an existing one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli.console import print_json, say
from unmirage.cli.options import JsonOption
from unmirage.errors import UserError


def card_command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="RUN_OR_AUDIT",
            help="A judged run, for a model card, or a file of `unmirage audit --json`, for a dataset card.",
            show_default=False,
        ),
    ],
    *,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Model of the card, if the run has several.", show_default=False)
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Existing card to add the rates to, such as README.md of a model (default: print a new card).",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Print a model card with the rates of a run, or a dataset card with an audit, as Markdown for a hub."""
    from unmirage.audit import AuditResult
    from unmirage.workflows.cards import read_source
    from unmirage.workflows.dataset_card import card_of_data
    from unmirage.workflows.model_card import card_of_model

    found, day = read_source(source)
    if isinstance(found, AuditResult):
        if model is not None:
            raise UserError("--model: an audit has no models; leave it out")
        card = card_of_data(found, day)
    else:
        card = card_of_model(found, model, day)
    if into is not None:
        say(f"Card: {card.into(into)}")
    if json_output:
        print_json(card.to_dict())
    elif into is None:
        sys.stdout.write(card.markdown)
