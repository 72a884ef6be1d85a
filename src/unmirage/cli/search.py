"""`unmirage search`: find opening words that change a model's refusals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from unmirage.cli import options
from unmirage.cli.console import end_partial, new_table, out, plain, print_json, say
from unmirage.cli.progress import StageProgress
from unmirage.run.paths import quoted

if TYPE_CHECKING:
    from unmirage.attack.search import Baseline, FoundWord, SearchResult


def search_command(
    model: Annotated[str, typer.Argument(help="Model directory or hub id.")],
    data: Annotated[Path, typer.Argument(help="Data file with unsafe and benign queries.")],
    *,
    target: Annotated[
        Path | None,
        typer.Option("--out", help="Write the words to this file, for `attack --search-result`.", show_default=False),
    ] = None,
    method: Annotated[str, typer.Option(help="black-box (probabilities) or white-box (gradients).")] = "white-box",
    kind: Annotated[str, typer.Option(help="jailbreak or over-prudence.")] = "jailbreak",
    form: Annotated[str, typer.Option(help="replacement, insertion or rewrite.")] = "replacement",
    budget: Annotated[int, typer.Option(min=1, help="Maximum number of queries to find the words.")] = 20_000,
    top: Annotated[int, typer.Option(min=1, help="Number of words to report.")] = 10,
    baseline: Annotated[
        list[str] | None, typer.Option(help="Word to compare with (default: what, share). Repeatable.")
    ] = None,
    words: Annotated[
        Path | None, typer.Option(help="File of candidate words, one per line (default: the tokenizer's whole words).")
    ] = None,
    start: options.StartOption = None,
    loading: options.Loading,
    reading: options.Reading,
    limit: Annotated[
        int | None, typer.Option(min=4, help="Maximum number of samples, drawn by label with --seed (default: all).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the two halves and of the sample draw.")] = 0,
    batch_size: options.FixedBatchSizeOption = 16,
    json_output: options.JsonOption = False,
) -> None:
    """Search for opening words that change MODEL's probability of refusing the most.

    The search uses one half of the samples; the reported values come from the other half.
    """
    from unmirage.workflows.understand import search_words

    options.quiet_libraries()
    with StageProgress() as progress:
        result, unread = search_words(
            loading.local(model),
            data,
            {
                "method": method,
                "kind": kind,
                "form": form,
                "budget": budget,
                "top": top,
                "batch_size": batch_size,
                "seed": seed,
                "baselines": baseline,
            },
            out=target,
            words=words,
            starts=start,
            limit=limit,
            progress=progress,
            **reading.arguments(),
        )
    if json_output:
        print_json(result.to_dict())
    else:
        out.print(_table(result))
    if target is not None:
        # Include the searched form, which may differ from the rewriter's.
        kinds = kind if form == "rewrite" else f"{kind},{form}"
        attack = f"unmirage attack {quoted(model)} {quoted(data)} --search-result {quoted(target)}"
        say(f"Next: {attack} --kind {kinds} --out RUN")
    end_partial(unread)


def _table(result: SearchResult) -> Table:
    with_reworded = result.form != "rewrite"
    heads = ("opening word", "%", "95 % interval", *(["reworded"] if with_reworded else []), "in the data")
    title = f"Probability of refusal ({result.kind}, {result.form}) on {result.reported_on} held-out samples"
    table = new_table(*heads, left=1, title=title)
    rows: list[tuple[str, Baseline | FoundWord]] = [(one.name, one) for one in result.baselines]
    rows += [(one.word, one) for one in result.words]
    for at, (name, one) in enumerate(rows):
        if at == len(result.baselines):
            table.add_section()
        low, high, rewritten = one.low, one.high, one.rewritten
        table.add_row(
            plain(name),
            f"{100 * one.reported:.1f}" if one.reported is not None else "n/a",
            f"{100 * low:.1f}–{100 * high:.1f}" if low is not None and high is not None else "n/a",
            *(
                [f"{100 * rewritten.reported:.1f}" if rewritten and rewritten.reported is not None else ""]
                * with_reworded
            ),
            "" if one.in_data is None else "yes" if one.in_data else "no",
        )
    return table
