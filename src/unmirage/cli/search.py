"""`unmirage search`: find opening words that flip a model from refusing to answering, or back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmirage.cli.console import end_partial, err, out, print_json
from unmirage.cli.options import (
    ColumnsOption,
    FormatOption,
    ImagesOption,
    NameOption,
    RevisionOption,
    StartOption,
    TrustOption,
    quiet_libraries,
)
from unmirage.cli.progress import StageProgress
from unmirage.data.tables import parse_columns
from unmirage.run.files import check_targets
from unmirage.workflows.settings import readable, resolve

if TYPE_CHECKING:
    from rich.table import Table

    from unmirage.attack.documents import Baseline, FoundWord, SearchResult


def search_command(
    model: Annotated[str, typer.Argument(help="Model directory or hub id.")],
    data: Annotated[Path, typer.Argument(help="Data file with unsafe and benign queries.")],
    target: Annotated[
        Path | None,
        typer.Option("--out", help="Write the words to this file, for `attack --search-result`.", show_default=False),
    ] = None,
    method: Annotated[str, typer.Option(help="black-box (probabilities) or white-box (gradients).")] = "white-box",
    kind: Annotated[str, typer.Option(help="jailbreak or over-prudence.")] = "jailbreak",
    form: Annotated[str, typer.Option(help="replacement, insertion or rewrite.")] = "replacement",
    budget: Annotated[int, typer.Option(min=1, help="Maximum number of queries to find the words.")] = 20_000,
    top: Annotated[int, typer.Option(min=1, help="Words to report.")] = 10,
    baseline: Annotated[
        list[str] | None, typer.Option(help="Words to compare with (default: what, share). Repeatable.")
    ] = None,
    words: Annotated[
        Path | None, typer.Option(help="Candidate words, one per line (default: the tokenizer's whole words).")
    ] = None,
    start: StartOption = None,
    name: NameOption = None,
    revision: RevisionOption = None,
    trust_remote_code: TrustOption = False,
    format: FormatOption = "auto",
    columns: ColumnsOption = "",
    images: ImagesOption = None,
    limit: Annotated[
        int | None, typer.Option(min=4, help="Maximum number of samples, drawn by label with --seed (default: all).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the two halves and of the sample draw.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Queries per batch.")] = 16,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Search for opening words that change MODEL's probability of refusing the most.

    The search uses one half of the samples; the reported values come from the other half.
    """
    from unmirage.attack.search import SearchConfig, search
    from unmirage.data import open_samples
    from unmirage.data.rows import with_unique_ids
    from unmirage.data.sample import draw_stratified
    from unmirage.run.fingerprint import sha256_of
    from unmirage.text.vocabulary import read_words
    from unmirage.workflows.models import load_local

    check_targets({"--out": target}, [str(data), str(words or "")])
    config = resolve(
        SearchConfig,
        None,
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
        None,
    )
    choice = read_words(words) if words else None
    file = open_samples(data, format, columns=parse_columns(columns), images=images)
    samples, unread = readable(draw_stratified(with_unique_ids(file), limit, seed), file.pictures)
    quiet_libraries()
    vlm = load_local(model, name, revision=revision, trust_remote_code=trust_remote_code)
    with StageProgress() as progress:
        result = search(vlm, samples, file.pictures, config, words=choice, starts=start, progress=progress)
    result = replace(result, data=str(file.source), data_sha256=sha256_of(file.source), limit=limit)
    if target is not None:
        result.save(target)
    if json_output:
        print_json(result.to_dict())
    else:
        out.print(_table(result))
    if target is not None:
        # Include the searched form, which may differ from the rewriter's.
        kinds = kind if form == "rewrite" else f"{kind},{form}"
        next_one = f"unmirage attack {model} {data} --search-result {target} --kind {kinds} --out RUN"
        err.print(f"Next: {next_one}", markup=False, soft_wrap=True)
    end_partial(unread)


def _table(result: SearchResult) -> Table:
    from rich import box
    from rich.table import Table

    from unmirage.cli.options import plain

    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"Probability of refusal ({result.kind}, {result.form}) on {result.reported_on} held-out samples",
        title_justify="left",
    )
    with_reworded = result.form != "rewrite"
    table.add_column("opening word")
    for column in ("%", "95 % interval", *(["reworded"] if with_reworded else [])):
        table.add_column(column, justify="right")
    table.add_column("in the data")
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
