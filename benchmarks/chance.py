"""Measure how far the demo's rates vary by chance: over worlds, base trainings and alignments.

    python benchmarks/chance.py --out runs/chance --write docs/chance.md --keep benchmarks/results/chance.json
    python benchmarks/chance.py --check DEMO --against benchmarks/results/chance.json

Every world has `--bases` base models that differ only in their seed, and every base model is aligned with
`--alignments` seeds: a balanced nested design. For each rate of each model, `components` has the standard deviations
between worlds, between base trainings in one world, and between alignments of one base model (nested analysis of
variance, Searle et al., Variance Components, 1992, section 3.6; negative estimates are set to 0). `low` and `high` are
a 95 % prediction interval for a run in another world (t with Satterthwaite's degrees of freedom, widened to the
range expected if only the evaluated devices differ; see `testbed/variance.py`).

`--check` compares a finished run of `unmirage demo` (one world, signal 0) with the published limits, cell by cell. The
exit code does not depend on the result: with 95 % limits, some cells of a correct run are outside.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from provenance import hand_on, made_by

from unmirage.evaluate import judged_outcomes, model_rates
from unmirage.records import Rate
from unmirage.testbed.settings import BASE, study_settings
from unmirage.testbed.study import Seeds, Study, open_study
from unmirage.testbed.summary import write_between_markers
from unmirage.testbed.variance import components

COLUMNS = {
    "asr.before": lambda rates: rates.asr.before,
    "asr.after": lambda rates: rates.asr.after,
    "rr.after": lambda rates: rates.rr.after,
    "benign_answered.after": lambda rates: rates.benign_answered.after,
    "utility": lambda rates: rates.utility,
    "neighbor_utility": lambda rates: rates.neighbor_utility,
}
APART = 100  # what is added to a world's own seed for each further base training and alignment


def measured(study: Study) -> dict[str, dict[str, float | None]]:
    """Return the rates of each model of a finished study."""
    with study.run.store() as store:
        rates = {name: model_rates(judged_outcomes(store, "exact", name)) for name in study.model_names()}
    return {name: {column: _value(pick(own)) for column, pick in COLUMNS.items()} for name, own in rates.items()}


def _value(rate: Rate) -> float | None:
    return rate.value


def run_all(out: Path, worlds: int, bases: int, alignments: int, workers: int) -> dict[str, Any]:
    """Run all missing cells of the design, and return the document."""
    settings = study_settings()
    runs = []
    for world in range(worlds):
        for base in range(bases):
            for alignment in range(alignments):
                seeds = Seeds(world, world + APART * base, world + APART * alignment)
                path = out / f"world-{seeds.world}-base-{seeds.base}-alignment-{seeds.alignment}"
                with open_study(path, settings, seeds, lambda *_: None) as study:
                    study.complete(workers)
                    runs.append({"seeds": asdict(seeds), "models": measured(study)})
                print(path, file=sys.stderr)
    names = [BASE, *settings.models]
    shape = (worlds, bases, alignments)
    cells = {
        name: {
            column: asdict(
                components(
                    np.array([run["models"][name][column] for run in runs]).reshape(shape), settings.world.evaluation
                )
            )
            for column in COLUMNS
        }
        for name in names
    }
    return {"models": cells, "runs": runs, "settings": settings.model_dump(mode="json")}


def markdown(document: Mapping[str, Any]) -> str:
    """Return a table with a row for each model and rate, in percent."""
    heads = ("model", "rate", "mean", "observed", "expected of a further run", "world", "base", "alignment")
    lines = [heads, ("---", "---", *["---:"] * (len(heads) - 2))]
    for name, columns in document["models"].items():
        for column, found in columns.items():
            one = {key: f"{100 * value:.1f}" for key, value in found.items()}
            ranges = (f"{one['least']} to {one['greatest']}", f"{one['low']} to {one['high']}")
            spreads = (one["sd_world"], one["sd_base"], one["sd_alignment"])
            lines.append((name, column.replace("neighbor_", "neighbor "), one["mean"], *ranges, *spreads))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def comparable(document: Mapping[str, Any], published: Mapping[str, Any]) -> str:
    """Return the reason why a result cannot be compared with the published limits; "" if it can."""
    missing = [name for name in published["models"] if name not in document["models"]]
    if missing:
        return f"has no model '{missing[0]}'; valid: a run of `unmirage demo` with the default --arms, or --arms all"
    signal = document["settings"].get("world", {}).get("signal")
    if signal != 0:
        return f"made with --signal {signal}; the limits are those of signal 0"
    if len(document["seeds"]) != 1:
        return f"pools {len(document['seeds'])} worlds; the limits are those of one world"
    return ""


def check(demo: Path, published: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells of a demo run of one world that are outside the published limits."""
    document = json.loads((demo / "results.json").read_text(encoding="utf-8"))
    if problem := comparable(document, published):
        raise SystemExit(f"{demo}: {problem}")
    outside, cells = [], 0
    for name, columns in published["models"].items():
        if name == BASE:
            continue
        for column, limits in columns.items():
            value: Any = document["models"][name]
            for part in column.split("."):
                value = value[part]
            cells += 1
            if not limits["low"] - 1e-9 <= value["value"] <= limits["high"] + 1e-9:
                outside.append({"model": name, "column": column, "value": value["value"], **limits})
    return {
        "demo": str(demo),
        "seeds": document["seeds"],
        "cells": cells,
        "inside": cells - len(outside),
        "outside": outside,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/chance"), help="run directories, one for each cell")
    parser.add_argument("--worlds", type=int, default=3)
    parser.add_argument("--bases", type=int, default=2, help="base trainings in each world")
    parser.add_argument("--alignments", type=int, default=2, help="alignments of each base model")
    parser.add_argument("--workers", type=int, default=2, help="training processes of one thread each")
    parser.add_argument("--check", type=Path, help="run directory of `unmirage demo` to compare with --against")
    parser.add_argument("--against", type=Path, default=Path("benchmarks/results/chance.json"))
    parser.add_argument("--write", type=Path, help="Markdown file; the table goes between its two markers")
    parser.add_argument("--keep", type=Path, help="write the JSON here as well")
    parser.add_argument("--json", action="store_true", help="print the JSON on stdout (the default)")
    options = parser.parse_args()
    if min(options.worlds, options.bases, options.alignments) < 2:
        parser.error("--worlds, --bases and --alignments: 2 at least")
    if options.check:
        for file in (options.check / "results.json", options.against):
            if not file.is_file():
                parser.error(f"{file}: no such file; --check takes a run directory of `unmirage demo`")
        if options.write:
            parser.error("--write: does nothing with --check; leave it out")
    made = made_by()
    if options.check:
        document = check(options.check, json.loads(options.against.read_text(encoding="utf-8")))
    else:
        document = run_all(options.out, options.worlds, options.bases, options.alignments, options.workers)
    if options.write:
        write_between_markers(options.write, "chance", markdown(document))
    hand_on({**document, **made}, options.keep)


if __name__ == "__main__":
    main()
