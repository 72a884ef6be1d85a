"""`unmirage stress`: test whether a repair survives fine-tuning, int8 rounding and sampling."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmirage.cli.console import EXIT_PARTIAL, err, fail, print_json
from unmirage.cli.options import (
    BatchSizeOption,
    ColumnsOption,
    ConcurrencyOption,
    FormatOption,
    NameOption,
    PriceInOption,
    PriceOutOption,
    RequestsOption,
    RevisionOption,
    TimeoutOption,
    TrustOption,
    endpoint_options,
    quiet_libraries,
)
from unmirage.cli.progress import StageProgress
from unmirage.data.tables import parse_columns
from unmirage.errors import UserError

if TYPE_CHECKING:
    from unmirage.evaluate.robustness import Stress
    from unmirage.models import VLM
    from unmirage.run import Store


def stress_command(
    model: Annotated[str, typer.Argument(help="Model directory, hub id, or endpoint:URL#model-name.")],
    run: Annotated[Path, typer.Argument(help="Run directory of `unmirage attack`, whose queries are asked.")],
    relearn: Annotated[
        list[str] | None,
        typer.Option(help="KIND=FILE: fine-tune on its samples; KIND is forget, benign or same-syntax. Repeatable."),
    ] = None,
    samples: Annotated[
        str, typer.Option(help="Numbers of samples to fine-tune on; 0 is the model itself.")
    ] = "0,8,32,128",
    int8: Annotated[bool, typer.Option("--int8", help="Round the weights to 8 bits.")] = False,
    temperature: Annotated[
        list[float] | None, typer.Option(min=0.01, help="Sample the responses at this temperature. Repeatable.")
    ] = None,
    no_adapter: Annotated[bool, typer.Option("--no-adapter", help="Leave the model's adapter (LoRA) out.")] = False,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings for fine-tuning.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="One setting, such as learning_rate=1e-5 or steps=100. Repeatable."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Random seed of the draw, the fine-tuning and the sampled responses (default 0)."),
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep the fine-tuned models in this folder.")] = None,
    name: NameOption = None,
    revision: RevisionOption = None,
    trust_remote_code: TrustOption = False,
    format: FormatOption = "auto",
    columns: ColumnsOption = "",
    images: Annotated[Path | None, typer.Option(help="Folder of the pictures; default: each FILE's.")] = None,
    batch_size: BatchSizeOption = None,
    concurrency: ConcurrencyOption = None,
    requests_per_minute: RequestsOption = None,
    timeout: TimeoutOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the variants as JSON, and stop.")] = False,
) -> None:
    """Send the queries of RUN to MODEL and to modified copies (fine-tuned, int8, sampled).

    Each variant has its own name, such as "npo + forget 32", and becomes one more model of RUN. A variant that has
    answered all queries is not rebuilt.
    """
    from unmirage.evaluate.robustness import RelearnConfig
    from unmirage.run import existing_run
    from unmirage.workflows.models import load_vlm
    from unmirage.workflows.settings import resolve
    from unmirage.workflows.stress import plan_stress, run_stressed

    endpoint = endpoint_options(
        (model,),
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        timeout=timeout,
        price_in=price_in,
        price_out=price_out,
    )
    files, counts, found = relearn_files(relearn or ()), counts_of(samples), existing_run(run)

    def load(source: str, own: str) -> VLM:
        return load_vlm(source, own, endpoint, revision=revision, trust_remote_code=trust_remote_code)

    quiet_libraries()
    stress = plan_stress(
        model,
        found,
        load,
        relearn=files,
        samples=counts,
        int8=int8,
        temperatures=temperature or (),
        no_adapter=no_adapter,
        relearning=resolve(RelearnConfig, config, {"seed": seed}, settings),
        name=name,
        format=format,
        columns=parse_columns(columns),
        images=images,
        batch_size=batch_size,
        keep=keep,
    )
    if dry_run:
        with found.store() as store:
            _list(stress, store)
        return
    with StageProgress() as progress:
        missing = run_stressed(found, stress, progress)
    if missing:
        fail(f"partial: {'; '.join(missing)}; run the same command again to retry", EXIT_PARTIAL)
    err.print(
        f"{stress.of} and {len(stress.variants)} variants have answered. Next: unmirage evaluate {run}",
        markup=False,
        soft_wrap=True,
    )


def _list(stress: Stress, store: Store) -> None:
    variants = [{"model": v.model, "kind": v.kind, "data": v.data, "amount": v.amount} for v in stress.variants]
    told = [{"model": stress.of, "kind": "itself", "data": "", "amount": 0.0}, *variants]
    print_json({"variants": [{**one, "unanswered": len(stress.missing(store, str(one["model"])))} for one in told]})


def relearn_files(given: Sequence[str]) -> dict[str, Path]:
    """Return the files by kind, from options such as "forget=forget.jsonl"; each kind once."""
    from unmirage.workflows.stress import KINDS

    files: dict[str, Path] = {}
    for text in given:
        kind, found, path = text.partition("=")
        if not found or kind not in KINDS or not path:
            raise UserError(f"--relearn {text}: expected KIND=FILE with KIND one of {', '.join(KINDS)}")
        if kind in files:
            raise UserError(f"--relearn {text}: {kind} is given twice; give one file per kind")
        files[kind] = Path(path)
    return files


def counts_of(text: str) -> list[int]:
    """Return the sorted, distinct numbers of a text such as "0,8,32,128"."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isascii() and part.isdigit() for part in parts):
        raise UserError(f"--samples {text}: expected whole numbers separated by commas, such as 0,8,32,128")
    return sorted({int(part) for part in parts})
