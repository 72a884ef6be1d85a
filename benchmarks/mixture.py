"""Show that the audit's verdict survives mixing: VLGuard alone, with general questions, and data without a shortcut.

    python benchmarks/mixture.py [--shared ../shared] [--keep benchmarks/results/mixture.json]

The data are not part of the repository: VLGuard's training queries, the questions of VizWiz's validation set as general
questions (answered), MOSSBench with its harmful twins, and 40 texts five times each with labels drawn by lot. Beyond
the questions that VizWiz has, they are drawn again with a number, so that they are no copies. Without the data, nothing
is measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from provenance import made_by

import unmirage as um
from unmirage.audit import audit
from unmirage.data import load_samples
from unmirage.records import Dataset, Sample
from unmirage.run.files import write_text_atomic

MIXTURES = (5_000, 20_000, 55_000)


def general(questions: list[str], count: int, seed: int = 0) -> Iterator[Sample]:
    """Yield answered general questions, each in the data once."""
    draw = np.random.default_rng(seed)
    chosen = [questions[place] for place in draw.permutation(len(questions))[:count]]
    again = [questions[place] for place in draw.integers(len(questions), size=max(0, count - len(questions)))]
    chosen += [f"{question.rstrip(' ?.')} in picture {number}?" for number, question in enumerate(again)]
    for number, question in enumerate(chosen):
        name = f"general-{number}"
        yield Sample(id=name, record=name, query=question, refused=False, label_source="field")


def data(shared: Path) -> Iterator[tuple[str, Dataset]]:
    """Yield the rows of the table: name and data."""
    vlguard = load_samples(shared / "vlguard" / "train.json")
    document = json.loads((shared / "field" / "vqa" / "vizwiz_val_questions_vqa_format.json").read_text())
    questions = [one["question"] for one in document["questions"] if one["question"].strip()]
    yield "VLGuard train", vlguard
    for count in MIXTURES:
        mixed = vlguard.samples + tuple(general(questions, count))
        yield f"+ {count:,} general questions", replace(vlguard, samples=mixed)
    labels = np.random.default_rng(0).permutation([sample.refused for sample in vlguard])
    shuffled = (replace(one, refused=bool(label)) for one, label in zip(vlguard, labels, strict=True))
    yield "VLGuard, labels shuffled", replace(vlguard, samples=tuple(shuffled))
    yield "MOSSBench and its harmful twins", load_samples(shared / "field" / "mossbench" / "pairs_544.json")
    yield "200 random texts, random labels", load_samples(shared / "faults" / "dup1.jsonl")
    yield "40 random texts × 5, random labels", load_samples(shared / "faults" / "dup5.jsonl")


def measured(name: str, dataset: Dataset) -> dict[str, Any]:
    """Return one row of the table."""
    found: um.AuditResult = audit(dataset)
    return {
        "data": name,
        "n": found.n,
        "refused": found.refused,
        "copies": found.copies.queries,
        "informedness": {part: getattr(found.informedness, part) for part in ("value", "low", "high")},
        "auc": {part: getattr(found.auc, part) for part in ("value", "low", "high")},
        "shortcut_gap": found.shortcut_gap,
        "verdict": found.informedness.verdict.said,
    }


def line(row: dict[str, Any]) -> str:
    """Return one line of the table."""
    estimates = row["informedness"], row["auc"]
    shown = " ".join(f"{one['value']:>6.3f} ({one['low']:>6.3f} to {one['high']:.3f})" for one in estimates)
    return f"{row['data']:<36} {row['n']:>6,} {shown} {100 * row['shortcut_gap']:>6.1f}  {row['verdict']}"


def main() -> None:
    """Measure every row, print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = Path(__file__).resolve().parents[1].parent / "shared"
    parser.add_argument("--shared", type=Path, default=beside, help="folder that has data/ (default: ../shared)")
    parser.add_argument("--keep", type=Path, help="also write the figures, with the machine, to this file")
    options = parser.parse_args()
    folder = options.shared / "data"
    if not folder.is_dir():
        print(f"{folder}: no such folder, so nothing is measured")
        return
    print(f"{'data':<36} {'n':>6} {'informedness (95 %)':>24} {'AUC (95 %)':>24} {'gap':>6}  verdict")
    rows = []
    for name, dataset in data(folder):
        rows.append(measured(name, dataset))
        print(line(rows[-1]), flush=True)
    if options.keep:
        kept = {"command": "python benchmarks/mixture.py", **made_by(), "results": rows}
        write_text_atomic(options.keep, json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
