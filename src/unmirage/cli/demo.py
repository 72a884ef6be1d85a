"""`unmirage demo`: audit, align, attack, evaluate and report on the built-in synthetic world."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmirage.cli.console import EXIT_PARTIAL, fail, out, plain, print_json, say
from unmirage.cli.options import (
    BaseStepsOption,
    DecoderOption,
    JsonOption,
    SignalOption,
    WorkersOption,
    names_in,
    quiet_libraries,
)
from unmirage.cli.progress import StageProgress

if TYPE_CHECKING:
    from unmirage.testbed.documents import FullDemo


def demo_command(
    *,
    seeds: Annotated[int, typer.Option(min=1, help="Number of worlds; rates are pooled over them.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first world; the others follow.")] = 0,
    out_dir: Annotated[Path, typer.Option("--out", help="Run directory; an unfinished one is continued.")] = Path(
        "unmirage-demo"
    ),
    signal: SignalOption = 0.0,
    arms: Annotated[
        str, typer.Option(help="Models to train, separated by commas, or `all` (default: the five of the demo).")
    ] = "",
    workers: WorkersOption = None,
    train_base: Annotated[
        bool, typer.Option("--train-base", help="Train the base model of world 0 instead of using the shipped one.")
    ] = False,
    decoder: DecoderOption = None,
    base_steps: BaseStepsOption = None,
    everything: Annotated[
        bool, typer.Option("--full", help="Also search for words that are not in the data, and explain refusals.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Reproduce the safety mirage in a tiny VLM, attack it, repair it, and write a report.

    Trains SFT, NPO and RMU models on a small fictional world (CPU, a few minutes).
    """
    from unmirage.testbed.studies import run_demo

    quiet_libraries()
    started = time.perf_counter()
    with StageProgress() as progress:
        demo = run_demo(
            out_dir,
            names_in(arms),
            range(seed, seed + seeds),
            signal=signal,
            workers=workers,
            train_base=train_base,
            decoder=decoder,
            base_steps=base_steps,
            everything=everything,
            progress=progress,
        )
    if json_output:
        print_json(demo.results.to_dict())
    else:
        from unmirage.cli.rates_table import rates_table

        out.print(rates_table(demo.results, out.width))
        for document in demo.more:
            _print_full(document)
    say(f"Finished in {time.perf_counter() - started:.0f} s. Report: {demo.run.report_file}")
    say("Next, on your own data: unmirage audit YOUR_DATA.json --html audit.html")
    if demo.failures:
        reason, times = Counter(failure.reason for failure in demo.failures).most_common(1)[0]
        fail(
            f"partial: {len(demo.failures)} queries have no response (most often: {plain(reason, 200)}, {times} "
            "times); they are left out of the rates",
            EXIT_PARTIAL,
        )


def _print_full(document: FullDemo) -> None:
    """Print the results of the search and the explanation for one seed, one line each."""
    from unmirage.text.formatting import rate_points

    out.print(f"seed {document.seed}, {document.model}, on unsafe queries held out from the search:")
    for word, rates in document.asr.items():
        out.print(
            f"  ASR of '{word}': {rate_points(rates.rewritten)} % rewritten, {rate_points(rates.replacement)} % in "
            "place of the opener",
            markup=False,
        )
    for name, found in document.explain.items():
        cause, change = found.opener_is_cause, found.opener_change
        out.print(
            f"  {name}: refuses with probability {found.p_refusal:.2f}; the opener has the largest effect in "
            f"{cause.k:g} of {cause.n} queries, and changes the probability by "
            + ("n/a" if change is None else f"{change:+.2f}")
        )
