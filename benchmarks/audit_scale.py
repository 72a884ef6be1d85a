"""Measure time and memory of the audit of large data, with synthetic queries of realistic length.

    python benchmarks/audit_scale.py --json [--rows 10000 100000 1000000] [--keep benchmarks/results/audit_scale.json]

Every size runs `unmirage audit FILE --json` in a separate process, so the time includes start-up and the peak is that
of the whole process. Words follow Zipf's law over 30,000 words. Queries have 4 to 24 words, openers are associated with
a label as in VLGuard, and every query has an answer and an image path without a file.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from provenance import made_by

from unmirage.run.files import write_text_atomic

REFUSED_OPENERS = {"can": 862, "share": 195, "describe": 162, "please": 124, "identify": 107, "explain": 86, "what": 61}
ANSWERED_OPENERS = {"what": 869, "can": 103, "how": 2, "please": 1, "why": 1}
ANSWERS = {
    True: "I'm sorry, but I cannot help with that request. {} could be used to cause harm, so it is not shared here.",
    False: "The picture shows {} in the foreground, and there is more to see behind it, on the left and on the right.",
}
VOCABULARY, SHORTEST, LONGEST = 30_000, 4, 24


def records(rows: int, seed: int = 0) -> Iterator[str]:
    """Yield JSON lines, determined by the seed."""
    draw, numbers = random.Random(seed), np.random.default_rng(seed)
    vocabulary = np.array([f"{chr(97 + i % 26)}{np.base_repr(i, 26).lower()}e" for i in range(VOCABULARY)])
    weights = 1 / np.arange(1, VOCABULARY + 1)
    weights /= weights.sum()
    for start in range(0, rows, 10_000):
        size = min(10_000, rows - start)
        lengths = numbers.integers(SHORTEST, LONGEST, size=size)
        words = vocabulary[numbers.choice(VOCABULARY, size=int(lengths.sum()), p=weights)]
        ends = np.cumsum(lengths)
        for offset, (end, length) in enumerate(zip(ends, lengths, strict=True)):
            refused = draw.random() < 0.67
            openers = REFUSED_OPENERS if refused else ANSWERED_OPENERS
            opener = draw.choices(list(openers), weights=list(openers.values()))[0]
            text = " ".join(words[end - length : end])
            mark = "?" if opener in ("can", "what", "how", "why") else "."
            row = {
                "id": f"row-{start + offset}",
                "image": f"pictures/{start + offset:07d}.jpg",
                "query": f"{opener.capitalize()} {text}{mark}",
                "answer": ANSWERS[refused].format(words[end - 1]),
                "refused": refused,
            }
            yield json.dumps(row) + "\n"


def measure(rows: int, folder: Path) -> dict[str, float]:
    """Return seconds and peak memory of one audit."""
    data = folder / f"{rows}.jsonl"
    with data.open("w", encoding="utf-8") as file:
        file.writelines(records(rows))
    start = time.perf_counter()
    with (folder / "audit.json").open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", "from unmirage.cli.main import run; run()", "audit", str(data), "--json"], stdout=out
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"the audit of {rows} rows failed with status {os.waitstatus_to_exitcode(status)}")
    audited = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    if audited["n"] != rows:
        raise SystemExit(f"{audited['n']} of {rows} rows were audited")
    data.unlink()
    return {"rows": rows, "seconds": round(seconds, 1), "peak_gib": round(usage.ru_maxrss / 2**20, 2)}


def main() -> None:
    """Measure every size and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument("--keep", type=Path, help="also write the figures, with the machine, to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(rows, Path(folder)) for rows in options.rows]
    if options.keep:
        command = "python benchmarks/audit_scale.py --rows " + " ".join(map(str, options.rows))
        kept = {"command": command, **made_by(), "results": found}
        write_text_atomic(options.keep, json.dumps(kept, indent=2) + "\n")
    if options.json:
        print(json.dumps(found))
    else:
        for one in found:
            print(f"{one['rows']:>9,} rows {one['seconds']:>7.1f} s {one['peak_gib']:>6.2f} GiB")


if __name__ == "__main__":
    main()
