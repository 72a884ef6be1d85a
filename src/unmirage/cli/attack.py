"""`unmirage attack`: send a model the plain queries of a dataset and their one-word attacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmirage.attack import ATTACKS, DEFAULT_KINDS
from unmirage.cli.console import EXIT_PARTIAL, err, fail, print_json
from unmirage.cli.options import (
    BatchSizeOption,
    ColumnsOption,
    ConcurrencyOption,
    FormatOption,
    ImagesOption,
    MaxNewTokensOption,
    NameOption,
    PriceInOption,
    PriceOutOption,
    RequestsOption,
    RevisionOption,
    SeedOption,
    SkipBadOption,
    TimeoutOption,
    TrustOption,
    endpoint_options,
    quiet_libraries,
)
from unmirage.cli.progress import StageProgress
from unmirage.data.tables import parse_columns
from unmirage.errors import UserError
from unmirage.records import Failure, Kind
from unmirage.run.files import check_targets

if TYPE_CHECKING:
    from unmirage.models import VLM


def attack_command(
    model: Annotated[str, typer.Argument(help="Model directory, hub id, or endpoint:URL#model-name.")],
    data: Annotated[Path, typer.Argument(help="Data file with unsafe and benign queries.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Run directory; an unfinished run is continued.", show_default=False)
    ] = None,
    kinds: Annotated[str, typer.Option("--kind", help=f"Comma-separated, of {', '.join(ATTACKS)}.")] = ",".join(
        DEFAULT_KINDS
    ),
    shots: Annotated[int, typer.Option(min=1, help="K: attacked queries per unsafe sample.")] = 3,
    over_prudence_shots: Annotated[int, typer.Option(min=1, help="Attacked queries per benign sample.")] = 1,
    word: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND=WORDS, such as jailbreak=what or 'jailbreak=what are' (default: the audit's). Repeatable."
        ),
    ] = None,
    audit: Annotated[
        Path | None,
        typer.Option(help="Use the words that this `unmirage audit --json` file suggests (default: audit DATA)."),
    ] = None,
    search_result: Annotated[
        Path | None,
        typer.Option(help="Use the best word of this `unmirage search` file, on samples held out from the search."),
    ] = None,
    position: Annotated[str, typer.Option(help="Position of the attack's word: first, middle or last.")] = "first",
    rewriter: Annotated[str, typer.Option(help="rules, or endpoint:URL#model-name.")] = "rules",
    encoder: Annotated[
        Path | None, typer.Option(help="Folder of a sentence encoder that checks the meaning of rewrites.")
    ] = None,
    queries: Annotated[
        list[str] | None, typer.Option(help="KIND=FILE: use these prebuilt queries for this kind. Repeatable.")
    ] = None,
    write: Annotated[
        list[str] | None,
        typer.Option(help="KIND=FILE: write the queries of this kind in VLGuard's format. Repeatable."),
    ] = None,
    until_success: Annotated[
        str | None,
        typer.Option(help="Judge, such as phrases: stop asking a sample's shots after the first success. For large K."),
    ] = None,
    name: NameOption = None,
    revision: RevisionOption = None,
    trust_remote_code: TrustOption = False,
    format: FormatOption = "auto",
    columns: ColumnsOption = "",
    images: ImagesOption = None,
    skip_bad: SkipBadOption = False,
    limit: Annotated[
        int | None, typer.Option(min=2, help="Maximum number of samples, drawn by label with --seed (default: all).")
    ] = None,
    seed: SeedOption = 0,
    batch_size: BatchSizeOption = None,
    max_new_tokens: MaxNewTokensOption = 256,
    concurrency: ConcurrencyOption = None,
    requests_per_minute: RequestsOption = None,
    timeout: TimeoutOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the queries as JSON, and stop.")] = False,
) -> None:
    """Send MODEL every query of DATA, unchanged and rewritten by one-word attacks and their controls.

    Several models can share one run directory. Each model gets only the queries that it has not answered yet.
    """
    from unmirage.data import open_samples
    from unmirage.evaluate import make_judge
    from unmirage.workflows.attack import AttackRequest, kinds_of, plan_attack, run_attack
    from unmirage.workflows.models import load_vlm
    from unmirage.workflows.overlaps import TrainedOn
    from unmirage.workflows.words import read_search

    if out is None and not (dry_run or write):
        raise UserError("--out: missing; name the run directory or pass --dry-run, or only --write KIND=FILE")
    endpoint = endpoint_options(
        (model, rewriter),
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        timeout=timeout,
        price_in=price_in,
        price_out=price_out,
    )
    if until_success:
        make_judge(until_success)  # report an unknown judge before the work
    files, targets = files_by_kind("--queries", queries), files_by_kind("--write", write)
    check_targets({f"--write {kind}": path for kind, path in targets.items()}, [str(data), *map(str, files.values())])
    file = open_samples(data, format, columns=parse_columns(columns), images=images, skip_bad=skip_bad)
    plan = plan_attack(
        AttackRequest(
            file=file,
            kinds=kinds_of([one.strip() for one in kinds.split(",") if one.strip()]),
            words=words_by_kind(word or ()),
            audit=audit,
            searched=read_search(search_result) if search_result else None,
            queries=files,
            settings={
                "shots": shots,
                "over_prudence_shots": over_prudence_shots,
                "position": position,
                "stop_at_first_success": until_success is not None,
            },
            limit=limit,
            seed=seed,
            rewriter=rewriter,
            cache=None if out is None else out / ".rewrites.sqlite",
            encoder=encoder,
            endpoint=endpoint,
        )
    )
    plan.write(targets)
    trained_on = TrainedOn.by(model, plan.samples, plan.queries, file.pictures)
    for line in trained_on.lines(data.name, name or Path(model).name) if trained_on else ():
        err.print(line, markup=False, soft_wrap=True)
    if dry_run:
        print_json({"queries": plan.to_json(), "overlap": trained_on.to_json() if trained_on else None})
    if out is None or dry_run:
        return
    quiet_libraries()
    vlm = load_vlm(model, name, endpoint, revision=revision, trust_remote_code=trust_remote_code)
    with StageProgress() as progress:
        _, failures = run_attack(
            vlm,
            plan,
            out,
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            until_success=until_success,
            trained_on=trained_on,
            progress=progress,
        )
    _end(vlm, len(plan.queries), failures, out)


def _end(vlm: VLM, queries: int, failures: Sequence[Failure], out: Path) -> None:
    """Print a summary; exit with the status for partial results if a query has no response."""
    accounting = getattr(vlm, "accounting", None)
    if accounting is not None:
        err.print(accounting.summary(), markup=False, soft_wrap=True)
    if failures:
        fail(
            f"partial: {len(failures)} of {queries} queries have no response from {vlm.name}; the first "
            f"({failures[0].query_id[:80]}): {failures[0].reason}; run the same command again to retry",
            EXIT_PARTIAL,
        )
    err.print(f"{queries} queries answered by {vlm.name}. Next: unmirage evaluate {out}", markup=False, soft_wrap=True)


def words_by_kind(given: Sequence[str]) -> dict[Kind, str]:
    """Return the words by kind, from options such as "jailbreak=what"."""
    from unmirage.workflows.words import FIELDS

    words: dict[Kind, str] = {}
    for text in given:
        kind, found, word = text.partition("=")
        if not found or kind not in FIELDS:
            raise UserError(f"--word {text}: expected KIND=WORD with KIND one of {', '.join(FIELDS)}")
        words[Kind(kind)] = word
    return words


def files_by_kind(option: str, given: Sequence[str] | None) -> dict[Kind, Path]:
    """Return the files by kind, from options such as "jailbreak=what_3shot.json"."""
    files: dict[Kind, Path] = {}
    for text in given or ():
        kind, found, path = text.partition("=")
        if not found or kind not in ATTACKS or not path:
            raise UserError(f"{option} {text}: expected KIND=FILE with KIND one of {', '.join(ATTACKS)}")
        files[Kind(kind)] = Path(path)
    return files
