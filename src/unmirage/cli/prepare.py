"""`unmirage prepare`: make the forget and retain files for `unmirage align` from safety data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from unmirage.cli import options
from unmirage.cli.console import EXIT_PARTIAL, fail, out, plain, print_json, say
from unmirage.cli.progress import StageProgress
from unmirage.errors import UserError
from unmirage.run.paths import quoted

if TYPE_CHECKING:
    from unmirage.prepare.document import ForgetSet, Prepared, RetainSet


def prepare_command(
    data: Annotated[Path, typer.Argument(help="Safety data: unsafe queries, and safe ones with answers.")],
    *,
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
    general_images: Annotated[
        Path | None, typer.Option(help="Folder of the pictures of GENERAL (default: that of GENERAL).")
    ] = None,
    retain_size: Annotated[
        int | None,
        typer.Option(min=1, help="Rows of the retain set (default: all safe ones, or 2000 with --general)."),
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(help="Kinds of unsafe queries in VLGuard's format: unsafe-picture, unsafe-text (default: both)."),
    ] = None,
    reading: options.TolerantReading,
    limit: options.LimitOption = None,
    seed: options.SeedOption = 0,
    batch_size: options.BatchSizeOption = None,
    max_new_tokens: options.MaxNewTokensOption = 256,
    thinking: options.ThinkingOption = None,
    server: options.PricedServer,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the counts as JSON, and stop.")] = False,
    json_output: options.JsonOption = False,
) -> None:
    """Collect model responses to DATA's unsafe queries, keep the most harmful ones, and write the unlearning sets."""
    from unmirage.workflows.arguments import opened
    from unmirage.workflows.prepare import PrepareRequest, check_sets, missing_of, plan_prepare, run_prepare

    if out is None and not dry_run:
        raise UserError("--out: missing; name the output folder, or pass --dry-run")
    if general_images is not None and general is None:
        raise UserError("--general-images: needs --general FILE; add it, or leave this option out")
    rest = {"images": general_images, "skip_bad": reading.skip_bad}
    plan = plan_prepare(
        PrepareRequest(
            data=opened(data, reading.arguments()),
            general=None if general is None else opened(general, rest),
            answers_from=answers_from,
            judge=judge,
            config={
                "kinds": None if kinds is None else list(dict.fromkeys(options.names_in(kinds))),
                "limit": limit,
                "seed": seed,
                "retain_size": retain_size,
            },
            generation={"max_new_tokens": max_new_tokens, "batch_size": batch_size},
            endpoint=server.settings(*answers_from, judge),
            cache=None if out is None else out / ".scores.sqlite",
            thinking=thinking or "auto",
        )
    )
    if dry_run:
        print_json({"schema": "unmirage.prepare-plan/1"} | plan.to_json())
    if out is None or dry_run:
        return
    options.quiet_libraries()
    with StageProgress() as progress:
        found = run_prepare(plan, out, progress)
    if json_output:
        print_json(found.to_dict())
    else:
        print_summary(found)
    if not found.complete:
        fail(f"partial: {'; '.join(missing_of(found))}; the same command retries what failed", EXIT_PARTIAL)
    check_sets(found)
    say(
        f"Next: unmirage align MODEL --method npo --forget {quoted(out / found.forget.file)} "
        f"--retain {quoted(out / found.retain.file)} --out NEW_MODEL"
    )


_COLUMNS = ("failed", "complied", "refused", "irrelevant", "blocked", "no_verdict", "chosen")


def print_summary(found: Prepared) -> None:
    """Print the number of responses per model, and the contents of the sets."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("responses from", overflow="fold")
    for name in _COLUMNS:
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for name, counts in found.models.items():
        table.add_row(plain(name), *(f"{getattr(counts, column):,}" for column in _COLUMNS))
    out.print(table)
    for line in (*_forget(found.forget), *_retain(found.retain)):
        out.print(line, markup=False, soft_wrap=True)


def _forget(counts: ForgetSet) -> list[str]:
    lines = [f"{counts.file}: {counts.rows:,} of {counts.asked:,} unsafe queries, with a harmful response"]
    lines += _indented({f"left out, {reason}": number for reason, number in counts.left_out.items()})
    lines += [f"  {kind}: {own.rows:,} of {own.asked:,}" for kind, own in counts.by_kind.items()]
    lines += _indented({f"harm {grade} of 5": number for grade, number in counts.by_harm.items()})
    lines += _indented({"responses cut off by --max-new-tokens": counts.cut_off})
    return lines


def _retain(counts: RetainSet) -> list[str]:
    wanted = "" if counts.wanted is None else f" of {counts.wanted:,} wanted"
    lines = [f"{counts.file}: {counts.rows:,}{wanted}, {counts.from_general:,} of them general"]
    lines += _indented({f"left out, {reason}": number for reason, number in counts.left_out.items()})
    lines += _indented({"general samples skipped because their picture cannot be read": counts.general_passed_over})
    return lines


def _indented(counts: Mapping[str, int]) -> list[str]:
    return [f"  {text}: {number:,}" for text, number in counts.items() if number]
