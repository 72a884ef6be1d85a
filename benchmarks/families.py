"""Try every model type of transformers' AutoModelForImageTextToText on a tiny random model, and write the table.

    python benchmarks/families.py --keep benchmarks/results/families.json --write docs/families.md [--types a,b]

Each type runs in a process of its own (`families_probe.py`) with limits of time and memory, so that none can hang or
crash the others. With `--types`, only these rows of the kept file are made anew. `--write` replaces the tables between
the markers of the page.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from families_shrink import types

from unmirage.models.untested import TESTED
from unmirage.run.files import write_text_atomic
from unmirage.run.machine import describe_machine
from unmirage.testbed.summary import markers

PROBE = Path(__file__).with_name("families_probe.py")
COLUMNS = {
    "load": "load", "parts": "parts", "text": "attack, text", "image": "attack, image", "shared": "shared prefix",
    "full": "align, full", "lora": "align, LoRA", "rmu": "RMU", "down": "`down_proj`", "estimate": "dry run",
}  # fmt: skip
SHOWN = {"yes": "yes", "no": "no", "skip": "–", "failed": "**failed**"}
NO_PROCESSOR = "no image processor of this type is made here"  # most types: said once, on the page
MARKER, REASONS = "families", "family reasons"
Row = dict[str, list[str]]


def run(command: Sequence[str], seconds: float, gib: float) -> Row:
    """Return the row that a process prints last; if it fails, hangs or needs too much memory, a row that says so."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (int(gib * 2**30),) * 2)

    offline = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, preexec_fn=limit, env=offline)
    except subprocess.TimeoutExpired:
        return failed(f"not done after {seconds:g} seconds")
    try:
        row: Row = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        lines = done.stderr.strip().splitlines()
        return failed(f"the process ended with {done.returncode}: {lines[-1] if lines else 'no output'}")
    return row


def failed(reason: str) -> Row:
    """Return a row whose first column says how the process failed."""
    return {column: ["failed" if column == "load" else "skip", reason] for column in COLUMNS}


def measure(chosen: Sequence[str], workers: int, seconds: float, gib: float) -> dict[str, Row]:
    """Return the rows of some types."""

    def one(model_type: str) -> Row:
        row = run([sys.executable, str(PROBE), model_type], seconds, gib)
        failures = [f"{column}: {text}" for column, (verdict, text) in row.items() if verdict == "failed"]
        print(f"{model_type}: {'; '.join(failures) or 'done'}", file=sys.stderr)
        return row

    with ThreadPoolExecutor(workers) as pool:
        return dict(zip(chosen, pool.map(one, chosen), strict=True))


def table(rows: Mapping[str, Row]) -> str:
    """Return the table of all types, below a line that counts them."""
    lines = [
        counts(rows),
        "",
        "| type | " + " | ".join([*COLUMNS.values(), "tested here"]) + " |",
        "|---" * (len(COLUMNS) + 2) + "|",
    ]
    for model_type, row in sorted(rows.items()):
        cells = [row["parts"][1] if key == "parts" and row[key][0] == "yes" else SHOWN[row[key][0]] for key in COLUMNS]
        cells.append("yes" if model_type in TESTED else "no")
        lines.append(f"| `{model_type}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def counts(rows: Mapping[str, Row]) -> str:
    """Return one line: how many types work, and how many failed."""
    works = {key: sum(row[key][0] == "yes" for row in rows.values()) for key in ("load", "text", "full", "lora", "rmu")}
    failures = sum(cell[0] == "failed" for row in rows.values() for cell in row.values())
    told = ", ".join(f"{COLUMNS[key]} {count}" for key, count in works.items())
    return f"{len(rows)} types. Yes: {told}. Failed cells: {failures}."


def reasons(rows: Mapping[str, Row]) -> str:
    """Return the reasons of the cells that are not yes, each with the columns that have it."""
    lines = []
    for model_type, row in sorted(rows.items()):
        told: dict[str, list[str]] = {}
        for key in COLUMNS:
            verdict, text = row[key]
            if key == "parts" or text in ("", NO_PROCESSOR):
                continue
            if verdict != "yes" or key in ("text", "image"):
                told.setdefault(text, []).append(COLUMNS[key])
        lines += [f"- `{model_type}`, {', '.join(columns)}: {_plain(text)}" for text, columns in told.items()]
    return "\n".join(lines)


def _plain(text: str) -> str:
    return text.replace("<", "&lt;").replace("|", "\\|").replace("*", "\\*")


def write(page: Path, rows: Mapping[str, Row]) -> None:
    """Replace the tables between the markers of a page."""
    text = page.read_text(encoding="utf-8")
    for marker, made in ((MARKER, table(rows)), (REASONS, reasons(rows))):
        begin, end = markers(marker)
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{made}\n{end}{rest.split(end)[1]}"
    write_text_atomic(page, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", help="some model types only, by comma (default: all)")
    parser.add_argument("--workers", type=int, default=1, help="types at the same time")
    parser.add_argument("--seconds", type=float, default=180.0, help="time limit of a type")
    parser.add_argument("--gib", type=float, default=16.0, help="limit of the address space of a type")
    parser.add_argument("--keep", type=Path, help="JSON file; with --types, its other rows stay")
    parser.add_argument("--write", type=Path, help="page with the markers of the tables")
    options = parser.parse_args()
    chosen = options.types.split(",") if options.types else types()
    if unknown := set(chosen) - set(types()):
        parser.error(f"--types: {', '.join(sorted(unknown))}; valid: {', '.join(types())}")
    result: dict[str, Any] = {"rows": {}}
    if options.types and options.keep and options.keep.is_file():
        result = json.loads(options.keep.read_text(encoding="utf-8"))
    result["rows"] |= measure(chosen, options.workers, options.seconds, options.gib)
    result |= {"transformers": version("transformers"), "machine": describe_machine()}
    if options.keep:
        write_text_atomic(options.keep, json.dumps(result, indent=1, sort_keys=True) + "\n")
    if options.write:
        write(options.write, result["rows"])
    print(counts(result["rows"]))


if __name__ == "__main__":
    main()
