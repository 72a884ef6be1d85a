"""`unmirage attack`: send a model the plain queries of a dataset and their one-word attacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from unmirage.attack import ATTACKS, DEFAULT_KINDS
from unmirage.cli import options
from unmirage.cli.console import EXIT_PARTIAL, fail, print_json, say
from unmirage.cli.progress import StageProgress
from unmirage.errors import UserError
from unmirage.run.paths import quoted


def attack_command(
    model: Annotated[str, typer.Argument(help="Model directory, hub id, or endpoint:URL#model-name.")],
    data: Annotated[Path, typer.Argument(help="Data file with unsafe and benign queries.")],
    *,
    out: options.NewOutOption = None,
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
    wordings: Annotated[
        str, typer.Option(help="Wordings by rules: free (all), noun, passive, or insert (those of earlier versions).")
    ] = "free",
    fill_with_rules: Annotated[
        bool, typer.Option(help="Let rules make the rewrites that a language model as rewriter does not.")
    ] = False,
    encoder: Annotated[
        Path | None, typer.Option(help="Directory of a sentence encoder that checks the meaning of rewrites.")
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
    loading: options.Loading,
    reading: options.TolerantReading,
    limit: options.LimitOption = None,
    seed: options.SeedOption = 0,
    batch_size: options.BatchSizeOption = None,
    max_new_tokens: options.MaxNewTokensOption = 256,
    server: options.PricedServer,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the queries as JSON, and stop.")] = False,
) -> None:
    """Send MODEL every query of DATA, unchanged and rewritten by one-word attacks and their controls.

    Several models can share one run directory. Each model gets only the queries that it has not answered yet.
    With `torchrun --nproc-per-node N -m unmirage attack`, N devices answer together.
    """
    from unmirage.workflows.arguments import opened
    from unmirage.workflows.attack import AttackRequest, by_kind, files_by_kind, kinds_of, plan_attack, run_attack
    from unmirage.workflows.group import follow, is_follower, placed
    from unmirage.workflows.models import check_place
    from unmirage.workflows.words import FIELDS

    if out is None and not (dry_run or write):
        raise UserError("--out: missing; name the run directory or pass --dry-run, or only --write KIND=FILE")
    endpoint = server.settings(model, rewriter)
    load = replace(loading, device=placed(model, loading.device or "auto")).vlm(model, endpoint)
    if is_follower():
        if out is not None and not dry_run:
            options.quiet_libraries()
            follow(load, lambda: opened(data, reading.arguments()).pictures)
        return
    if out is not None and not dry_run:
        check_place(model)
    plan = plan_attack(
        AttackRequest(
            file=opened(data, reading.arguments()),
            kinds=kinds_of(options.names_in(kinds)),
            model=model,
            name=loading.name or Path(model).name,
            words=by_kind(options.pairs_of("--word", word, FIELDS, value="WORD")),
            audit=audit,
            search_result=search_result,
            queries=files_by_kind(options.pairs_of("--queries", queries, ATTACKS)),
            write=files_by_kind(options.pairs_of("--write", write, ATTACKS)),
            settings={"shots": shots, "over_prudence_shots": over_prudence_shots, "position": position},
            until_success=until_success,
            limit=limit,
            seed=seed,
            rewriter=rewriter,
            wordings=wordings,
            fill_with_rules=fill_with_rules,
            cache=None if out is None else out / ".rewrites.sqlite",
            encoder=encoder,
            endpoint=endpoint,
        )
    )
    if dry_run:
        print_json({"schema": "unmirage.attack-plan/1"} | plan.to_json())
    if out is None or dry_run:
        return
    options.quiet_libraries()
    with StageProgress() as progress:
        done = run_attack(
            load,
            plan,
            out,
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            progress=progress,
        )
    if done.missing:
        fail(f"partial: {done.missing}; run the same command again to retry", EXIT_PARTIAL)
    say(f"{len(plan.queries)} queries answered by {done.model}. Next: unmirage evaluate {quoted(out)}")
