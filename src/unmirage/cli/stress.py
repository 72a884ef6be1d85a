"""`unmirage stress`: test whether a repair survives fine-tuning, int8 rounding and sampling."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmirage.cli import options
from unmirage.cli.console import EXIT_PARTIAL, fail, print_json, say
from unmirage.cli.progress import StageProgress
from unmirage.errors import UserError
from unmirage.run.paths import quoted

if TYPE_CHECKING:
    from unmirage.models import VLM


def stress_command(
    model: Annotated[str, typer.Argument(help="Model directory, hub id, or endpoint:URL#model-name.")],
    run: Annotated[Path, typer.Argument(help="Run directory of `unmirage attack`, whose queries are asked.")],
    *,
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
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Random seed of the draw, the fine-tuning and the sampled responses (default 0)."),
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep the fine-tuned models in this folder.")] = None,
    loading: options.Loading,
    reading: options.Reading,
    batch_size: options.BatchSizeOption = None,
    server: options.PricedServer,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the variants as JSON, and stop.")] = False,
) -> None:
    """Send the queries of RUN to MODEL and to modified copies (fine-tuned, int8, sampled).

    Each variant has its own name, such as "npo + forget 32", and becomes one more model of RUN. A variant that has
    answered all queries is not rebuilt.
    """
    from unmirage.evaluate.robustness import RelearnConfig
    from unmirage.run import existing_run
    from unmirage.workflows.demo_run import answered
    from unmirage.workflows.settings import resolve
    from unmirage.workflows.stress import KINDS, plan_stress, run_stressed, variants_to_json

    endpoint = server.settings(model)
    files, counts = options.pairs_of("--relearn", relearn, KINDS, once=True), counts_of(samples)
    found = answered(existing_run(run, model))

    def load(source: str, own: str, thinking: str) -> VLM:
        base = loading.base if source == model else None  # not for the base alone
        return replace(loading, name=own, thinking=thinking, base=base).vlm(source, endpoint)()

    options.quiet_libraries()
    stress = plan_stress(
        model,
        found,
        load,
        relearn={kind: Path(file) for kind, file in files.items()},
        samples=counts,
        int8=int8,
        temperatures=temperature or (),
        no_adapter=no_adapter,
        relearning=resolve(RelearnConfig, config, {"seed": seed}, settings),
        name=loading.name,
        batch_size=batch_size,
        keep=keep,
        thinking=loading.thinking,
        base=loading.base,
        **reading.arguments(),
    )
    if dry_run:
        print_json({"schema": "unmirage.stress-plan/1"} | variants_to_json(found, stress))
        return
    with StageProgress() as progress:
        missing = run_stressed(found, stress, progress)
    if missing:
        fail(f"partial: {'; '.join(missing)}; run the same command again to retry", EXIT_PARTIAL)
    say(f"{stress.of} and {len(stress.variants)} variants have answered. Next: unmirage evaluate {quoted(run)}")


def counts_of(text: str) -> list[int]:
    """Return the sorted, distinct numbers of a text such as "0,8,32,128"."""
    parts = options.names_in(text)
    if not parts or not all(part.isascii() and part.isdigit() for part in parts):
        raise UserError(f"--samples {text}: expected whole numbers separated by commas, such as 0,8,32,128")
    return sorted({int(part) for part in parts})
