"""Options of the evaluation during training in `unmirage align`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmirage.cli import options

if TYPE_CHECKING:
    from unmirage.workflows.eval_watch import Evaluation


@dataclass(frozen=True, kw_only=True)
class Evaluating(options.Group):
    """What to measure on held-out data during a training."""

    eval: Annotated[
        Path | None,
        typer.Option(
            "--eval",
            help="Labelled data that is not trained on: measure loss and ASR on it, and keep the weights of the best "
            "check.",
            show_default=False,
        ),
    ] = None
    eval_every: Annotated[int | None, typer.Option(help="With --eval: steps between two checks (default 50).")] = None
    eval_queries: Annotated[
        int | None, typer.Option(help="With --eval: responses of the loss, and unsafe queries of the ASR (default 64).")
    ] = None
    eval_metric: Annotated[
        str | None, typer.Option(help="With --eval: loss or asr, which decides on the best check (default loss).")
    ] = None
    patience: Annotated[
        int | None, typer.Option(help="With --eval: end after this number of checks without a better one.")
    ] = None

    def chosen(self, reading: dict[str, Any]) -> Evaluation | None:
        """Return the evaluation; None without one."""
        from unmirage.workflows.eval_watch import evaluation

        return evaluation(
            self.eval,
            every=self.eval_every,
            queries=self.eval_queries,
            metric=self.eval_metric,
            patience=self.patience,
            **reading,
        )
