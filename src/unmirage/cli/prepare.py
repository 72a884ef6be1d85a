"""`unmirage prepare`: make the forget and retain files for `unmirage align` from safety data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from unmirage.cli.console import EXIT_PARTIAL, err, fail, out, print_json
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
    plain,
    quiet_libraries,
)
from unmirage.cli.progress import StageProgress
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
        found = prepare(run, inputs, planned, settings, progress).to_dict()
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


_COLUMNS = ("failed", "complied", "refused", "irrelevant", "no_verdict", "chosen")


def print_summary(found: Mapping[str, Any]) -> None:
    """Print the number of responses per model, and the contents of the sets."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("responses from", overflow="fold")
    for name in _COLUMNS:
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for name, counts in found["models"].items():
        table.add_row(plain(name), *(f"{counts[column]:,}" for column in _COLUMNS))
    out.print(table)
    for line in (*_forget(found["forget"]), *_retain(found["retain"])):
        out.print(line, markup=False, soft_wrap=True)


def _forget(counts: Mapping[str, Any]) -> list[str]:
    lines = [f"{counts['file']}: {counts['rows']:,} of {counts['asked']:,} unsafe queries, with a harmful response"]
    lines += _indented({f"left out, {reason}": number for reason, number in counts["left_out"].items()})
    lines += [f"  {kind}: {own['rows']:,} of {own['asked']:,}" for kind, own in counts["by_kind"].items()]
    lines += _indented({f"harm {grade} of 5": number for grade, number in counts["by_harm"].items()})
    lines += _indented({"responses truncated by --max-new-tokens": counts["cut_off"]})
    return lines


def _retain(counts: Mapping[str, Any]) -> list[str]:
    wanted = "" if counts["wanted"] is None else f" of {counts['wanted']:,} wanted"
    lines = [f"{counts['file']}: {counts['rows']:,}{wanted}, {counts['from_general']:,} of them general"]
    lines += _indented({f"left out, {reason}": number for reason, number in counts["left_out"].items()})
    lines += _indented({"general samples skipped because their picture cannot be read": counts["general_passed_over"]})
    return lines


def _indented(counts: Mapping[str, int]) -> list[str]:
    return [f"  {text}: {number:,}" for text, number in counts.items() if number]


def end(found: Mapping[str, Any], folder: Path) -> None:
    """Print the next step; exit with the status for partial results, or for sets that cannot be trained on."""
    for source in found["sources"]:
        if source["set_aside"]:
            err.print(f"{source['file']}: {source['set_aside']} records were skipped", markup=False, soft_wrap=True)
    if not found["complete"]:
        fail(f"partial: {'; '.join(_gaps(found))}; run the same command again to try again", EXIT_PARTIAL)
    forget, retain = found["forget"], found["retain"]
    if not forget["rows"]:
        why = ", ".join(f"{number:,} {reason}" for reason, number in forget["left_out"].items() if number)
        raise UserError(f"no harmful response to forget ({why}); use models that comply, such as one before alignment")
    if not retain["rows"]:
        raise UserError("no safe sample to retain; add --general FILE with answers and readable pictures")
    err.print(
        f"Next: unmirage align MODEL --method npo --forget {folder / forget['file']} "
        f"--retain {folder / retain['file']} --out NEW_MODEL",
        markup=False,
        soft_wrap=True,
    )


def _gaps(found: Mapping[str, Any]) -> list[str]:
    said = []
    for name, counts in found["models"].items():
        if counts["failed"]:
            said.append(f"{counts['failed']} of {counts['asked']} queries have no response from {plain(name)}")
        if counts["no_verdict"]:
            said.append(f"{counts['no_verdict']} responses of {plain(name)} have no verdict")
    if found["first_failure"]:
        said[-1] += f" (the first: {plain(found['first_failure'], 300)})"
    if unreadable := found["retain"]["left_out"]["no picture"]:
        said.append(
            f"{unreadable} safe samples have no picture ({plain(found['retain']['first_without_picture'], 300)})"
        )
    return said
