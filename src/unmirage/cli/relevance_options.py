"""Options of the early stop on relevance in `unmirage align`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmirage.cli import options

if TYPE_CHECKING:
    from unmirage.workflows.relevance_watch import RelevanceStop


@dataclass(frozen=True, kw_only=True)
class RelevanceStopping(options.Group):
    """When to stop a training because benign responses lose relevance."""

    stop_relevance: Annotated[
        float | None,
        typer.Option(
            help="Stop when the mean relevance of benign responses has dropped by more than this, such as 0.05; needs "
            "--encoder and --validation.",
            show_default=False,
        ),
    ] = None
    encoder: Annotated[
        Path | None, typer.Option(help="With --stop-relevance: directory of a sentence encoder.", show_default=False)
    ] = None
    validation: Annotated[
        Path | None,
        typer.Option(
            help="With --stop-relevance: file with benign queries that are not in the training data.",
            show_default=False,
        ),
    ] = None
    check_every: Annotated[
        int | None, typer.Option(help="With --stop-relevance: steps between two checks (default 10).")
    ] = None
    check_queries: Annotated[
        int | None, typer.Option(help="With --stop-relevance: benign queries per check (default 24).")
    ] = None

    def chosen(self, images: Path | None) -> RelevanceStop | None:
        """Return the early stop; None without one."""
        from unmirage.workflows.relevance_watch import relevance_stop

        return relevance_stop(
            self.stop_relevance,
            encoder=self.encoder,
            validation=self.validation,
            every=self.check_every,
            queries=self.check_queries,
            images=images,
        )
