"""`unmirage prepare`: make the forget and retain files for `unmirage align` from safety data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmirage.cli.console import err, print_json
from unmirage.cli.options import (
    BatchSizeOption,
    ColumnsOption,
    ConcurrencyOption,
    FormatOption,
    ImagesOption,
    MaxNewTokensOption,
    PriceInOption,
    PriceOutOption,
    RequestsOption,
    SeedOption,
    SkipBadOption,
    TimeoutOption,
    endpoint_options,
)
from unmirage.cli.progress import StageProgress
from unmirage.cli.quiet import quiet_libraries
from unmirage.data.tables import parse_columns
from unmirage.errors import UserError


def prepare_command(
    data: Annotated[Path, typer.Argument(help="Safety data: unsafe queries, and safe ones with answers.")],
    answers_from: Annotated[
        list[str],
        typer.Option(
            help="Model that answers the unsafe queries: directory, hub id or endpoint:URL#model-name. Repeatable."
        ),
    ],
    judge: Annotated[
        str,
        typer.Option(help="Judge of harm: phrases, official, exact:PATH/truth.json or endpoint:URL#model-name."),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Output folder; an unfinished one is continued.")] = None,
    general: Annotated[
        Path | None, typer.Option(help="General data, such as LLaVA's, to fill up the retain set.")
    ] = None,
    general_images: Annotated[Path | None, typer.Option(help="Folder of its pictures; default: GENERAL's.")] = None,
    retain_size: Annotated[
        int | None,
        typer.Option(min=1, help="Rows of the retain set; default: all safe ones, or 2000 with --general."),
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(help="Kinds of unsafe queries in VLGuard's format: unsafe-picture, unsafe-text (default: both)."),
    ] = None,
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the counts as JSON, and stop.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print prepare.json on stdout.")] = False,
) -> None:
    """Collect model responses to DATA's unsafe queries, keep the most harmful ones, and write the unlearning sets."""
    from unmirage.cli.prepare_summary import end, print_summary
    from unmirage.data import open_samples
    from unmirage.workflows.prepare import PrepareRequest, inputs_of, settings_of

    if out is None and not dry_run:
        raise UserError("--out: missing; name the output folder, or pass --dry-run")
    if general_images is not None and general is None:
        raise UserError("--general-images: needs --general FILE; add it, or leave this option out")
    endpoint = endpoint_options(
        (*answers_from, judge),
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        timeout=timeout,
        price_in=price_in,
        price_out=price_out,
    )
    request = PrepareRequest(
        data=open_samples(data, format, columns=parse_columns(columns), images=images, skip_bad=skip_bad),
        general=None if general is None else open_samples(general, images=general_images, skip_bad=skip_bad),
        answers_from=answers_from,
        judge=judge,
        config={"kinds": _kinds(kinds), "limit": limit, "seed": seed, "retain_size": retain_size},
        generation={"max_new_tokens": max_new_tokens, "batch_size": batch_size},
        endpoint=endpoint,
        cache=None if out is None else out / ".scores.sqlite",
    )
    inputs = inputs_of(request)
    planned = inputs.plan()
    if dry_run:
        print_json(planned.to_json(general=general is not None))
    if out is None or dry_run:
        return
    from unmirage.prepare import prepare
    from unmirage.run import open_run

    quiet_libraries()
    settings = settings_of(request, inputs, planned)
    with open_run(out, settings) as run, StageProgress() as progress:
        found = prepare(run, inputs, planned, settings, progress)
    if json_output:
        print_json(found)
    else:
        print_summary(found)
    for name, account in request.accounts.items():
        err.print(f"{name}: {account.summary()}", markup=False, soft_wrap=True)
    end(found, out)


def _kinds(text: str | None) -> tuple[str, ...] | None:
    """Return the kinds in an option's value such as "unsafe-picture,unsafe-text"."""
    from unmirage.errors import unknown
    from unmirage.prepare import KINDS

    if text is None:
        return None
    names = tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))
    if not names:
        raise UserError(f"--kinds: empty; valid: {', '.join(KINDS)}")
    for one in names:
        if one not in KINDS:
            raise unknown("kind of unsafe query", one, KINDS)
    return names
