"""Check from the files alone what training and evaluation data of a study share. Does not import unmirage.

    python benchmarks/overlap.py unmirage-demo/seed-0 [MORE STUDIES ...]

For each pair of roles (alignment, validation, evaluation) it prints the number of devices that the texts of both name,
and the number of identical question-answer pairs. Exit code 1 if anything is shared, 2 if a directory is not a study of
one seed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

VALIDATION = ("validation", "validation-utility", "validation-neighbors")
EVALUATION = ("test", "utility", "neighbors")


def records(file: Path) -> list[dict]:
    text = file.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" else json.loads(text)


def pairs(record: dict) -> Iterator[tuple[str, str]]:
    """Yield the question-answer pairs of a record in LLaVA, VLGuard or flat format; skip those without an answer."""
    if "conversations" in record:
        asked, answered = (turn["value"] for turn in record["conversations"])
        yield asked.removeprefix("<image>\n"), answered
    elif "instr-resp" in record:
        for one in record["instr-resp"]:
            query = next(value for key, value in one.items() if key.endswith("instruction"))
            if one.get("response"):
                yield query, one["response"]
    elif record["answer"]:
        yield record["query"], record["answer"]


def roles(study: Path) -> dict[str, list[Path]]:
    data = study / "data"
    return {
        "alignment": [data / "safety.json", data / "general.json", *sorted((study / "sets").glob("*.jsonl"))],
        "validation": [data / f"{name}.json" for name in VALIDATION],
        "evaluation": [data / f"{name}.json" for name in EVALUATION],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", type=Path, help="run directories of one seed each")
    options = parser.parse_args()
    found = 0
    for study in options.studies:
        missing = next((file for files in roles(study).values() for file in files if not file.is_file()), None)
        if missing is not None or not (study / "data" / "base.json").is_file():
            parser.error(f"{study}: is no run directory of one seed; valid: one such as unmirage-demo/seed-0")
        devices = {record["group"] for record in records(study / "data" / "base.json") if "group" in record}
        named, held = {}, {}
        for role, files in roles(study).items():
            words = {word for file in files for word in re.findall(r"\w+", file.read_text(encoding="utf-8"))}
            named[role] = devices & words
            held[role] = {pair for file in files for record in records(file) for pair in pairs(record)}
        for one, other in combinations(named, 2):
            both, shared = named[one] & named[other], held[one] & held[other]
            found += len(both) + len(shared)
            print(
                f"{study}: {one} ({len(named[one])} devices, {len(held[one])} pairs) and {other} "
                f"({len(named[other])}, {len(held[other])}) share {len(both)} devices and {len(shared)} pairs"
            )
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
