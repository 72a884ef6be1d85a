"""`unmirage explain`: find the words of a query that cause a model's refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

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
from unmirage.errors import UserError, unknown
from unmirage.run.files import check_targets
from unmirage.text.printable import clean
from unmirage.workflows.settings import readable

if TYPE_CHECKING:
    from unmirage.attack.documents import ExplainedQuery, Explanation

_SHOWN = 12


def explain_command(
    model: Annotated[str, typer.Argument(help="Model directory or hub id.")],
    data: Annotated[Path, typer.Argument(help="Data file; its refused queries are explained.")],
    target: Annotated[
        Path | None, typer.Option("--out", help="Write the result to this JSON file.", show_default=False)
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Write it into this run directory, for its report.", show_default=False)
    ] = None,
    benign: Annotated[bool, typer.Option("--benign", help="Explain the answered queries instead.")] = False,
    mode: Annotated[str, typer.Option(help="leave-out each word, or mask it.")] = "leave-out",
    start: StartOption = None,
    name: NameOption = None,
    revision: RevisionOption = None,
    trust_remote_code: TrustOption = False,
    format: FormatOption = "auto",
    columns: ColumnsOption = "",
    images: ImagesOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of queries, drawn with --seed.")] = 100,
    seed: Annotated[int, typer.Option(help="Random seed of the sample draw.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Queries per batch.")] = 16,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Leave out each word of a query in turn, and measure the change in the probability of refusal."""
    from unmirage.attack import plain
    from unmirage.attack.explain import MODES, explain
    from unmirage.data import open_samples
    from unmirage.data.rows import with_unique_ids
    from unmirage.data.sample import draw_stratified
    from unmirage.run import existing_run
    from unmirage.text.refusals import starts_for
    from unmirage.workflows.models import load_local

    if mode not in MODES:
        raise unknown("mode", mode, MODES)
    targets = {"--out": target, "--run": None if run is None else existing_run(run).path / "explain.json"}
    check_targets(targets, [str(data)])
    file = open_samples(data, format, columns=parse_columns(columns), images=images)
    known = with_unique_ids(file)
    chosen = [sample for sample in known if sample.refused is not benign]
    if not chosen:
        raise UserError(f"{data}: has no {'answered' if benign else 'refused'} query; at least one is needed")
    quiet_libraries()
    vlm = load_local(model, name, revision=revision, trust_remote_code=trust_remote_code)
    samples, unread = readable(draw_stratified(chosen, limit, seed), file.pictures)
    queries = plain(samples)
    starts = tuple(start) if start else starts_for(known)
    with StageProgress() as progress:
        found = explain(vlm, queries, file.pictures, starts, MODES[mode], progress, batch_size)
    found = replace(found, data=str(file.source))
    for path in filter(None, targets.values()):
        found.save(path)
    if json_output:
        print_json(found.to_dict())
    else:
        _print(found)
    if run is not None:
        err.print(f"Next: unmirage report {run}", markup=False, soft_wrap=True)
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
        out.print(_coloured(query))


def _coloured(query: ExplainedQuery) -> Text:
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
