"""`unmirage explain`: find the words of a query that cause a model's refusals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from unmirage.cli import options
from unmirage.cli.console import end_partial, out, print_json, say
from unmirage.cli.progress import StageProgress
from unmirage.run.paths import quoted
from unmirage.text.printable import clean

if TYPE_CHECKING:
    from unmirage.attack.documents import ExplainedQuery, Explanation

_SHOWN = 12


def explain_command(
    model: Annotated[str, typer.Argument(help="Model directory or hub id.")],
    data: Annotated[Path, typer.Argument(help="Data file; its refused queries are explained.")],
    *,
    target: Annotated[
        Path | None, typer.Option("--out", help="Write the result to this JSON file.", show_default=False)
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Write the result to this run directory, for its report.", show_default=False)
    ] = None,
    benign: Annotated[bool, typer.Option("--benign", help="Explain the answered queries instead.")] = False,
    mode: Annotated[str, typer.Option(help="leave-out each word, or mask it.")] = "leave-out",
    start: options.StartOption = None,
    loading: options.Loading,
    reading: options.Reading,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of queries, drawn with --seed.")] = 100,
    seed: options.SeedOption = 0,
    batch_size: options.FixedBatchSizeOption = 16,
    json_output: options.JsonOption = False,
) -> None:
    """Leave out each word of a query in turn, and measure the change in the probability of refusal."""
    from unmirage.workflows.understand import explain_refusals

    options.quiet_libraries()
    with StageProgress() as progress:
        found, unread = explain_refusals(
            loading.local(model),
            data,
            out=target,
            run=run,
            benign=benign,
            mode=mode,
            starts=start,
            limit=limit,
            seed=seed,
            batch_size=batch_size,
            progress=progress,
            **reading.arguments(),
        )
    if json_output:
        print_json(found.to_dict())
    else:
        _print(found)
    if run is not None:
        say(f"Next: unmirage report {quoted(run)}")
    end_partial(unread)


def _print(found: Explanation) -> None:
    share, opener, others = found.opener_is_cause, found.opener_change, found.others_change
    if share.value is None or opener is None:
        out.print("Not estimable: no query contains a word.")
        return
    mean = sum(query.p_refusal for query in found.queries) / len(found.queries)
    out.print(
        f"{found.model} refuses with probability {mean:.2f}. In {100 * share.value:.0f} % of {len(found.queries)} "
        f"queries the first word has the largest effect; without it the probability falls by {opener:.2f}"
        + (f", without any other word by {others:.2f}." if others is not None else "."),
        markup=False,
    )
    for query in found.queries[:_SHOWN]:
        out.print(_colored(query))


def _colored(query: ExplainedQuery) -> Text:
    """Return the query with words that raise the refusal probability in red, and words that lower it in green."""
    line = Text(f"{query.p_refusal:5.2f}  ")
    at = 0
    for word in query.words:
        line.append(clean(query.text[at : word.start]))
        style = "" if abs(word.change) < 0.05 else "red" if word.change > 0 else "green"
        line.append(clean(word.word), style=style + " bold" if abs(word.change) >= 0.5 else style)
        if style:
            line.append(f"[{word.change:+.2f}]", style="dim")
        at = word.end
    line.append(clean(query.text[at:]))
    return line
